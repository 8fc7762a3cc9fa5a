"""Find members of staff. Sign-in alone looks across clinics: an address belongs to one member."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from followup.core.errors import NotFound
from followup.core.vocabulary import AlertStatus, StaffRole, Tier
from followup.store.models import Alert, Organization, ServiceState, StaffUser

BEAT_KEY = "beat"  #: Row of `service_state` in which beat leaves the time of its latest tick.


@dataclass(frozen=True)
class Member:
    """A signed-in member of staff, with what every page says of the clinic."""

    id: UUID
    organization_id: UUID
    public_id: str
    display_name: str
    role: StaffRole
    session_epoch: int
    clinic: str
    time_zone: str
    receives_pages: bool


@dataclass(frozen=True)
class Shell:
    """What the frame of every staff page shows."""

    waiting: int  #: Open emergency and urgent alerts that nobody has.
    beat_at: datetime | None  #: When the service last woke up to send and page.


@dataclass(frozen=True)
class Colleague:
    """A line of a list of staff."""

    id: UUID
    public_id: str
    display_name: str
    email: str
    phone: str | None
    role: StaffRole
    receives_pages: bool
    is_active: bool


def member(session: Session, organization_id: UUID, staff_id: UUID) -> Member | None:
    """Return an active member of an active clinic, or None."""
    row: Any = session.execute(_members(organization_id).where(StaffUser.id == staff_id)).one_or_none()
    return Member(*row) if row is not None else None


def _members(organization_id: UUID) -> Any:
    return (
        select(
            StaffUser.id,
            StaffUser.organization_id,
            StaffUser.public_id,
            StaffUser.display_name,
            StaffUser.role,
            StaffUser.session_epoch,
            Organization.name,
            Organization.time_zone,
            StaffUser.receives_pages,
        )
        .join(Organization, Organization.id == StaffUser.organization_id)
        .where(
            StaffUser.organization_id == organization_id,
            StaffUser.is_active.is_(True),
            Organization.is_active.is_(True),
        )
    )


def user(session: Session, organization_id: UUID, staff_id: UUID) -> StaffUser:
    """Return the row of a clinic's member, to act as; NotFound for another clinic's."""
    found = session.scalar(
        select(StaffUser).where(StaffUser.organization_id == organization_id, StaffUser.id == staff_id)
    )
    if found is None:
        raise NotFound
    return found


def colleagues(session: Session, organization_id: UUID) -> tuple[Colleague, ...]:
    """Return a clinic's staff by name."""
    rows = session.execute(
        select(
            StaffUser.id,
            StaffUser.public_id,
            StaffUser.display_name,
            StaffUser.email,
            StaffUser.phone,
            StaffUser.role,
            StaffUser.receives_pages,
            StaffUser.is_active,
        )
        .where(StaffUser.organization_id == organization_id)
        .order_by(StaffUser.display_name, StaffUser.id)
    )
    return tuple(Colleague(*row) for row in rows)


def shell(session: Session, organization_id: UUID) -> Shell:
    """Return what the frame of a staff page shows, in one statement."""
    waiting = (
        select(func.count())
        .select_from(Alert)
        .where(
            Alert.organization_id == organization_id,
            Alert.status == AlertStatus.TRIGGERED,
            Alert.tier.in_((Tier.EMERGENCY, Tier.URGENT)),
        )
        .scalar_subquery()
    )
    beat = select(ServiceState.at).where(ServiceState.key == BEAT_KEY).scalar_subquery()
    row: Any = session.execute(select(waiting, beat)).one()
    return Shell(*row)


def for_sign_in(session: Session, email: str) -> StaffUser | None:
    """Return the active member with that address, across all clinics: used by sign-in alone."""
    return session.scalar(
        select(StaffUser)
        .join(Organization, Organization.id == StaffUser.organization_id)
        .where(StaffUser.email == email, StaffUser.is_active.is_(True), Organization.is_active.is_(True))
    )


def is_taken(session: Session, email: str) -> bool:
    """Tell whether any clinic's member, active or not, signs in with that address."""
    return session.scalar(select(StaffUser.id).where(StaffUser.email == email)) is not None
