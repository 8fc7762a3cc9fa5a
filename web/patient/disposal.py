"""Tell where leftover pills may go, and take from the page whether they are gone."""

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
csrf.exempt(bp)  # No session stands behind these forms: the secret is the token of their own address.
#: The buttons answer what stands behind both: are any pills left at home?
_SAID = {"done": "NO", "later": "YES"}


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
@limiter.limit("20 per minute")
@public("patient's link; the signed token is the key")
@opens(LinkPurpose.DISPOSAL)
def answer(page: Page) -> ResponseReturnValue:
    """Take "they are gone" or "remind me later" as the answer to whether pills are left."""
    said = _SAID.get(FormReader(request.form).raw("answer"))
    if said is None:
        return _shown(page, 400)
    return thank(page, send_answers(page, {Question.DISPOSAL: said}))
