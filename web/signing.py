"""Sign in and out; change one's own password."""

import hashlib

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_limiter.util import get_remote_address

from followup.core.errors import InvalidInput
from followup.services import staff
from followup.store.queries import staff as staff_queries

from . import access, kept
from .access import current_staff, public
from .house import current_house
from .security import limiter

bp = Blueprint("signing", __name__)


@bp.get("/sign-in")
@public("the door itself")
def sign_in() -> ResponseReturnValue:
    """Show the door; who is in already goes on."""
    if access.visitor() is not None:
        return redirect(_next())
    return render_template("staff/sign_in.html", idle=request.args.get("idle"), next=_next(), email="")


def _account_and_address() -> str:
    # Only a digest of the address that was typed goes to the counter's store.
    typed = request.form.get("email", "").strip().lower()
    return f"{get_remote_address()}:{hashlib.sha256(typed.encode()).hexdigest()[:16]}"


def _was_refused(response: Response) -> bool:
    return response.status_code >= 400


@bp.post("/sign-in")
@public("the door itself")
@limiter.limit("60 per minute", deduct_when=_was_refused)
@limiter.limit("5 per minute; 20 per hour", key_func=_account_and_address, deduct_when=_was_refused)
def try_sign_in() -> ResponseReturnValue:
    """Check name and password; a refusal does not say which was wrong, and keeps the name."""
    house = current_house()
    email, password = request.form.get("email", ""), request.form.get("password", "")
    member = None
    with house.sessions.begin() as db:
        try:
            user = staff.authenticate(db, email, password, house.clock.now())
            db.flush()
            member = staff_queries.member(db, user.organization_id, user.id)
        except staff.SignInRefused:
            member = None  # The audit line of the refusal is committed all the same.
    if member is None:
        page = render_template(
            "staff/sign_in.html", refused=True, next=_next(), email=email[:254], kept=request.form.get("kept")
        )
        return page, 422
    typed = kept.opened(request.form.get("kept", ""), access.SignedIn(member).get_id())
    access.sign_in(member)
    return typed.show() if typed is not None else redirect(_next(), code=303)


def _next() -> str:
    wanted = request.values.get("next", "")
    is_local = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    return wanted if is_local and "\\" not in wanted else "/"


@bp.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End this member's sessions everywhere."""
    house, me = current_house(), current_staff()
    with house.sessions.begin() as db:
        staff.sign_out(db, staff_queries.user(db, me.organization_id, me.id), now=house.clock.now())
    access.sign_out()
    return redirect(url_for("signing.sign_in"), code=303)


@bp.get("/account")
def account() -> ResponseReturnValue:
    """Show the member's own account, to change the password."""
    return render_template("staff/account.html", here="/account", errors={})


@bp.post("/account")
@limiter.limit("10 per hour", key_func=lambda: str(current_staff().id), deduct_when=_was_refused)
def change_password() -> ResponseReturnValue:
    """Change the member's password: every other session ends, this one goes on."""
    house, me = current_house(), current_staff()
    old, new = request.form.get("old", ""), request.form.get("new", "")
    try:
        with house.sessions.begin() as db:
            user = staff_queries.user(db, me.organization_id, me.id)
            staff.change_password(db, user, old=old, new=new, now=house.clock.now())
            db.flush()
            changed = staff_queries.member(db, me.organization_id, me.id)
    except InvalidInput as refused:
        errors = {"old" if refused.field == "old" else "new": str(refused)}
        return render_template("staff/account.html", here="/account", errors=errors), 422
    if changed is not None:
        access.sign_in(changed)
    flash("Your password is changed. Other devices are signed out.", "ok")
    return redirect(url_for("signing.account"), code=303)


@bp.get("/help/keys")
@public("a list of keys, no data")
def keys() -> ResponseReturnValue:
    """List the single keys, for browsers without JavaScript."""
    return render_template("staff/keys.html")
