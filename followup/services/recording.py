"""Keep what a patient answered, and let it change what is true of their plan."""

from decimal import Decimal

from followup.clinical import timing
from followup.clinical.holds import LatestAnswers, auto_hold_reason
from followup.clinical.reply import Answer
from followup.core.vocabulary import Fact, Question, RequestStatus, Tier
from followup.services import taper
from followup.services.hearing import Hearing
from followup.store.models import QuestionnaireResponse
from followup.store.queries import inbound as queries


def keep(
    hearing: Hearing, answer: Answer, *, amends: QuestionnaireResponse | None = None
) -> QuestionnaireResponse | None:
    """Store the answer if there is one; an earlier one to the same question of the same text is amended."""
    patient, care_plan, question = hearing.patient, hearing.care_plan, answer.question
    if not answer.given or question is None or patient is None or care_plan is None:
        return None
    request_id = hearing.request.id if hearing.request else None
    if amends is None and request_id is not None:
        amends = queries.latest_response(
            hearing.session, hearing.organization.id, patient.id, question=question, request_id=request_id
        )
    kept = QuestionnaireResponse(
        organization_id=hearing.organization.id,
        patient_id=patient.id,
        care_plan_id=care_plan.id,
        communication_id=hearing.communication.id,
        request_id=amends.request_id if amends else request_id,
        channel=hearing.channel,
        question=question,
        number=answer.number,
        yes=answer.yes,
        authored_at=hearing.communication.received_at or hearing.now,
        local_on=timing.local_date(hearing.now, patient.time_zone),
        amends_id=amends.id if amends else None,
        created_at=hearing.now,
    )
    hearing.session.add(kept)
    hearing.communication.answers_request_id = kept.request_id
    _learn(hearing, answer)
    hearing.session.flush()
    return kept


def hold_if_needed(hearing: Hearing, tier: Tier, answer: Answer) -> bool:
    """Put a running taper on hold where this text asks for it (reference 5.3.8); return whether it did."""
    care_plan = hearing.care_plan
    if care_plan is None:
        return False
    reason = auto_hold_reason(tier, _latest(answer))
    if reason is None:
        return False
    held = taper.hold(
        hearing.session,
        care_plan,
        reason=reason.value,
        knowledge=hearing.knowledge,
        now=hearing.now,
        communication=hearing.communication,
    )
    # On the web no text answers a YES to "any trouble?": the notice is all that the patient gets.
    if held and (_said_on_trouble(hearing) or tier is Tier.EMERGENCY):
        _leave_out_pause(hearing)
    return held


def _learn(hearing: Hearing, answer: Answer) -> None:
    care_plan, question = hearing.care_plan, answer.question
    if care_plan is None:
        return
    if question is Question.STILL_TAKING and answer.yes is not None:
        care_plan.set_fact(Fact.STILL_TAKING, true=answer.yes)
        care_plan.set_fact(Fact.STOPPED, true=not answer.yes)
    if question is Question.PILLS_LEFT and answer.number is not None:
        care_plan.set_fact(Fact.PILLS_LEFT, true=answer.number > 0)
    # "Reply DONE or LATER" asks about disposal too, but a yes to it says nothing of pills at home.
    if question is Question.DISPOSAL and answer.yes is not None and _asked_plainly(hearing):
        care_plan.set_fact(Fact.PILLS_LEFT, true=answer.yes)


def _asked_plainly(hearing: Hearing) -> bool:
    return (
        hearing.request is None or hearing.request.message_key == "ask_disposal" or hearing.channel == "web"
    )


def _latest(answer: Answer) -> LatestAnswers:
    def number(question: Question) -> Decimal | None:
        return answer.number if answer.question is question and not answer.out_of_range else None

    return LatestAnswers(
        withdrawal=number(Question.WITHDRAWAL),
        craving=number(Question.CRAVING),
        pain=number(Question.PAIN),
        trouble=answer.yes if answer.question is Question.TAPER else None,
    )


def _leave_out_pause(hearing: Hearing) -> None:
    # The answer to "any trouble?" says the same in its own words. And beside "call 911 now" nobody should
    # read "follow the last plan": staff are asked about the plan all the same.
    for row in queries.answers_to(hearing.session, hearing.communication, "auto_pause"):
        row.status, row.ended_reason = RequestStatus.REVOKED, "said_already"


def _said_on_trouble(hearing: Hearing) -> bool:
    return bool(queries.answers_to(hearing.session, hearing.communication, "taper_reply_trouble"))
