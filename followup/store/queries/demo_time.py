"""Ask, across all clinics, what the demo's clock moves through: what is due next, what is on its way."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from followup.core.vocabulary import (
    AlertStatus,
    Audience,
    CatchUp,
    CommunicationStatus,
    Direction,
    RequestStatus,
)
from followup.store.models import Alert, Communication, CommunicationRequest

_WAITING = (RequestStatus.ACTIVE, RequestStatus.ON_HOLD)
_ARRIVED = (CommunicationStatus.COMPLETED, CommunicationStatus.UNKNOWN)


def next_instant(session: Session, *, after: datetime, pages_of: UUID | None) -> datetime | None:
    """Return the next instant at which something is due for a patient of any clinic.

    That is a text to send, or one whose end has consequences; `pages_of`: or a page to that clinic.
    """
    due = select(func.min(CommunicationRequest.next_attempt_at)).where(
        CommunicationRequest.status == RequestStatus.ACTIVE,
        CommunicationRequest.next_attempt_at > after,
        CommunicationRequest.audience == Audience.PATIENT,
    )
    ends = select(func.min(CommunicationRequest.expires_at)).where(
        CommunicationRequest.status.in_(_WAITING),
        CommunicationRequest.expires_at > after,
        CommunicationRequest.catch_up != CatchUp.SKIP,
    )
    pages = select(func.min(Alert.next_step_at)).where(
        Alert.organization_id == pages_of,
        Alert.status == AlertStatus.TRIGGERED,
        Alert.next_step_at > after,
    )
    instants = [session.scalar(one) for one in ((due, ends, pages) if pages_of else (due, ends))]
    return min((one for one in instants if one is not None), default=None)


def is_under_way(session: Session) -> bool:
    """Tell whether some process is sending a text, of any clinic, right now."""
    claimed = select(CommunicationRequest.id).where(
        CommunicationRequest.status == RequestStatus.IN_PROGRESS,
        CommunicationRequest.lease_until.is_not(None),
    )
    return session.execute(claimed.limit(1)).first() is not None


def arrivals(session: Session, organization_id: UUID, addresses: Collection[str]) -> int:
    """Count what has reached these addresses of a clinic's patient or staff member."""
    found = select(func.count()).where(
        Communication.organization_id == organization_id,
        Communication.direction == Direction.OUT,
        Communication.status.in_(_ARRIVED),
        Communication.recipient.in_(addresses),
    )
    return session.scalar(found) or 0
