"""Guard every answer and every form: headers, cookies, CSRF, rate limits, size of a request."""

import re
import secrets

from flask import Flask, Response, g, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_wtf.csrf import CSRFProtect

from followup.settings import Settings

#: Largest request that we read, bytes: the longest form of ours is far below it.
LARGEST_REQUEST = 256 * 1024
STATIC_SECONDS = 3600

csrf = CSRFProtect()
_LINK = re.compile(r"/[acdhpty]/")
#: Links that open nothing, from one address. A token has 64 bits: this is for whoever tries all the same, and
#: leaves room for mistyped links of many patients behind one address of a mobile network.
_WRONG_LINKS = "60 per hour"


def _found_nothing(response: Response) -> bool:
    return response.status_code == 404


limiter = Limiter(
    key_func=get_remote_address,
    headers_enabled=False,
    application_limits=[_WRONG_LINKS],
    application_limits_exempt_when=lambda: not _LINK.match(request.path),
    application_limits_deduct_when=_found_nothing,
)

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "X-Permitted-Cross-Domain-Policies": "none",
}


def install(app: Flask, settings: Settings) -> None:
    """Set the cookies, the limits and the hooks of an application."""
    secure = is_secure(settings)
    app.config.update(
        SECRET_KEY=settings.secret_key.get_secret_value(),
        SESSION_COOKIE_NAME="__Host-followup" if secure else "followup",
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",  # Strict would lose the sign-in of staff who come by a page's link.
        MAX_CONTENT_LENGTH=LARGEST_REQUEST,
        MAX_FORM_MEMORY_SIZE=LARGEST_REQUEST,
        MAX_FORM_PARTS=500,
        SEND_FILE_MAX_AGE_DEFAULT=STATIC_SECONDS,
        WTF_CSRF_SSL_STRICT=False,  # It needs a Referer, which our pages of secret links must not send.
        WTF_CSRF_TIME_LIMIT=None,  # The token lives as long as the session: a page left open keeps its form.
        RATELIMIT_STORAGE_URI=settings.redis_url or "memory://",
        RATELIMIT_STORAGE_OPTIONS=_storage_options(settings),
        RATELIMIT_IN_MEMORY_FALLBACK_ENABLED=bool(settings.redis_url),
        RATELIMIT_SWALLOW_ERRORS=True,
    )
    csrf.init_app(app)
    limiter.init_app(app)
    app.before_request(_draw_nonce)
    app.after_request(_add_headers)
    if secure:
        app.after_request(_add_hsts)
    app.context_processor(lambda: {"csp_nonce": lambda: g.csp_nonce})


def is_secure(settings: Settings) -> bool:
    """Tell whether cookies must travel over TLS only: everywhere but on this very machine."""
    return not settings.public_url.startswith("http://127.0.0.1")


def _storage_options(settings: Settings) -> dict[str, float]:
    # Sign-in must not hang on a Redis that is gone: ask briefly, then count in memory.
    if settings.redis_url:
        return {"socket_connect_timeout": 0.3, "socket_timeout": 0.3}
    return {}


def _draw_nonce() -> None:
    g.csp_nonce = secrets.token_urlsafe(16)


def _policy() -> str:
    nonce = g.get("csp_nonce") or secrets.token_urlsafe(16)
    return (
        f"default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self'; img-src 'self'; "
        "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def _add_headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Content-Security-Policy"] = _policy()
    if request.endpoint != "static":
        # Every page may hold a patient's data or say that somebody is a patient: no copy stays anywhere.
        response.headers["Cache-Control"] = "no-store"
    return response


def _add_hsts(response: Response) -> Response:
    response.headers["Strict-Transport-Security"] = "max-age=63072000; includeSubDomains"
    return response
