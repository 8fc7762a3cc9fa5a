"""Read models of the demo's sandbox: everybody's phone, and what has arrived on one of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from followup.core.vocabulary import Channel, CommunicationStatus, Direction, Language
from followup.store.models import (
    CarePlan,
    Communication,
    ContactPoint,
    Organization,
    Patient,
    SenderNumber,
    StaffUser,
)
from followup.store.queries.people import newest_plan_id

MOST_SHOWN = 120  #: Newest texts of one phone.
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_ARRIVED = (CommunicationStatus.COMPLETED, CommunicationStatus.UNKNOWN)


@dataclass(frozen=True)
class Home:
    """The demo's own clinic, and the number that its texts come from."""

    id: UUID
    name: str
    time_zone: str
    number: str | None


@dataclass(frozen=True)
class Phone:
    """One person's phone and mailbox."""

    public_id: str
    person_id: UUID
    organization_id: UUID
    name: str
    is_staff: bool
    role: str  #: A staff member's role, or what a patient had done.
    time_zone: str
    language: Language
    discharge_on: date | None
    number: str | None
    emails: tuple[str, ...]
    latest_at: datetime | None
    fresh: int  #: What arrived since the person last wrote.

    @property
    def addresses(self) -> tuple[str, ...]:
        """Return every address that reaches this person."""
        return (*((self.number,) if self.number else ()), *self.emails)


@dataclass(frozen=True)
class Arrived:
    """One text, mail or answer, as the person sees it."""

    is_mine: bool  #: The person wrote it.
    channel: Channel
    at: datetime
    subject: str | None
    body: str
    photos: int


def home(session: Session) -> Home | None:
    """Return the clinic that this installation was begun with; of all clinics, the first."""
    number = (
        select(func.min(SenderNumber.e164))
        .where(SenderNumber.organization_id == Organization.id, SenderNumber.is_active.is_(True))
        .scalar_subquery()
    )
    found = (
        select(Organization.id, Organization.name, Organization.time_zone, number)
        .order_by(Organization.created_at, Organization.id)
        .limit(1)
    )
    row = session.execute(found).first()
    return Home(*row) if row else None


def phones(session: Session, organization_id: UUID) -> list[Phone]:
    """Return the phone of every patient and every staff member of a clinic, newest activity first."""
    found = _patients(session, organization_id) + _staff(session, organization_id)
    return sorted(found, key=lambda one: one.latest_at or _LONG_AGO, reverse=True)


def phone(session: Session, organization_id: UUID, public_id: str) -> Phone | None:
    """Return one person's phone by the person's public id."""
    found = _patients(session, organization_id, Patient.public_id == public_id) or _staff(
        session, organization_id, StaffUser.public_id == public_id
    )
    return found[0] if found else None


def thread(session: Session, organization_id: UUID, phone: Phone) -> Sequence[Arrived]:
    """Return what is on a phone, oldest first; what never arrived is not on it."""
    person = Communication.staff_id if phone.is_staff else Communication.patient_id
    at = func.coalesce(
        Communication.received_at,
        Communication.sent_at,
        Communication.created_at,
        type_=Communication.created_at.type,
    )
    found = (
        select(
            Communication.direction,
            Communication.channel,
            at,
            Communication.subject,
            Communication.body,
            Communication.media_count,
        )
        .where(
            Communication.organization_id == organization_id,
            person == phone.person_id,
            _on_the_phone(),
        )
        .order_by(at.desc(), Communication.id.desc())
        .limit(MOST_SHOWN)
    )
    rows = [Arrived(row[0] is Direction.IN, *row[1:]) for row in session.execute(found)]
    return rows[::-1]


def _on_the_phone() -> ColumnElement[bool]:
    return or_(Communication.direction == Direction.IN, Communication.status.in_(_ARRIVED))


def _latest(person: str, owner: type[Any]) -> Any:
    said = aliased(Communication)
    arrived = or_(said.direction == Direction.IN, said.status.in_(_ARRIVED))
    found = select(func.max(said.created_at)).where(getattr(said, person) == owner.id, arrived)
    return found.correlate(owner).scalar_subquery()


