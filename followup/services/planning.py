"""Turn schedules and answers into rows.

CommunicationRequests, each with its window, its expiry and its conditions.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from followup.clinical import timing
from followup.core.ids import new_id
from followup.core.vocabulary import (
    Audience,
    CatchUp,
    Channel,
    ConsentStatus,
    Fact,
    Lane,
    Language,
    Priority,
    Question,
    RequestOrigin,
    RequestStatus,
    TaperStatus,
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

REPLY_MINUTES = (
    10  #: reference 9.5 [J]: a reply may go at any hour within 10 minutes of the person's own text
)
SAFETY_HOURS = 24  #: a safety reply is worth sending late rather than never
_WENT = (RequestStatus.IN_PROGRESS, RequestStatus.COMPLETED)


def apply(session: Session, care_plan: CarePlan, *, knowledge: Knowledge, now: datetime) -> int:
    """Write what the patient's schedule holds from `now` on and take back what it no longer holds; return rows added.

    Safe to call again at any time: the natural key (care plan, version, action, occurrence) keeps every
    text single, and a text that already went is never planned a second time.
    """
    consent = _consent(session, care_plan)
    if consent is None:
        return 0
    patient = session.get_one(Patient, care_plan.patient_id)
    taper = running_taper(session, care_plan)
    rows = _planned_rows(session, care_plan)
    terms = _terms(session, care_plan, patient, consent.channel, taper, rows, now)
    schedule = lay_out(
        knowledge.protocols[care_plan.protocol_name], terms, catalog=knowledge.catalog, now=now
    )
    return _reconcile(
        session, care_plan, patient, consent, schedule, rows, _step_ids(session, taper), now=now
    )


def running_taper(session: Session, care_plan: CarePlan) -> TaperPlan | None:
    """Return the approved version of the taper; None for a draft, a held or an ended one."""
    found = select(TaperPlan).where(
        TaperPlan.care_plan_id == care_plan.id, TaperPlan.status == TaperStatus.APPROVED
    )
    return session.scalars(found).one_or_none()


def _consent(session: Session, care_plan: CarePlan) -> Consent | None:
    found = select(Consent).where(
        Consent.patient_id == care_plan.patient_id, Consent.status == ConsentStatus.ACTIVE
    )
    return min(session.scalars(found), key=lambda one: one.channel is not Channel.SMS, default=None)


def _planned_rows(session: Session, care_plan: CarePlan) -> list[CommunicationRequest]:
    found = select(CommunicationRequest).where(
        CommunicationRequest.care_plan_id == care_plan.id,
        CommunicationRequest.origin == RequestOrigin.PLANNED,
        CommunicationRequest.status != RequestStatus.REVOKED,
    )
    return list(session.scalars(found))


def _terms(
    session: Session,
    care_plan: CarePlan,
    patient: Patient,
    channel: Channel,
    taper: TaperPlan | None,
    rows: Sequence[CommunicationRequest],
    now: datetime,
) -> Terms:
    steps = _steps(session, taper)
    went = Counter(timing.local_date(row.due_at, patient.time_zone) for row in rows if row.status in _WENT)
    told = any(row.message_key == "taper_start" and row.status in _WENT for row in rows)
    return Terms(
        course=care_plan.course,
        discharge_on=care_plan.discharge_on,
        time_zone=patient.time_zone,
        language=patient.language,
        channel=channel,
        support=care_plan.has(Fact.SUPPORT_ON),
        hide_numbers=care_plan.hide_numbers,
        steps=tuple(LevelStep(step.starts_on, step.max_units) for step in steps),
        taper_version=taper.version if taper else None,
        announce_taper=taper is not None and not told,
        occupied=went,
    )


def _steps(session: Session, taper: TaperPlan | None) -> Sequence[TaperStep]:
    if taper is None:
        return ()
    found = select(TaperStep).where(TaperStep.taper_plan_id == taper.id).order_by(TaperStep.sequence)
    return session.scalars(found).all()


def _step_ids(session: Session, taper: TaperPlan | None) -> list[UUID]:
    return [step.id for step in _steps(session, taper)]


def _reconcile(
    session: Session,
    care_plan: CarePlan,
    patient: Patient,
    consent: Consent,
    schedule: Schedule,
    rows: Sequence[CommunicationRequest],
    step_ids: Sequence[UUID],
    *,
    now: datetime,
) -> int:
    wanted = {(text.action_id, text.occurrence): text for text in schedule.texts}
    for row in rows:
        text = wanted.get((row.action_id or "", row.occurrence))
        if row.status is not RequestStatus.ACTIVE:
            wanted.pop((row.action_id or "", row.occurrence), None)
        elif text is not None and _same(row, text, consent):
            del wanted[text.action_id, text.occurrence]
        elif row.expires_at > now:
            row.status, row.ended_reason = RequestStatus.REVOKED, "replanned"
    session.flush()  # the partial unique key counts only rows that are not revoked
    added = [_row(text, care_plan, patient, consent, step_ids, now) for text in wanted.values()]
    if added:
        session.execute(insert(CommunicationRequest), added)
    return len(added)


def _same(row: CommunicationRequest, text: PlannedText, consent: Consent) -> bool:
    return (
        row.due_at == text.window.due_at
        and row.message_keys == list(text.message_keys)
        and row.requires == int(text.requires)
        and row.fields == dict(text.fields)
        and row.address == consent.address
    )


def _row(
    text: PlannedText,
    care_plan: CarePlan,
    patient: Patient,
    consent: Consent,
    step_ids: Sequence[UUID],
    now: datetime,
) -> dict[str, Any]:
    return {
        "id": new_id(),
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
        "message_key": text.message_key,
        "message_keys": list(text.message_keys),
        "fields": dict(text.fields),
        "asks": text.asks,
        "requires": int(text.requires),
        "is_safety": text.is_safety,
        "catch_up": text.catch_up,
        "action_id": text.action_id,
        "occurrence": text.occurrence,
        "plan_version": care_plan.plan_version,
        "taper_step_id": None if text.step_index is None else step_ids[text.step_index],
        "due_at": text.window.due_at,
        "expires_at": text.window.expires_at,
        "next_attempt_at": text.window.due_at,
        "attempt": 0,
    }


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
    body: str | None = None,
) -> CommunicationRequest | None:
    """Write the direct answer to a person's own text; None if this text already has that answer.

    It may go at any hour, but within 10 minutes of the person's text (safety answers: 24 hours).
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
        expires_at=asked_at + timedelta(hours=hours),
        next_attempt_at=due_at or now,
    )
    session.add(request)
    session.flush()
    return request


def revoke_active(session: Session, care_plan: CarePlan, *, reason: str, taper_only: bool = False) -> int:
    """Take back what is planned and has not been claimed; return how many rows."""
    rows = [row for row in _planned_rows(session, care_plan) if row.status is RequestStatus.ACTIVE]
    doomed = [row for row in rows if row.taper_step_id is not None or not taper_only]
    for row in doomed:
        row.status, row.ended_reason = RequestStatus.REVOKED, reason
    return len(doomed)


def day_of_course(care_plan: CarePlan, patient: Patient, now: datetime) -> int:
    """Return the patient's day: 0 on the day of discharge, by the patient's own calendar."""
    return (timing.local_date(now, patient.time_zone) - care_plan.discharge_on).days


def last_day(discharge_on: date) -> date:
    """Return the last day of the six weeks."""
    return discharge_on + timedelta(days=42)
