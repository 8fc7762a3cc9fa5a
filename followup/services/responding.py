"""Choose what is said back to a patient: the taxonomy's table first, then `events.csv`, one limit each."""

from collections.abc import Mapping
from decimal import Decimal

from followup.clinical.answering import which_text
from followup.clinical.reply import RANGES, YES_NO
from followup.core.vocabulary import AlertKind, Question, Tier
from followup.services import answering, checkin
from followup.services.hearing import Hearing
from followup.services.understanding import Understood
from followup.services.wording import units_label
from followup.store.models import CommunicationRequest, TaperStep
from followup.store.queries import alerts as alert_queries
from followup.store.queries import inbound as queries
from followup.store.queries import tapers as taper_queries

_IN_WORDS = frozenset((Question.MOOD, Question.FEEDBACK))
_CONSTIPATION = Decimal(1)
_DRIVING = Decimal(2)
#: Texts of the taxonomy's table, and the event whose limit holds for each; all others: tier_routine.
_LIMITED_BY: Mapping[str, str] = {
    "auto_unclear": "not_understood",
    "auto_unclear_closed": "not_understood",
    "auto_language": "other_language",
    "auto_wrong_number": "wrong_number",
}


def respond(hearing: Hearing, understood: Understood) -> CommunicationRequest | None:
    """Write the fixed text that answers, and the next question where one follows; None is silence."""
    if understood.is_danger:
        return _to_danger(hearing, understood)
    if hearing.is_over:
        return answering.say(hearing, "auto_closed", event="text_after_end")
    said = _to_routine(hearing, understood) if understood.tier is Tier.ROUTINE else None
    if not understood.answer.given:
        following = _after_words(hearing, understood)
        return said or following
    specific = _to_answer(hearing, understood)
    following = checkin.go_on(hearing, understood.answer)
    is_silent = said is None and specific is None and following is None
    if is_silent and understood.tier is Tier.NONE and checkin.is_done(hearing, understood.answer):
        return checkin.thank(hearing)
    return said or specific or following


def _to_danger(hearing: Hearing, understood: Understood) -> CommunicationRequest | None:
    key = "auto_urgent" if understood.crashed else chosen(hearing, understood)
    number = understood.answer.number
    fields = {"n": units_label(number)} if key == "auto_took_a_lot" and number is not None else None
    said = answering.safety(hearing, answering.worded(hearing, key), fields=fields)
    if understood.answer.question is Question.OTHER_SOURCE and understood.answer.yes:
        answering.say(hearing, "edu_no_share", event="other_source_yes")
    return said


def chosen(hearing: Hearing, understood: Understood) -> str:
    """Return the taxonomy's text for an urgent, emergency or routine message, by the clinic's hours."""
    has_oncall = bool(hearing.organization.oncall_phone)
    # Without an on-call number the text of open hours goes, so the closed variant is never asked for.
    is_open = hearing.is_open_hours or not has_oncall
    key = which_text(understood.assessment, understood.answer.question, is_open, has_oncall)
    return key or "auto_routine"


def _to_routine(hearing: Hearing, understood: Understood) -> CommunicationRequest | None:
    if understood.is_media:
        return answering.say(hearing, "auto_media", event="media_or_empty")
    if understood.is_cut or "too_long" in understood.flags:
        return answering.say(hearing, "auto_too_long", event="too_long_or_broken")
    if "behind_plan" in understood.flags:
        return answering.say(hearing, "edu_directed", event="behind_plan_routine")
    if _has_own_text(understood):
        return None
    if clarified := _clarify(hearing, understood):
        return clarified
    key = chosen(hearing, understood)
    if key not in _LIMITED_BY and not understood.answer.given and _is_waited_for(hearing):
        # "By the next business day" would take back what they have just been told: people are on their way.
        return answering.say(hearing, "auto_reply_saved", event="tier_routine_again")
    said = answering.say(hearing, key, event=_LIMITED_BY.get(key, "tier_routine"))
    if said is None and key not in _LIMITED_BY and not understood.answer.given:
        return answering.say(hearing, "auto_reply_saved", event="tier_routine_again")
    return said


