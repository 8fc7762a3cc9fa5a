"""Tell where leftover pills may go, and take DONE or LATER from the page."""

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from followup.core.vocabulary import LinkPurpose, Question
from web.access import public
from web.forms import FormReader
from web.security import csrf, limiter

from .answering import send_answers, thank
from .page import Page, opens
from .places import national_places

bp = Blueprint("disposal", __name__)
_SAID = {"done": "DONE", "later": "LATER"}


@bp.get("/d/<token>")
@limiter.limit("60 per minute")
@public("patient's link; the signed token is the key")
@opens(LinkPurpose.DISPOSAL)
def disposal(page: Page) -> ResponseReturnValue:
    """Show the search for drop boxes and what to do at home."""
    return _shown(page)


def _shown(page: Page, status: int = 200) -> ResponseReturnValue:
    return page.show("disposal.html", places=national_places(page, "disposal")), status


@bp.post("/d/<token>")
@csrf.exempt
@limiter.limit("20 per minute")
@public("patient's link; the signed token is the key")
@opens(LinkPurpose.DISPOSAL)
def answer(page: Page) -> ResponseReturnValue:
    """Take DONE or LATER as if it had been texted."""
    said = _SAID.get(FormReader(request.form).raw("answer"))
    if said is None:
        return _shown(page, 400)
    return thank(page, send_answers(page, {Question.DISPOSAL: said}, words=""))
