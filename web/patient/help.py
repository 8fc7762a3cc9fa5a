"""Show whom to call: the clinic, and the national lines that a person checked."""

from flask import Blueprint
from flask.typing import ResponseReturnValue

from followup.core.vocabulary import LinkPurpose
from web.access import public
from web.security import limiter

from .page import Page, opens
from .places import national_places

bp = Blueprint("help", __name__)


@bp.get("/h/<token>")
@limiter.limit("60 per minute")
@public("patient's link; the signed token is the key")
@opens(LinkPurpose.HELP)
def places(page: Page) -> ResponseReturnValue:
    """Show the clinic's phones and the national treatment and crisis lines."""
    return page.show("help.html", places=national_places(page, "help"))