def _is_waited_for(hearing: Hearing) -> bool:
    """Tell whether an urgent or emergency alert of this patient is open."""
    if hearing.patient is None:
        return False
    alert = alert_queries.open_patient_alert(
        hearing.session, hearing.organization.id, AlertKind.REPLY, hearing.patient.id
    )
    return alert is not None and alert.tier in (Tier.URGENT, Tier.EMERGENCY)


def _has_own_text(understood: Understood) -> bool:
    answer = understood.answer
    is_trouble = answer.question is Question.TAPER and answer.yes is True
    is_side_effect = answer.question is Question.SIDE_EFFECT and answer.given
    return is_trouble or is_side_effect


def _clarify(hearing: Hearing, understood: Understood) -> CommunicationRequest | None:
    """Ask once for each question for an answer that fits it; a person reads the words all the same."""
    answer, question = understood.answer, understood.answer.question
    if question is None or hearing.asked is None or answer.given:
        return None
    if question in RANGES and answer.out_of_range:
        low, high = RANGES[question]
        return _ask_again(hearing, "clarify_range", {"low": str(low), "high": str(high)})
    if "unintelligible" not in understood.flags:
        return None
    if question in RANGES:
        low, high = RANGES[question]
        return _ask_again(hearing, "clarify_number", {"low": str(low), "high": str(high)})
    return _ask_again(hearing, "clarify_yesno", {}) if question in YES_NO else None


def _ask_again(hearing: Hearing, key: str, fields: Mapping[str, str]) -> CommunicationRequest | None:
    asked_at = hearing.asked.asked_at if hearing.asked else hearing.now
    if queries.was_said(hearing.session, hearing.organization.id, hearing.address, [key], asked_at):
        return None
    return answering.say(hearing, key, fields=fields)


def _to_answer(hearing: Hearing, understood: Understood) -> CommunicationRequest | None:
    answer = understood.answer
    if answer.question is Question.TAPER and answer.yes is not None:
        if answer.yes:
            return answering.say(hearing, "taper_reply_trouble")
        return answering.say(hearing, "taper_reply_no_last" if _is_last_step(hearing) else "taper_reply_no")
    if answer.question is Question.DISPOSAL and answer.yes:
        return answering.say(hearing, "edu_disposal_dropbox", event="disposal_yes")
    if answer.question is Question.STILL_TAKING and answer.yes and _asked_by(hearing, "ask_stop_confirm"):
        return answering.say(hearing, "taper_not_closed")
    if answer.question is Question.SIDE_EFFECT and answer.number:
        return _to_side_effect(hearing, answer.number)
    return None


def _to_side_effect(hearing: Hearing, number: Decimal) -> CommunicationRequest | None:
    event = "side_effect_1" if number == _CONSTIPATION else "side_effect_2_to_5"
    key = hearing.knowledge.events.get(event).message_keys[0]
    said = answering.say(hearing, key, event=event)
    if number == _DRIVING:
        answering.say(hearing, "edu_driving", event="asked_about_driving_or_side_effect_2")
    return said


def _asked_by(hearing: Hearing, key: str) -> bool:
    return hearing.asked is not None and hearing.asked.request.message_key == key


def _is_last_step(hearing: Hearing) -> bool:
    request = hearing.request
    if request is None or request.taper_step_id is None:
        return False
    step = hearing.session.get_one(TaperStep, request.taper_step_id)
    return taper_queries.steps_of(hearing.session, step.taper_plan_id)[-1].id == step.id


def _after_words(hearing: Hearing, understood: Understood) -> CommunicationRequest | None:
    """Go on with the open check-in after an answer to a question that is answered in words."""
    if (
        hearing.asked is None
        or hearing.asked.question not in _IN_WORDS
        or not understood.assessment.understood
    ):
        return None
    hearing.communication.answers_request_id = hearing.asked.request.id
    following = checkin.go_on(hearing, understood.answer)
    if following is None and understood.tier is Tier.NONE and checkin.is_done(hearing, understood.answer):
        return checkin.thank(hearing)
    return following
