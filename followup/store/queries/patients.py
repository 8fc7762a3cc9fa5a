"""Read models of patients: the list, the header of one, their addresses and prescription."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import and_, exists, func, or_, select, tuple_
from sqlalchemy.orm import Session

from followup.core.errors import NotFound
from followup.core.vocabulary import (
    CarePlanStatus,
    Channel,
    ConsentStatus,
    Course,
    Language,
    SuppressionReason,
    Tier,
)
from followup.store.models import (
    CarePlan,
    Consent,
    ContactPoint,
    MedicationRequest,
    Patient,
    Suppression,
)
from followup.store.queries.people import newest_plan_id, worst_open_tier

PAGE_SIZE = 50


@dataclass(frozen=True)
class Listed:
    """One line of the list of patients."""

    id: UUID
    public_id: str
    given_name: str
    family_name: str
    birth_on: date | None
    language: Language
    time_zone: str
    is_active: bool
    plan_status: CarePlanStatus | None
    course: Course | None
    procedure: str | None
    discharge_on: date | None
    open_tier: Tier | None

    @property
    def name(self) -> str:
        """Return the patient's name as people say it."""
        return f"{self.given_name} {self.family_name}"


@dataclass(frozen=True)
class Page:
    """One page of a list; `next_after` is the public id to go on behind, or None at the end."""

    rows: tuple[Listed, ...]
    next_after: str | None


@dataclass(frozen=True)
class Header:
    """What stands at the top of a patient's page."""

    id: UUID
    public_id: str
    given_name: str
    family_name: str
    birth_on: date | None
    sex: str | None
    language: Language
    time_zone: str
    is_active: bool
    plan_id: UUID | None
    plan_public_id: str | None
    plan_status: CarePlanStatus | None
    hold_reason: str | None
    course: Course | None
    procedure: str | None
    discharge_on: date | None
    ends_on: date | None

    @property
    def name(self) -> str:
        """Return the patient's name as people say it."""
        return f"{self.given_name} {self.family_name}"


@dataclass(frozen=True)
class Road:
    """A way to a patient: the address, whether they said yes to it, whether it is blocked."""

    channel: Channel
    address: str
    is_shared: bool
    verified_at: datetime | None
    consent: ConsentStatus | None
    answered_at: datetime | None
    blocked: SuppressionReason | None


@dataclass(frozen=True)
class Prescription:
    """The opioid that the patient went home with."""

    drug: str
    strength_mg: Decimal
    max_units_per_day: Decimal
    dispensed_units: Decimal | None
    mme_per_day: Decimal | None


def listed(
    session: Session,
    organization_id: UUID,
    *,
    text: str = "",
    after: str | None = None,
    size: int = PAGE_SIZE,
) -> Page:
    """Return a page of a clinic's patients by family name; `text` finds names and ends of numbers."""
    query = _lines(organization_id)
    for word in text.split():
        query = query.where(_matches(organization_id, word))
    if after is not None:
        query = query.where(_behind(session, organization_id, after))
    order = (Patient.family_name, Patient.given_name, Patient.id)
    rows = [Listed(*row) for row in session.execute(query.order_by(*order).limit(size + 1))]
    return Page(tuple(rows[:size]), rows[size - 1].public_id if len(rows) > size else None)


def _lines(organization_id: UUID) -> Any:
    return (
        select(
            Patient.id,
            Patient.public_id,
            Patient.given_name,
            Patient.family_name,
            Patient.birth_on,
            Patient.language,
            Patient.time_zone,
            Patient.is_active,
            CarePlan.status,
            CarePlan.course,
            CarePlan.procedure,
            CarePlan.discharge_on,
            worst_open_tier(),
        )
        .outerjoin(CarePlan, CarePlan.id == newest_plan_id())
        .where(Patient.organization_id == organization_id)
    )


