"""Take the answers of the check-in page: the same understanding as a text; the page itself answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy.orm import Session

from followup.clinical.scales import WD5
from followup.core.errors import NotFound
from followup.core.vocabulary import Channel, CommunicationStatus, Direction, Lane, Question, Tier, worst
from followup.services import answering, keyword_acts, recording, responding
from followup.services.hearing import Hearing
from followup.services.knowledge import Knowledge
from followup.services.understanding import Understood, note_all, understand
from followup.store.models import Communication, CommunicationRequest, Patient
from followup.store.queries import inbound as queries
from followup.store.session import Sessions


@dataclass(frozen=True)
class WebResult:
    """What the answers came to: their worst tier, and the text of the catalogue that the page shows.

    `crisis` is an emergency: the page shows where to call before anything else. `message_key` is None without
    danger. `lanes` are to be rung after the call.
    """

    tier: Tier
    crisis: bool
    message_key: str | None
    lanes: frozenset[Lane]


def answer_web(
    sessions: Sessions,
    *,
    patient_id: UUID,
    request_id: UUID | None,
    answers: Sequence[tuple[Question, str]],
    comment: str,
    knowledge: Knowledge,
    now: datetime,
) -> WebResult:
    """Store and understand the answers of one check-in page, and its comment, in one transaction.

    `request_id` is the text whose link was followed. A second call amends the first. NotFound for a text that
    is not there.
    """
    with sessions.begin() as session:
        patient = queries.lock_patient(session, patient_id)
        request = session.get(CommunicationRequest, request_id) if request_id else None
        if request_id is not None and (request is None or request.patient_id != patient.id):
            raise NotFound("This page belongs to a text that is no longer there.")
        given = [(question, text.strip()) for question, text in answers if text.strip()]
        hearing = _hearing(session, patient, given, comment.strip(), knowledge, now)
        understood = [_one(hearing, request, question, text, now) for question, text in given]
        if comment.strip():
            hearing.asked = None
            understood.append(understand(hearing, text=comment.strip()))
        return _sum_up(hearing, patient, understood)


def _hearing(
    session: Session,
    patient: Patient,
    given: Sequence[tuple[Question, str]],
    comment: str,
    knowledge: Knowledge,
    now: datetime,
) -> Hearing:
    lines = [f"{question.value}: {text}" for question, text in given]
    heard = Communication(
        organization_id=patient.organization_id,
        direction=Direction.IN,
        status=CommunicationStatus.COMPLETED,
        channel=Channel.WEB,
        patient_id=patient.id,
        provider="web",
        body="\n".join([*lines, comment]).strip().replace("\x00", "\ufffd"),
        received_at=now,
        processed_at=now,
        created_at=now,
    )
    session.add(heard)
    session.flush()
    hearing = Hearing(session, queries.organization(session, patient.organization_id), heard, knowledge, now)
    hearing.about(patient)
    return hearing


def _one(
    hearing: Hearing, request: CommunicationRequest | None, question: Question, text: str, now: datetime
) -> Understood:
    hearing.asked = queries.Asked(request, question, now) if request else None
    understood = understand(hearing, text=text, question=question)
    recording.keep(hearing, understood.answer)
    return understood


def _sum_up(hearing: Hearing, patient: Patient, understood: Sequence[Understood]) -> WebResult:
    flags = list(dict.fromkeys(flag for one in understood for flag in one.flags))
    score = _withdrawal(hearing, understood)
    tier = worst(score[0], *(one.tier for one in understood))
    flags += [flag for flag in score[1] if flag not in flags]
    note_all(hearing, understood, tier, flags)
    alert = keyword_acts.alert_for(hearing, patient, tier, flags) if tier is not Tier.NONE else None
    for one in understood:
        recording.hold_if_needed(hearing, one.tier, one.answer)
    done = hearing.done("web_answers", tier, alert.id if alert else None)
    lanes = done.lanes | ({Lane.STAT} if alert else set())
    return WebResult(tier, tier is Tier.EMERGENCY, _shown(hearing, tier, understood), frozenset(lanes))


def _withdrawal(hearing: Hearing, understood: Sequence[Understood]) -> tuple[Tier, tuple[str, ...]]:
    numbers: Mapping[Question, Decimal] = {
        one.answer.question: one.answer.number
        for one in understood
        if one.answer.question is not None and one.answer.number is not None and one.answer.given
    }
    items = {question: numbers[question] for question in WD5 if question in numbers}
    if not items:
        return Tier.NONE, ()
    is_pregnant = hearing.care_plan is not None and hearing.care_plan.is_pregnant
    score = hearing.knowledge.rules.instruments.withdrawal(
        items, single=numbers.get(Question.WITHDRAWAL), pregnant=is_pregnant
    )
    return score.reading.tier, score.reading.flags


def _shown(hearing: Hearing, tier: Tier, understood: Sequence[Understood]) -> str | None:
    if tier not in (Tier.URGENT, Tier.EMERGENCY):
        return None
    worst_one = max(understood, key=lambda one: one.tier.rank)
    key = responding.chosen(hearing, worst_one) if worst_one.tier is tier else "auto_urgent"
    # A page has no place for the number that was typed.
    key = "auto_took_a_lot_words" if key == "auto_took_a_lot" else key
    return answering.worded(hearing, key)
