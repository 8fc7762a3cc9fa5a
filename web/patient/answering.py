"""Send what a patient answered on a page down the road that texts take, and say what fits its danger."""

from collections.abc import Mapping
from uuid import UUID

from flask import url_for
from flask.typing import ResponseReturnValue

from followup.core.vocabulary import Question, Tier
from followup.services import inbound
from followup.services.inbound import WebResult
from followup.tasks.outbound import ring
from web.house import current_house

from .page import Page

_NOTHING = WebResult(Tier.NONE, crisis=False, message_key=None, lanes=frozenset())
_SUICIDE = "auto_suicide"
#: Fixed safety texts beside which a page shows 988, or Poison Control's number, to press.
_CRISIS = frozenset((_SUICIDE, "auto_low_mood", "auto_low_mood_closed"))
_POISON = frozenset(("auto_exposure", "auto_took_a_lot_words", "auto_overuse", "auto_overuse_closed"))


def send_answers(
    page: Page, answers: Mapping[Question, str], *, words: str = "", request_id: UUID | None = None
) -> WebResult:
    """Store the answers, understand them at once, ring for what they made due; return what they came to."""
    if not answers and not words:
        return _NOTHING
    house = current_house()
    result = inbound.answer_web(
        house.sessions,
        patient_id=page.patient.id,
        request_id=request_id or page.link.request_id,
        answers=list(answers.items()),
        comment=words,
        knowledge=house.knowledge,
        now=house.clock.now(),
    )
    for lane in result.lanes:
        ring(lane)
    return result


def thank(page: Page, result: WebResult, *, may_change: bool = False) -> ResponseReturnValue:
    """Show the thank-you that fits; where danger was told, whom to call comes before anything else."""
    key = result.message_key
    return page.show(
        "thanks.html",
        is_crisis=key in _CRISIS,
        is_poison=key in _POISON,
        danger=page.say("web_crisis_body" if key == _SUICIDE else key) if key else None,
        text=None if key else page.say("web_thanks"),
        change=url_for("patient.checkin.ask", token=page.token, all=1) if may_change and not key else None,
    )
