"""The road out, across all clinics: the worker's claim with its gates, leases, expiry and lateness.

The gates stand here once: the claim asks that all are open, the expiry asks which one was shut.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Engine,
    Integer,
    Select,
    Update,
    bindparam,
    case,
    func,
    select,
    update,
)
from sqlalchemy.orm import Session

from followup.core.vocabulary import (
    Audience,
    Channel,
    CommunicationStatus,
    Direction,
    Lane,
    Language,
    Question,
    RequestOrigin,
    RequestStatus,
)
from followup.store.models import (
    Communication,
    Organization,
    SenderNumber,
)
from followup.store.models import CommunicationRequest as Request
from followup.store.queries.gates import equals, shut
from followup.store.session import autocommitted

_WAITING = (RequestStatus.ACTIVE, RequestStatus.ON_HOLD)


@dataclass(frozen=True, slots=True)
class Claimed:
    """One request as its drain took it: everything that rendering and recording need."""

    id: UUID
    organization_id: UUID
    patient_id: UUID | None
    staff_id: UUID | None
    alert_id: UUID | None
    audience: Audience
    origin: RequestOrigin
    channel: Channel
    address: str
    language: Language
    message_key: str
    body: str | None
    fields: dict[str, Any]
    asks: Question | None
    due_at: datetime
    expires_at: datetime
    attempt: int


@cache
def claim(lane: Lane) -> Update:
    """Return the statement that takes due and allowed requests of one lane, of all clinics.

    Its parameters are `at_now`, `most` and `until`. The gates live here, so that a STOP committed before the
    claim is honoured. Built once: building costs more than an idle claim.
    """
    now = bindparam("at_now", type_=Request.expires_at.type)
    due = (
        select(Request.id)
        .where(
            equals(Request.lane, lane),
            equals(Request.status, RequestStatus.ACTIVE),
            Request.next_attempt_at <= now,
            Request.expires_at > now,
            *(~shut for shut in shut().values()),
        )
        .order_by(Request.next_attempt_at, Request.id)
        .limit(bindparam("most", type_=Integer()))
        .with_for_update(of=Request, skip_locked=True)
    )
    picked = due.cte("picked").prefix_with("MATERIALIZED")
    until = bindparam("until", type_=Request.lease_until.type)
    return (
        update(Request)
        .where(Request.id.in_(select(picked.c.id)))
        .values(status=RequestStatus.IN_PROGRESS, lease_until=until, attempt=Request.attempt + 1)
        .returning(*(getattr(Request, name) for name in Claimed.__dataclass_fields__))
    )


@cache
def _still_allowed() -> Select[tuple[int]]:
    return select(1).where(Request.id == bindparam("request"), *(~shut for shut in shut().values()))


def still_allowed(engine: Engine, request_id: UUID) -> bool:
    """Tell whether every gate is still open for a request that was claimed a while ago; takes no lock."""
    with engine.connect().execution_options(reads_only=True) as connection:
        return connection.scalar(_still_allowed(), {"request": request_id}) is not None


def take(engine: Engine, lane: Lane, *, now: datetime, limit: int, lease_until: datetime) -> list[Claimed]:
    """Run the claim in a transaction of its own; return up to `limit` requests in the order they were due."""
    rows = autocommitted(engine, claim(lane), {"at_now": now, "most": limit, "until": lease_until})
    return sorted((Claimed(**row._mapping) for row in rows), key=lambda one: (one.due_at, one.id))


def expired(session: Session, *, now: datetime, limit: int) -> list[tuple[Request, str]]:
    """Lock requests of all clinics whose window has passed unsent, each with the gate that keeps it back.

    The gate is named as it stands now; "window" when every one is open.
    """
    why = case(*((shut, name) for name, shut in shut().items()), else_="window")
    found = (
        select(Request, why)
        .where(
            Request.status.in_(bindparam("waiting", _WAITING, expanding=True, literal_execute=True)),
            Request.expires_at <= now,
        )
        .order_by(Request.expires_at)
        .limit(limit)
        .with_for_update(of=Request, skip_locked=True)
    )
    return [(request, gate) for request, gate in session.execute(found)]


def lease_ran_out(session: Session, *, now: datetime, limit: int) -> Sequence[Request]:
    """Lock claimed requests of all clinics whose drain did not report in time."""
    found = (
        select(Request)
        .where(equals(Request.status, RequestStatus.IN_PROGRESS), Request.lease_until <= now)
        .order_by(Request.lease_until)
        .limit(limit)
        .with_for_update(of=Request, skip_locked=True)
    )
    return session.scalars(found).all()


def attempts(session: Session, request_ids: Sequence[UUID]) -> dict[tuple[UUID, int], Communication]:
    """Return the outbound communications of these requests, by request and attempt; of all clinics."""
    found = select(Communication).where(Communication.request_id.in_(request_ids))
    return {
        (one.request_id, one.attempt): one
        for one in session.scalars(found)
        if one.request_id is not None and one.attempt is not None
    }


def clinics(session: Session, organization_ids: Sequence[UUID]) -> list[tuple[Organization, str | None]]:
    """Return clinics, each with the number that it sends from (None when it has none)."""
    number = (
        select(func.min(SenderNumber.e164))
        .where(SenderNumber.organization_id == Organization.id, SenderNumber.is_active.is_(True))
        .scalar_subquery()
    )
    found = select(Organization, number).where(Organization.id.in_(organization_ids))
    return [(organization, sender) for organization, sender in session.execute(found)]


def scheduled_between(
    session: Session, patient_id: UUID, start: datetime, end: datetime, *, but: UUID
) -> int:
    """Count a patient's planned texts, `but` apart, that are due in [start, end) and went, or still may."""
    alive = (RequestStatus.ACTIVE, RequestStatus.IN_PROGRESS, RequestStatus.COMPLETED)
    found = select(func.count()).where(
        Request.patient_id == patient_id,
        Request.id != but,
        Request.origin == RequestOrigin.PLANNED,
        Request.status.in_(alive),
        Request.due_at >= start,
        Request.due_at < end,
    )
    return session.scalar(found) or 0


@dataclass(frozen=True, slots=True)
class Lateness:
    """How the road out stands, in all clinics: what waits beyond its time, and what nobody can vouch for."""

    overdue: int  #: Allowed, due before the given instant, and not taken.
    oldest_due_at: datetime | None
    unknown: int


def lateness(session: Session, *, due_before: datetime, now: datetime) -> Lateness:
    """Count requests of all clinics that could have gone before `due_before`, and unknown attempts."""
    late = select(func.count(), func.min(Request.next_attempt_at)).where(
        equals(Request.status, RequestStatus.ACTIVE),
        Request.next_attempt_at <= due_before,
        Request.expires_at > now,
        *(~shut for shut in shut().values()),
    )
    overdue, oldest = session.execute(late).one()
    unknown = select(func.count()).where(
        equals(Communication.status, CommunicationStatus.UNKNOWN), Communication.direction == Direction.OUT
    )
    return Lateness(overdue, oldest, session.scalar(unknown) or 0)