def _fresh(person: str, owner: type[Any]) -> Any:
    said, wrote = aliased(Communication), aliased(Communication)
    later = select(wrote.id).where(
        getattr(wrote, person) == owner.id,
        wrote.direction == Direction.IN,
        wrote.created_at >= said.created_at,
    )
    found = select(func.count(said.id)).where(
        getattr(said, person) == owner.id,
        said.direction == Direction.OUT,
        said.status.in_(_ARRIVED),
        ~later.correlate(owner, said).exists(),
    )
    return found.correlate(owner).scalar_subquery()


def _patients(session: Session, organization_id: UUID, *which: ColumnElement[bool]) -> list[Phone]:
    found: Select[Any] = (
        select(Patient, CarePlan, _latest("patient_id", Patient), _fresh("patient_id", Patient))
        .outerjoin(CarePlan, and_(CarePlan.patient_id == Patient.id, CarePlan.id == newest_plan_id()))
        .where(Patient.organization_id == organization_id, *which)
        .order_by(Patient.created_at, Patient.id)
    )
    rows = session.execute(found).all()
    roads = _roads(session, organization_id, [row[0].id for row in rows])
    return [
        _patient_phone(patient, plan, latest_at, fresh, roads.get(patient.id, []))
        for patient, plan, latest_at, fresh in rows
    ]


def _roads(
    session: Session, organization_id: UUID, patient_ids: Sequence[UUID]
) -> dict[UUID, list[tuple[Channel, str]]]:
    found = (
        select(ContactPoint.patient_id, ContactPoint.system, ContactPoint.value)
        .where(
            ContactPoint.organization_id == organization_id,
            ContactPoint.patient_id.in_(patient_ids),
            ContactPoint.ended_at.is_(None),
        )
        .order_by(ContactPoint.rank)
    )
    roads: dict[UUID, list[tuple[Channel, str]]] = {}
    for patient_id, system, value in session.execute(found):
        roads.setdefault(patient_id, []).append((system, value))
    return roads


def _patient_phone(
    patient: Patient,
    plan: CarePlan | None,
    latest_at: datetime | None,
    fresh: int,
    roads: Sequence[tuple[Channel, str]],
) -> Phone:
    return Phone(
        public_id=patient.public_id,
        person_id=patient.id,
        organization_id=patient.organization_id,
        name=f"{patient.given_name} {patient.family_name}",
        is_staff=False,
        role=plan.procedure if plan else "",
        time_zone=patient.time_zone,
        language=patient.language,
        discharge_on=plan.discharge_on if plan else None,
        number=next((value for system, value in roads if system is Channel.SMS), None),
        emails=tuple(value for system, value in roads if system is Channel.EMAIL),
        latest_at=latest_at,
        fresh=fresh,
    )


def _staff(session: Session, organization_id: UUID, *which: ColumnElement[bool]) -> list[Phone]:
    found = (
        select(
            StaffUser,
            Organization.time_zone,
            _latest("staff_id", StaffUser),
            _fresh("staff_id", StaffUser),
        )
        .join(Organization, Organization.id == StaffUser.organization_id)
        .where(StaffUser.organization_id == organization_id, StaffUser.is_active.is_(True), *which)
        .order_by(StaffUser.created_at, StaffUser.id)
    )
    return [_staff_phone(*row) for row in session.execute(found)]


def _staff_phone(user: StaffUser, time_zone: str, latest_at: datetime | None, fresh: int) -> Phone:
    return Phone(
        public_id=user.public_id,
        person_id=user.id,
        organization_id=user.organization_id,
        name=user.display_name,
        is_staff=True,
        role=user.role.value,
        time_zone=time_zone,
        language=Language.EN,
        discharge_on=None,
        number=user.phone,
        emails=(user.email,),
        latest_at=latest_at,
        fresh=fresh,
    )
