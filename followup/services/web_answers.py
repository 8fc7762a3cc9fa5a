"""Take the answers of the check-in page: the same understanding as a text; the page itself answers."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import cast
from uuid import UUID

from sqlalchemy.orm import Session

from followup.clinical.keywords import Keyword, KeywordKind
from followup.clinical.scales import WD5
from followup.core.errors import NotFound
from followup.core.vocabulary import (
    Channel,
    CommunicationStatus,
    Direction,
    Lane,
    Question,
    SuppressionReason,
    Tier,
    worst,
)
from followup.services import alerts, answering, consent, keyword_acts, planning, recording, responding
from followup.services.hearing import Hearing, Processed
from followup.services.receiving import storable
from followup.services.understanding import Understood, note_all, understand
from followup.store.models import Communication, CommunicationRequest, Patient
from followup.store.queries import consents
from followup.store.queries import inbound as queries

#: How a STOP is confirmed, by the channel that the patient's texts came on.
_STOPPED: Mapping[Channel, str] = {Channel.SMS: "auto_optout", Channel.EMAIL: "email_optout_done"}


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

    @classmethod
    def of(cls, done: Processed) -> "WebResult":
        """Return what a page must show of what understanding came to."""
        tier = done.tier or Tier.NONE
        return cls(tier, tier is Tier.EMERGENCY, done.message_key, done.lanes)


@dataclass(frozen=True)
class _Form:
    """What the page sent, as it is kept beside the row."""

    request_id: UUID | None
    answers: tuple[tuple[Question, str], ...]
    comment: str

    def as_bytes(self) -> bytes:
        request = str(self.request_id) if self.request_id else None
        return json.dumps({"request": request, "answers": self.answers, "comment": self.comment}).encode()

    @classmethod
    def of(cls, heard: Communication) -> "_Form":
        kept = json.loads(heard.raw or b"{}")
        answers = tuple((Question(question), text) for question, text in kept["answers"])
        return cls(UUID(kept["request"]) if kept["request"] else None, answers, kept["comment"])


def store(
    session: Session,
    *,
    patient_id: UUID,
    request_id: UUID | None,
    answers: Sequence[tuple[Question, str]],
    comment: str,
    now: datetime,
) -> UUID:
    """Store what one check-in page sent, as it came; return the row's id.

    `request_id` is the text whose link was followed. NotFound for a text that is not there.
    """
    patient = queries.lock_patient(session, patient_id)
    request = session.get(CommunicationRequest, request_id) if request_id else None
    if request_id is not None and (request is None or request.patient_id != patient.id):
        raise NotFound("This page belongs to a text that is no longer there.")
    given = tuple((question, text.strip()) for question, text in answers if text.strip())
    form = _Form(request_id, given, comment.strip())
    lines = [f"{question.value}: {text}" for question, text in given]
    heard = Communication(
        organization_id=patient.organization_id,
        direction=Direction.IN,
        status=CommunicationStatus.IN_PROGRESS,
        channel=Channel.WEB,
        patient_id=patient.id,
        provider="web",
        body=storable("\n".join([*lines, form.comment]).strip()),
        raw=form.as_bytes(),
        received_at=now,
        created_at=now,
    )
    session.add(heard)
    session.flush()
    return heard.id


def comment_of(heard: Communication) -> str:
    """Return the free words that a page sent."""
    return _Form.of(heard).comment


def hear(hearing: Hearing) -> Processed:
    """Understand what a page sent; a second sending of the same page amends the first."""
    heard = hearing.communication
    patient = queries.lock_patient(hearing.session, cast(UUID, heard.patient_id))
    hearing.about(patient)
    form = _Form.of(heard)
    request = hearing.session.get(CommunicationRequest, form.request_id) if form.request_id else None
    understood = [_one(hearing, request, question, text) for question, text in form.answers]
    said = None
    if form.comment:
        hearing.asked = None
        said = understand(hearing, text=form.comment)
        understood.append(said)
        if is_stop(said.keyword):
            end_texts(hearing, patient, request)
    return _sum_up(hearing, patient, understood, said)


def is_stop(keyword: Keyword) -> bool:
    """Tell whether words can mean nothing but an end of all texts."""
    return keyword.kind is KeywordKind.STOP and keyword.clear


def end_texts(hearing: Hearing, patient: Patient, request: CommunicationRequest | None = None) -> None:
    """Take a STOP that was written on a page, for all who answer at the patient's address, as if texted."""
    session, organization = hearing.session, hearing.organization
    contacts = consents.contacts_of(session, organization.id, patient.id)
    roads = [(one.system, one.value) for one in contacts]
    nowhere = (Channel.WEB, "")  # a patient whose numbers have all ended: the wish counts all the same
    channel, address = (request.channel, request.address) if request else next(iter(roads), nowhere)
    before = consents.open_suppression(session, organization.id, channel, address)
    sharers = [one for one, _ in queries.patients_at(session, organization.id, channel, address)]
    people = [*(one for one in sharers if one.id != patient.id), patient]
    consent.opt_out(
        session, organization.id, channel=channel, address=address, patients=people,
        communication_id=hearing.communication.id, knowledge=hearing.knowledge, now=hearing.now,
    )  # fmt: skip
    for one in people:
        alerts.refresh_reach(session, one)
    if channel in _STOPPED and (before is None or before.reason is not SuppressionReason.OPTED_OUT):
        planning.reply(
            session, organization=organization, patient=patient, channel=channel, address=address,
            language=patient.language, message_key=_STOPPED[channel], in_reply_to=hearing.communication,
            now=hearing.now,
        )  # fmt: skip
        hearing.lanes.add(Lane.STAT)


def _one(hearing: Hearing, request: CommunicationRequest | None, question: Question, text: str) -> Understood:
    hearing.asked = queries.Asked(request, question, hearing.now) if request else None
    understood = understand(hearing, text=text, question=question)
    recording.keep(hearing, understood.answer)
    return understood


def _sum_up(
    hearing: Hearing, patient: Patient, understood: Sequence[Understood], said: Understood | None
) -> Processed:
    flags = list(dict.fromkeys(flag for one in understood for flag in one.flags))
    score = _withdrawal(hearing, understood)
    # No page acts on HELP or START: a person does.
    asked_of_us = said is not None and said.keyword.kind in (KeywordKind.HELP, KeywordKind.START)
    least = Tier.ROUTINE if asked_of_us else Tier.NONE
    tier = worst(least, score[0], *(one.tier for one in understood))
    flags += [flag for flag in score[1] if flag not in flags]
    note_all(hearing, understood, tier, flags)
    alert = keyword_acts.alert_for(hearing, patient, tier, flags) if tier is not Tier.NONE else None
    for one in understood:
        recording.hold_if_needed(hearing, one.tier, one.answer)
    done = hearing.done("web_answers", tier, alert.id if alert else None)
    return replace(done, message_key=_shown(hearing, tier, understood))


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
