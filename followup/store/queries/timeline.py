"""One patient's story in order: what was said, what became of it, what was raised, what comes next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from followup.core.vocabulary import (
    AlertEventKind,
    AlertKind,
    AlertOutcome,
    AlertStatus,
    Audience,
    Channel,
    CommunicationStatus,
    Delivery,
    Direction,
    RequestOrigin,
    RequestStatus,
    Tier,
)
from followup.store.models import Alert, AlertEvent, Communication, CommunicationRequest, StaffUser

LONGEST = 200  #: Most bubbles of one page; older ones are behind a link.
NEXT_TEXTS = 6


@dataclass(frozen=True)
class Said:
    """One bubble: an attempt to say something, or words that came in."""

    id: UUID
    direction: Direction
    status: CommunicationStatus
    channel: Channel
    body: str
    media_count: int
    at: datetime
    delivery: Delivery | None
    error_code: str | None
    reason: str | None
    segments: int | None
    tier: Tier | None
    flags: tuple[str, ...]
    evidence: tuple[Mapping[str, Any], ...]
    handling: str | None
    origin: RequestOrigin | None
    request_status: RequestStatus | None
    author: str | None


@dataclass(frozen=True)
class Happened:
    """One thing that happened to an alert of the patient."""

    alert_public_id: str
    code: str
    kind: AlertKind
    task: str
    tier: Tier
    alert_status: AlertStatus
    outcome: AlertOutcome | None
    note: str | None
    event: AlertEventKind
    at: datetime
    who: str | None
    detail: Mapping[str, Any]


@dataclass(frozen=True)
class Intended:
    """A text that is still to go, waits, or whose time passed unsent."""

    id: UUID
    status: RequestStatus
    origin: RequestOrigin
    channel: Channel
    message_key: str
    body: str | None
    due_at: datetime
    expires_at: datetime
    ended_reason: str | None
    occurrence: str
    requires: int


@dataclass(frozen=True)
class Paged:
    """One page about an alert, and what became of it."""

    staff: str
    channel: Channel
    request_status: RequestStatus
    at: datetime
    status: CommunicationStatus | None
    delivery: Delivery | None
    error_code: str | None
    reason: str | None


def said(
    session: Session,
    organization_id: UUID,
    patient_id: UUID,
    *,
    before: datetime | None = None,
    size: int = LONGEST,
) -> tuple[Said, ...]:
    """Return a patient's bubbles, oldest first: the newest `size`, or the `size` before an instant."""
    at = _at()
    query = (
        select(
            Communication.id,
            Communication.direction,
            Communication.status,
            Communication.channel,
            Communication.body,
            Communication.media_count,
            at,
            Communication.delivery,
            Communication.error_code,
            Communication.reason,
            Communication.segments,
            Communication.tier,
            Communication.flags,
            Communication.evidence,
            Communication.handling,
            CommunicationRequest.origin,
            CommunicationRequest.status,
            StaffUser.display_name,
        )
        .outerjoin(CommunicationRequest, CommunicationRequest.id == Communication.request_id)
        .outerjoin(
            StaffUser,
            and_(
                StaffUser.id == CommunicationRequest.staff_id,
                CommunicationRequest.origin == RequestOrigin.STAFF,
            ),
        )
        .where(
            Communication.organization_id == organization_id,
            Communication.patient_id == patient_id,
            or_(CommunicationRequest.audience.is_(None), CommunicationRequest.audience == Audience.PATIENT),
        )
    )
    if before is not None:
        query = query.where(at < before)
    rows = session.execute(query.order_by(at.desc(), Communication.id.desc()).limit(size)).all()
    return tuple(_said(row) for row in reversed(rows))


def _at() -> ColumnElement[datetime]:
    return func.coalesce(Communication.received_at, Communication.sent_at, Communication.created_at)


def _said(row: Any) -> Said:
    cells = list(row)
    cells[12], cells[13] = tuple(cells[12] or ()), tuple(cells[13] or ())
    return Said(*cells)


