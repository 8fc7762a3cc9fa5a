"""End what was not sent in its time: dropped, moved once within its rules, or asked about; never late."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from followup.clinical import timing
from followup.core.vocabulary import Audience, CatchUp, RequestOrigin, RequestStatus
from followup.services import alerts
from followup.services.knowledge import Knowledge
from followup.store.models import CommunicationRequest, Patient
from followup.store.queries import outbound
from followup.store.session import Sessions

PER_DAY = 2  #: most scheduled texts of one local day; the cap of planning
LATEST = timedelta(hours=24)  #: a safety text that missed its window is still worth sending within this
_BATCH = 200
#: Gates that say nothing against the text itself: it was good, and its time passed.
_STILL_WANTED = frozenset({"window", "paused", "emergency", "auto_hold"})
#: Not of the six weeks: a person or an emergency asked for it, and nobody else notices that it is missing.
_SOMEBODY_MEANT_IT = frozenset({RequestOrigin.INVITATION, RequestOrigin.SAFETY, RequestOrigin.STAFF})


@dataclass(frozen=True)
class ExpiryReport:
    """How many requests ended unsent, were moved to the next hour that is allowed, or wait for staff."""

    expired: int
    moved: int
    asked: int


def expire(sessions: Sessions, *, knowledge: Knowledge, now: datetime) -> ExpiryReport:
    """End every request, of any clinic, whose window has passed; the row says which gate kept it back.

    A text marked send_late moves once to the next hour that texts may go, if that is within 24 hours and its
    day has room; else, and for ask_staff, a person is asked. One transaction a batch.
    """
    expired = moved = asked = 0
    while ends := _expire_batch(sessions, knowledge, now):
        expired += ends.count("expired")
        moved += ends.count("moved")
        asked += ends.count("asked")
    return ExpiryReport(expired + asked, moved, asked)


def _expire_batch(sessions: Sessions, knowledge: Knowledge, now: datetime) -> list[str]:
    with sessions.begin() as session:
        late = outbound.expired(session, now=now, limit=_BATCH)
        return [_end(session, request, why, knowledge, now) for request, why in late]


def _end(
    session: Session, request: CommunicationRequest, why: str, knowledge: Knowledge, now: datetime
) -> str:
    if request.status is RequestStatus.ON_HOLD:
        why = request.ended_reason or "hold"
    patient = session.get(Patient, request.patient_id) if request.patient_id else None
    if patient is not None and request.catch_up is CatchUp.SEND_LATE and why in _STILL_WANTED:
        if _moved(session, request, patient, now):
            return "moved"
        return _ask(session, request, patient, why, knowledge, now)
    if patient is not None and request.catch_up is CatchUp.ASK_STAFF and why != "condition":
        return _ask(session, request, patient, why, knowledge, now)
    if patient is not None and why in _STILL_WANTED and request.origin in _SOMEBODY_MEANT_IT:
        return _ask(session, request, patient, why, knowledge, now)
    _expire(request, why)
    return "expired"


def _expire(request: CommunicationRequest, why: str) -> None:
    request.status, request.ended_reason = RequestStatus.EXPIRED, why


def _ask(
    session: Session,
    request: CommunicationRequest,
    patient: Patient,
    why: str,
    knowledge: Knowledge,
    now: datetime,
) -> str:
    _expire(request, why)
    task = "text_not_sent" if request.origin in _SOMEBODY_MEANT_IT else "safety_text_missed"
    task = "taper_step_missed" if request.taper_step_id else task
    alerts.open_task(
        session, request.organization_id, task=task, patient=patient, now=now, knowledge=knowledge
    )
    return "asked"


def _moved(session: Session, request: CommunicationRequest, patient: Patient, now: datetime) -> bool:
    """Move the request to the next hour that texts may go; False when too late, or the day is full."""
    if request.audience is not Audience.PATIENT:
        return False
    opens = timing.next_opening(now, patient.time_zone)
    on = timing.local_date(opens, patient.time_zone)
    start, closes = timing.open_window(on, patient.time_zone)
    if opens - request.expires_at > LATEST:
        return False
    session.flush()
    if outbound.scheduled_between(session, patient.id, start, closes, but=request.id) >= PER_DAY:
        return False
    length = request.expires_at - request.due_at
    request.status = RequestStatus.ACTIVE
    request.due_at = request.next_attempt_at = opens
    request.expires_at = min(opens + length, closes)
    request.catch_up = CatchUp.ASK_STAFF  # it moves once
    return True
