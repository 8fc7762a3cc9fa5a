"""Turn schedules and answers into rows.

CommunicationRequests, each with its window, its expiry and its conditions.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from followup.clinical import timing
from followup.core.vocabulary import (
    Audience,
    CatchUp,
    Channel,
    Fact,
    Lane,
    Language,
    Priority,
    Question,
    RequestOrigin,
    RequestStatus,
)
from followup.services.knowledge import Knowledge
from followup.services.schedule import LevelStep, PlannedText, Schedule, Terms, lay_out
from followup.store.models import (
    CarePlan,
    Communication,
    CommunicationRequest,
    Consent,
    Organization,
    Patient,
    TaperPlan,
    TaperStep,
)
from followup.store.queries import batch
from followup.store.queries import plans as queries

REPLY_MINUTES = (
    10  #: reference 9.5 [J]: a reply may go at any hour within 10 minutes of the person's own text
)
SAFETY_HOURS = 24  #: a safety reply is worth sending late rather than never
PAUSE_NOTICES = ("auto_pause", "taper_held")  #: texts that say that a taper is on hold; no plan holds them
_WENT = (RequestStatus.IN_PROGRESS, RequestStatus.COMPLETED)


def apply(session: Session, care_plan: CarePlan, *, knowledge: Knowledge, now: datetime) -> int:
    """Write what the schedule holds from `now` on, take back what it no longer holds; return rows added.

    Safe to call again at any time: the natural key (care plan, version, action, occurrence) keeps every
    text single, and a text that already went is never planned a second time.
    """
    return apply_many(session, [care_plan], knowledge=knowledge, now=now)


def apply_many(
    session: Session, care_plans: Sequence[CarePlan], *, knowledge: Knowledge, now: datetime
) -> int:
    """Do `apply` for many plans with one read of each table and one insert; return rows added."""
    book = _Book.read(session, [plan.id for plan in care_plans], [plan.patient_id for plan in care_plans])
    wanted = [
        (care_plan, consent, _schedule(care_plan, consent.channel, book, knowledge, now))
        for care_plan in care_plans
        if (consent := book.consents.get(care_plan.patient_id)) is not None
    ]
    changes = [
        (care_plan, consent, _change(care_plan, consent, schedule, book, now))
        for care_plan, consent, schedule in wanted
    ]
    doomed = [row.id for _, _, change in changes for row in change.doomed]
    gone = queries.revoke(
        session, doomed, "replanned"
    )  # the unique key counts only rows that are not revoked
    groups = [
        (
            _shared(care_plan, book.patients[care_plan.patient_id], consent, now),
            [_own(text, book.steps[care_plan.id]) for text in change.texts(gone)],
        )
        for care_plan, consent, change in changes
    ]
    batch.insert_many(session, CommunicationRequest, groups)
    return sum(len(rows) for _, rows in groups)


@dataclass(frozen=True)
class _Book:
    """What planning must know of some plans, by their ids."""

    patients: Mapping[UUID, Patient]
    consents: Mapping[UUID, Consent]  #: By patient: the channel that texts go by.
    tapers: Mapping[UUID, TaperPlan]  #: By care plan: the approved version, where one runs.
    steps: Mapping[UUID, list[TaperStep]]
    rows: Mapping[UUID, list[CommunicationRequest]]

    @classmethod
    def read(cls, session: Session, plan_ids: Sequence[UUID], patient_ids: Sequence[UUID]) -> "_Book":
        tapers = {one.care_plan_id: one for one in queries.running_tapers(session, plan_ids)}
        plan_of = {one.id: one.care_plan_id for one in tapers.values()}
        steps: dict[UUID, list[TaperStep]] = defaultdict(list)
        for step in queries.steps_of_many(session, list(plan_of)):
            steps[plan_of[step.taper_plan_id]].append(step)
        rows: dict[UUID, list[CommunicationRequest]] = defaultdict(list)
        for row in queries.planned_rows(session, plan_ids):
            rows[cast(UUID, row.care_plan_id)].append(row)
        # Where a person said yes on both channels, texts win: the later one in this order stays.
        consents = sorted(
            queries.active_consents(session, patient_ids), key=lambda one: one.channel is Channel.SMS
        )
        return cls(
            {one.id: one for one in queries.patients_by_id(session, patient_ids)},
            {one.patient_id: one for one in consents},
            tapers,
            steps,
            rows,
        )


def _schedule(
    care_plan: CarePlan, channel: Channel, book: _Book, knowledge: Knowledge, now: datetime
) -> Schedule:
    patient, taper = book.patients[care_plan.patient_id], book.tapers.get(care_plan.id)
    rows = book.rows[care_plan.id]
    went = [row for row in rows if row.status in _WENT]
    terms = Terms(
        course=care_plan.course,
        discharge_on=care_plan.discharge_on,
        time_zone=patient.time_zone,
        language=patient.language,
        channel=channel,
        support=care_plan.has(Fact.SUPPORT_ON),
        hide_numbers=care_plan.hide_numbers,
        steps=tuple(LevelStep(step.starts_on, step.max_units) for step in book.steps[care_plan.id]),
        taper_version=taper.version if taper else None,
        announce_taper=taper is not None and all(row.message_key != "taper_start" for row in went),
        occupied=Counter(timing.local_date(row.due_at, patient.time_zone) for row in went),
        done=frozenset(_key(row) for row in rows if row.status is not RequestStatus.ACTIVE),
    )
    return lay_out(knowledge.protocols[care_plan.protocol_name], terms, catalog=knowledge.catalog, now=now)


@dataclass(frozen=True)
class _Change:
    """The texts that no row holds yet, and the rows that the schedule no longer holds."""

    wanted: Mapping[tuple[str, str], PlannedText]
    doomed: Sequence[CommunicationRequest]

    def texts(self, gone: AbstractSet[UUID]) -> list[PlannedText]:
        """Return what to write; a row that a drain has claimed meanwhile is on its way: not said twice."""
        on_its_way = {_key(row) for row in self.doomed if row.id not in gone}
        return [text for key, text in self.wanted.items() if key not in on_its_way]


def _change(care_plan: CarePlan, consent: Consent, schedule: Schedule, book: _Book, now: datetime) -> _Change:
    patient, doomed = book.patients[care_plan.patient_id], []
    wanted = {text.key: text for text in schedule.texts}
    for row in book.rows[care_plan.id]:
        text = wanted.get(_key(row))
        if row.status is not RequestStatus.ACTIVE or _still_true(row, care_plan, book):
            continue
        if text is not None and _same(row, text, patient, consent):
            del wanted[text.key]
        elif text is not None or row.expires_at > now:
            doomed.append(row)
    return _Change(wanted, doomed)


def _still_true(row: CommunicationRequest, care_plan: CarePlan, book: _Book) -> bool:
    """Tell whether the row says that a taper is on hold, and none has been approved since."""
    return row.action_id in PAUSE_NOTICES and care_plan.id not in book.tapers


def _key(row: CommunicationRequest) -> tuple[str, str]:
    return row.action_id or "", row.occurrence


def running_taper(session: Session, care_plan: CarePlan) -> TaperPlan | None:
    """Return the approved version of the taper; None for a draft, a held or an ended one."""
    return next(iter(queries.running_tapers(session, [care_plan.id])), None)


def _same(row: CommunicationRequest, text: PlannedText, patient: Patient, consent: Consent) -> bool:
    return (
        row.due_at == text.window.due_at
        and row.message_keys == list(text.message_keys)
        and row.requires == int(text.requires)
        and row.fields == dict(text.fields)
        and row.address == consent.address
        and row.language is patient.language
    )


def _shared(care_plan: CarePlan, patient: Patient, consent: Consent, now: datetime) -> dict[str, Any]:
    """Return the columns that are the same in every text of a plan."""
    return {
        "created_at": now,
        "organization_id": care_plan.organization_id,
        "status": RequestStatus.ACTIVE,
        "audience": Audience.PATIENT,
        "origin": RequestOrigin.PLANNED,
        "lane": Lane.ROUTINE,
        "priority": Priority.ROUTINE,
        "patient_id": patient.id,
        "care_plan_id": care_plan.id,
        "channel": consent.channel,
        "address": consent.address,
        "language": patient.language,
        "plan_version": care_plan.plan_version,
        "attempt": 0,
    }


def _own(text: PlannedText, steps: Sequence[TaperStep]) -> Mapping[str, Any]:
    """Return the columns of one text; patients with the same calendar share the mapping."""
    if text.step_index is None:
        return text.columns
    return {**text.columns, "taper_step_id": steps[text.step_index].id}


def reply(
    session: Session,
    *,
    organization: Organization,
    patient: Patient | None,
    channel: Channel,
    address: str,
    language: Language,
    message_key: str,
    in_reply_to: Communication,
    origin: RequestOrigin = RequestOrigin.REPLY,
    now: datetime,
    fields: Mapping[str, str] | None = None,
    asks: Question | None = None,
    message_keys: Sequence[str] | None = None,
    lane: Lane = Lane.STAT,
    care_plan: CarePlan | None = None,
    due_at: datetime | None = None,
    expires_at: datetime | None = None,
    body: str | None = None,
) -> CommunicationRequest | None:
    """Write the direct answer to a person's own text; None if this text already has that answer.

    It may go at any hour, but within 10 minutes of the person's text (safety answers: 24 hours), unless
    `expires_at` says otherwise.
    """
    answered = select(CommunicationRequest.id).where(
        CommunicationRequest.in_reply_to_id == in_reply_to.id,
        CommunicationRequest.message_key == message_key,
        CommunicationRequest.channel == channel,
    )
    if session.scalar(answered) is not None:
        return None
    asked_at = in_reply_to.received_at or now
    hours = SAFETY_HOURS if origin is RequestOrigin.SAFETY else REPLY_MINUTES / 60
    request = CommunicationRequest(
        created_at=now,
        organization_id=organization.id,
        audience=Audience.PATIENT if patient else Audience.UNKNOWN_SENDER,
        origin=origin,
        lane=lane,
        priority=Priority.STAT if origin is RequestOrigin.SAFETY else Priority.ASAP,
        patient_id=patient.id if patient else None,
        care_plan_id=care_plan.id if care_plan else None,
        channel=channel,
        address=address,
        language=language,
        message_key=message_key,
        message_keys=list(message_keys or [message_key]),
        body=body,
        fields=dict(fields or {}),
        asks=asks,
        is_safety=origin is RequestOrigin.SAFETY,
        catch_up=CatchUp.SKIP,
        in_reply_to_id=in_reply_to.id,
        due_at=due_at or now,
        expires_at=expires_at or asked_at + timedelta(hours=hours),
        next_attempt_at=due_at or now,
    )
    session.add(request)
    session.flush()
    return request


def revoke_active(session: Session, care_plan: CarePlan, *, reason: str, taper_only: bool = False) -> int:
    """Take back what is planned and has not been claimed; return how many rows."""
    planned = queries.planned_rows(session, [care_plan.id])
    rows = [row for row in planned if row.status is RequestStatus.ACTIVE]
    doomed = [row.id for row in rows if row.taper_step_id is not None or not taper_only]
    return len(queries.revoke(session, doomed, reason))


def day_of_course(care_plan: CarePlan, patient: Patient, now: datetime) -> int:
    """Return the patient's day: 0 on the day of discharge, by the patient's own calendar."""
    return (timing.local_date(now, patient.time_zone) - care_plan.discharge_on).days
