"""Turn what was refused into a calm page: one table from error code to status."""

from flask import Flask, g, render_template
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from followup.core import errors
from followup.core.errors import FollowupError

from . import kept

#: Error class -> HTTP status; a subclass without a line of its own takes its parent's.
STATUS: dict[type[FollowupError], int] = {
    errors.InvalidInput: 422,
    errors.NotFound: 404,
    errors.LinkInvalid: 404,
    errors.Forbidden: 403,
    errors.Conflict: 409,
    errors.ConsentMissing: 409,
    errors.ClinicalError: 422,
    errors.SignatureInvalid: 403,
    errors.MalformedWebhook: 400,
    FollowupError: 500,
}

#: HTTP status -> title, what to do.
WORDS: dict[int, tuple[str, str]] = {
    400: ("We could not read that", "Go back, load the page again and repeat what you did."),
    401: ("You are signed out", "Sign in, then repeat what you did. Nothing was changed."),
    403: ("That is not open to you", "Ask someone with the right role at your clinic."),
    404: ("There is nothing here", "The address may be mistyped, or the link too old."),
    405: ("There is nothing here", "This address takes no such request. Go back and use the button."),
    409: ("Someone else was faster", "Look at it again, and repeat your change if you still want it."),
    413: ("That is too much at once", "Send less text, then try again."),
    422: ("That cannot be used", "Go back and change what is named below."),
    429: ("Too many tries", "Wait a minute, then try again. Nothing was changed."),
    500: (
        "Something on our side failed",
        "It was written down. Try again in a minute; for anything red, call.",
    ),
}


def status_of(error: FollowupError) -> int:
    """Return the status of an error: its own line of the table, or its nearest parent's."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def install(app: Flask) -> None:
    """Answer every error of an application with a page of ours."""
    app.register_error_handler(CSRFError, _form_too_old)
    app.register_error_handler(FollowupError, _refused)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(500, _failed)


def _refused(error: FollowupError) -> ResponseReturnValue:
    return _page(status_of(error), detail=str(error) if error.safe_for_staff else None)


def _http(error: HTTPException) -> ResponseReturnValue:
    return _page(error.code or 500)


def _failed(_error: Exception) -> ResponseReturnValue:
    return _page(500)


def _form_too_old(_error: CSRFError) -> ResponseReturnValue:
    """Offer the same form again with a fresh token: what was typed is kept, a person presses once more."""
    return kept.typed().show(), 400


def _page(status: int, *, detail: str | None = None) -> ResponseReturnValue:
    status = status if status in WORDS else (400 if status < 500 else 500)
    title, what = WORDS[status]
    in_dark = not hasattr(g, "csp_nonce")  # The request failed before our hooks ran.
    page = render_template(
        "error.html", status=status, title=title, what=what, detail=detail, in_dark=in_dark
    )
    return page, status