def happened(session: Session, organization_id: UUID, patient_id: UUID) -> tuple[Happened, ...]:
    """Return what happened to a patient's alerts, oldest first."""
    rows = session.execute(_events(organization_id).where(Alert.patient_id == patient_id))
    return tuple(Happened(*row) for row in rows)


def history(session: Session, organization_id: UUID, alert_id: UUID) -> tuple[Happened, ...]:
    """Return what happened to one alert, oldest first."""
    rows = session.execute(_events(organization_id).where(Alert.id == alert_id))
    return tuple(Happened(*row) for row in rows)


def _events(organization_id: UUID) -> Any:
    return (
        select(
            Alert.public_id,
            Alert.code,
            Alert.kind,
            Alert.task,
            Alert.tier,
            Alert.status,
            Alert.outcome,
            Alert.note,
            AlertEvent.kind,
            AlertEvent.created_at,
            StaffUser.display_name,
            AlertEvent.detail,
        )
        .join(Alert, Alert.id == AlertEvent.alert_id)
        .outerjoin(StaffUser, StaffUser.id == AlertEvent.staff_id)
        .where(AlertEvent.organization_id == organization_id, Alert.organization_id == organization_id)
        .order_by(AlertEvent.created_at, AlertEvent.id)
    )


def next_texts(
    session: Session, organization_id: UUID, patient_id: UUID, *, size: int = NEXT_TEXTS
) -> Sequence[Intended]:
    """Return the texts that are still to go, the soonest first; held ones among them."""
    open_ = (RequestStatus.ACTIVE, RequestStatus.ON_HOLD)
    query = _requests(organization_id, patient_id).where(CommunicationRequest.status.in_(open_))
    rows = session.execute(query.order_by(CommunicationRequest.due_at, CommunicationRequest.id).limit(size))
    return [Intended(*row) for row in rows]


def not_sent(
    session: Session, organization_id: UUID, patient_id: UUID, *, size: int = LONGEST
) -> Sequence[Intended]:
    """Return the texts whose time passed unsent, the newest first."""
    query = _requests(organization_id, patient_id).where(CommunicationRequest.status == RequestStatus.EXPIRED)
    rows = session.execute(query.order_by(CommunicationRequest.due_at.desc()).limit(size))
    return [Intended(*row) for row in rows]


def _requests(organization_id: UUID, patient_id: UUID) -> Any:
    return select(
        CommunicationRequest.id,
        CommunicationRequest.status,
        CommunicationRequest.origin,
        CommunicationRequest.channel,
        CommunicationRequest.message_key,
        CommunicationRequest.body,
        CommunicationRequest.due_at,
        CommunicationRequest.expires_at,
        CommunicationRequest.ended_reason,
        CommunicationRequest.occurrence,
        CommunicationRequest.requires,
    ).where(
        CommunicationRequest.organization_id == organization_id,
        CommunicationRequest.patient_id == patient_id,
        CommunicationRequest.audience == Audience.PATIENT,
    )


def paged(session: Session, organization_id: UUID, alert_id: UUID) -> tuple[Paged, ...]:
    """Return who was paged about an alert, by which channel, and what became of each page."""
    rows = session.execute(
        select(
            StaffUser.display_name,
            CommunicationRequest.channel,
            CommunicationRequest.status,
            func.coalesce(Communication.sent_at, CommunicationRequest.due_at),
            Communication.status,
            Communication.delivery,
            Communication.error_code,
            Communication.reason,
        )
        .join(StaffUser, StaffUser.id == CommunicationRequest.staff_id)
        .outerjoin(Communication, Communication.request_id == CommunicationRequest.id)
        .where(
            CommunicationRequest.organization_id == organization_id,
            CommunicationRequest.alert_id == alert_id,
            CommunicationRequest.origin == RequestOrigin.PAGE,
            CommunicationRequest.page_step.is_not(None),
        )
        .order_by(CommunicationRequest.due_at, StaffUser.display_name, CommunicationRequest.channel)
    )
    return tuple(Paged(*row) for row in rows)
