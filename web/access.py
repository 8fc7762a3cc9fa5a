"""Let staff in and keep everybody else out: every route asks for a sign-in unless it is listed as public."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar, cast
from uuid import UUID

from flask import Flask, abort, current_app, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, current_user, login_user, logout_user

from followup.core.clock import SystemClock
from followup.core.errors import Forbidden
from followup.core.vocabulary import StaffRole
from followup.settings import Settings
from followup.store.queries import staff as staff_queries

from . import kept
from .house import current_house

View = TypeVar("View", bound=Callable[..., Any])

#: Longest sign-in, however busy: a working day (OWASP ASVS 5.0, 7.3.2).
LONGEST_SIGN_IN_SECONDS = 12 * 3600
_SEEN, _BEGAN = "seen_at", "began_at"

#: Time-outs run on real time: skipping the demo's clock must sign nobody out.
_clock = SystemClock()


def public(reason: str) -> Callable[[View], View]:
    """Mark a view as open to everybody; the reason stays beside it and a test lists it."""

    def mark(view: View) -> View:
        view.__public__ = reason  # type: ignore[attr-defined]
        return view

    return mark


def needs(*roles: StaffRole) -> Callable[[View], View]:
    """Mark a view as open only to staff of one of these roles."""

    def mark(view: View) -> View:
        view.__roles__ = frozenset(roles)  # type: ignore[attr-defined]
        return view

    return mark


@dataclass(frozen=True)
class SignedIn:
    """The staff member of this request, as Flask-Login wants one."""

    member: staff_queries.Member
    is_authenticated: bool = True
    is_active: bool = True
    is_anonymous: bool = False

    def get_id(self) -> str:
        """Return clinic, member and epoch: raising the epoch ends every open session of the member."""
        return f"{self.member.organization_id}:{self.member.id}:{self.member.session_epoch}"


def current_staff() -> staff_queries.Member:
    """Return the signed-in staff member; 401 when there is none."""
    if not current_user.is_authenticated:
        abort(401)
    return cast(SignedIn, current_user).member


def visitor() -> staff_queries.Member | None:
    """Return the signed-in staff member, or None on a page that is open to everybody."""
    return current_staff() if current_user.is_authenticated else None


def install(app: Flask, settings: Settings) -> None:
    """Put the guard before every request of an application."""
    manager = LoginManager()
    manager.session_protection = None  # A phone changes its address between two masts.
    manager.user_loader(_load)
    manager.init_app(app)
    app.config["IDLE_SECONDS"] = settings.idle_minutes * 60
    app.before_request(_guard)
    app.context_processor(lambda: {"me": visitor()})


def sign_in(member: staff_queries.Member) -> None:
    """Begin a session for a staff member whose password was checked."""
    session.clear()  # A session that was planted before the sign-in dies here.
    login_user(SignedIn(member))
    session[_BEGAN] = session[_SEEN] = _seconds(_clock.now())


def sign_out() -> None:
    """End this browser's session."""
    logout_user()
    session.clear()


def _seconds(at: datetime) -> int:
    return int(at.timestamp())


def _load(user_id: str) -> SignedIn | None:
    if _is_stale():
        return None
    try:
        organization, member, epoch = user_id.split(":")
        ids = UUID(organization), UUID(member)
    except ValueError:
        return None
    with current_house().sessions() as db:
        found = staff_queries.member(db, *ids)
    return SignedIn(found) if found is not None and str(found.session_epoch) == epoch else None


def _is_stale() -> bool:
    now = _seconds(_clock.now())
    idle = now - int(session.get(_SEEN, 0)) > current_app.config["IDLE_SECONDS"]
    return idle or now - int(session.get(_BEGAN, 0)) > LONGEST_SIGN_IN_SECONDS


def _guard() -> ResponseReturnValue | None:
    if request.endpoint is None or request.endpoint == "static":
        return None  # No such page: it is answered 404 to everybody. Style sheets hold no data.
    view = current_app.view_functions[request.endpoint]
    is_public = getattr(view, "__public__", None) is not None
    if not current_user.is_authenticated:
        return None if is_public else _ask_to_sign_in()
    session[_SEEN] = _seconds(_clock.now())
    roles = getattr(view, "__roles__", None)
    if roles and current_staff().role not in roles:
        raise Forbidden(f"This needs another role: {' or '.join(sorted(roles))}.")
    return None


def _ask_to_sign_in() -> ResponseReturnValue:
    was_signed_in = "_user_id" in session
    if request.method not in {"GET", "HEAD"}:
        carried = kept.sealed()
        if carried is None:
            abort(401)
        # Nothing was changed, and what was typed waits behind the sign-in.
        return render_template("staff/sign_in.html", kept=carried, next="/", email=""), 401
    back = request.full_path.rstrip("?") if request.path != "/" else None
    g.signed_off = was_signed_in
    return redirect(url_for("signing.sign_in", next=back, idle=1 if was_signed_in else None))
