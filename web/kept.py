"""Keep what was typed when a form cannot be taken now, so that a person can send it once more."""

from dataclasses import dataclass
from typing import Any

from flask import current_app, render_template, request, session
from itsdangerous import BadData, URLSafeTimedSerializer

#: Fields that are never shown again.
_SECRET = frozenset(("csrf_token", "password", "old", "new", "kept"))
#: Fields that the page wrote, not the person: sent along unseen.
_OURS = frozenset(("key", "action", "digest", "has_warnings"))
#: How long a member who was signed off has to come back to what they typed, seconds.
_KEPT_SECONDS = 3600


@dataclass(frozen=True)
class Kept:
    """What was typed in one form, in order, and where it was to go."""

    action: str
    typed: tuple[tuple[str, str], ...]

    def show(self) -> str:
        """Return the page that shows it, with a button to send it."""
        return render_template("error_form.html", typed=self.typed, action=self.action, ours=_OURS)


def typed() -> Kept:
    """Return what this request's form holds, without secrets; nothing of a form that another site sent.

    Another site's form must not become one of ours with a button: the browser says whose form it was.
    """
    is_ours = request.headers.get("Sec-Fetch-Site") == "same-origin"
    has_secret = bool(_SECRET & set(request.form) - {"csrf_token"})
    fields = [(name, value) for name, value in request.form.items(multi=True) if name not in _SECRET]
    return Kept(request.full_path.rstrip("?"), tuple(fields) if is_ours and not has_secret else ())


def sealed() -> str | None:
    """Return what was typed as a signed text for the sign-in page to carry; None where nothing was.

    It opens only for the member whose sign-in ran out: another one at the same screen must not read it.
    """
    kept = typed()
    if not kept.typed:
        return None
    sealed: str = _seal().dumps([kept.action, kept.typed, _whose(session.get("_user_id", ""))])
    return sealed


def opened(token: str, member_id: str) -> Kept | None:
    """Return what the sign-in page carried; `member_id` is whose session begins: "clinic:member:epoch"."""
    try:
        action, fields, owner = _seal().loads(token, max_age=_KEPT_SECONDS)
    except BadData:
        return None
    if owner and owner != _whose(member_id):
        return None
    return Kept(action, tuple((name, value) for name, value in fields))


def _whose(user_id: Any) -> str:
    return str(user_id).rpartition(":")[0]  # Without the epoch: signing out elsewhere does not change who.


def _seal() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt="followup kept form")