def _matches(organization_id: UUID, word: str) -> Any:
    plain = word.lower().replace("\\", "").replace("%", "").replace("_", "")
    by_name = or_(
        func.lower(Patient.family_name).like(f"%{plain}%"), func.lower(Patient.given_name).like(f"%{plain}%")
    )
    digits = "".join(char for char in word if char.isdigit())
    if len(digits) < 4:
        return by_name
    by_phone = exists().where(
        ContactPoint.organization_id == organization_id,
        ContactPoint.patient_id == Patient.id,
        ContactPoint.system == Channel.SMS,
        ContactPoint.value.like(f"%{digits}"),
    )
    return or_(by_name, by_phone)


def _behind(session: Session, organization_id: UUID, after: str) -> Any:
    last = session.execute(
        select(Patient.family_name, Patient.given_name, Patient.id).where(
            Patient.organization_id == organization_id, Patient.public_id == after
        )
    ).one_or_none()
    if last is None:
        raise NotFound
    return tuple_(Patient.family_name, Patient.given_name, Patient.id) > tuple_(*last)


def entity(session: Session, organization_id: UUID, public_id: str) -> Patient:
    """Return the row of a clinic's patient, to act on; NotFound for another clinic's."""
    found = session.scalar(
        select(Patient).where(Patient.organization_id == organization_id, Patient.public_id == public_id)
    )
    if found is None:
        raise NotFound
    return found


def header(session: Session, organization_id: UUID, public_id: str) -> Header:
    """Return the top of one patient's page; NotFound for another clinic's."""
    row: Any = session.execute(
        select(
            Patient.id,
            Patient.public_id,
            Patient.given_name,
            Patient.family_name,
            Patient.birth_on,
            Patient.sex,
            Patient.language,
            Patient.time_zone,
            Patient.is_active,
            CarePlan.id,
            CarePlan.public_id,
            CarePlan.status,
            CarePlan.hold_reason,
            CarePlan.course,
            CarePlan.procedure,
            CarePlan.discharge_on,
            CarePlan.ends_on,
        )
        .outerjoin(CarePlan, CarePlan.id == newest_plan_id())
        .where(Patient.organization_id == organization_id, Patient.public_id == public_id)
    ).one_or_none()
    if row is None:
        raise NotFound
    return Header(*row)


def roads(session: Session, organization_id: UUID, patient_id: UUID) -> tuple[Road, ...]:
    """Return the current addresses of a patient, the first choice first."""
    newest = (
        select(Consent.id)
        .where(
            Consent.patient_id == ContactPoint.patient_id,
            Consent.channel == ContactPoint.system,
            Consent.address == ContactPoint.value,
        )
        .order_by(Consent.created_at.desc(), Consent.id.desc())
        .limit(1)
        .correlate(ContactPoint)
        .scalar_subquery()
    )
    rows = session.execute(
        select(
            ContactPoint.system,
            ContactPoint.value,
            ContactPoint.is_shared,
            ContactPoint.verified_at,
            Consent.status,
            Consent.answered_at,
            Suppression.reason,
        )
        .outerjoin(Consent, Consent.id == newest)
        .outerjoin(
            Suppression,
            and_(
                Suppression.organization_id == ContactPoint.organization_id,
                Suppression.system == ContactPoint.system,
                Suppression.value == ContactPoint.value,
                Suppression.ended_at.is_(None),
            ),
        )
        .where(
            ContactPoint.organization_id == organization_id,
            ContactPoint.patient_id == patient_id,
            ContactPoint.ended_at.is_(None),
        )
        .order_by(ContactPoint.rank, ContactPoint.id)
    )
    return tuple(Road(*row) for row in rows)


def prescription(session: Session, organization_id: UUID, patient_id: UUID) -> Prescription | None:
    """Return the newest prescription of a patient."""
    row = session.execute(
        select(
            MedicationRequest.drug,
            MedicationRequest.strength_mg,
            MedicationRequest.max_units_per_day,
            MedicationRequest.dispensed_units,
            MedicationRequest.mme_per_day,
        )
        .where(
            MedicationRequest.organization_id == organization_id, MedicationRequest.patient_id == patient_id
        )
        .order_by(MedicationRequest.created_at.desc(), MedicationRequest.id.desc())
        .limit(1)
    ).one_or_none()
    return Prescription(*row) if row is not None else None
