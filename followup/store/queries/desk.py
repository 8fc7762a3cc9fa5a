"""Read models of the taper desk: whose plan waits for whom."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from followup.core.errors import NotFound
from followup.core.vocabulary import (
    AlertKind,
    AlertStatus,
    CarePlanStatus,
    Course,
    Language,
    TaperStatus,
    Tier,
)
from followup.store.models import Alert, CarePlan, Patient, StaffUser, TaperPlan
from followup.store.queries import worklist
from followup.store.queries.people import TIER_ORDER

LONGEST = 200  #: Most rows of the desk; drafts come first.
_RANK = {TaperStatus.DRAFT: 0, TaperStatus.ON_HOLD: 1, TaperStatus.APPROVED: 2}


@dataclass(frozen=True)
class Subject:
    """Whose plan a page is about."""

    patient_id: UUID
    patient_public_id: str
    given_name: str
    family_name: str
    language: Language
    time_zone: str

    @property
    def name(self) -> str:
        """Return the patient's name as people say it."""
        return f"{self.given_name} {self.family_name}"


@dataclass(frozen=True)
class OnDesk:
    """One line of the desk; `taper` is the newest version that still matters, None where there is none."""

    plan_public_id: str
    name: str
    course: Course
    plan_status: CarePlanStatus
    discharge_on: date
    taper: TaperStatus | None
    version: int | None
    starts_on: date | None


@dataclass(frozen=True)
class OpenAlert:
    """An alert of the patient that nobody closed yet, with the words that raised it, the oldest first."""

    id: UUID
    public_id: str
    code: str
    kind: AlertKind
    task: str
    tier: Tier
    status: AlertStatus
    triggered_at: datetime
    words: tuple[worklist.Words, ...] = ()


def care_plan(session: Session, organization_id: UUID, public_id: str) -> CarePlan:
    """Return the row of a clinic's plan, to act on; NotFound for another clinic's."""
    found = session.scalar(
        select(CarePlan).where(CarePlan.organization_id == organization_id, CarePlan.public_id == public_id)
    )
    if found is None:
        raise NotFound
    return found


def subject(session: Session, organization_id: UUID, patient_id: UUID) -> Subject:
    """Return the patient of a plan; NotFound for another clinic's."""
    row: Any = session.execute(
        select(
            Patient.id,
            Patient.public_id,
            Patient.given_name,
            Patient.family_name,
            Patient.language,
            Patient.time_zone,
        ).where(Patient.organization_id == organization_id, Patient.id == patient_id)
    ).one_or_none()
    if row is None:
        raise NotFound
    return Subject(*row)


def staff_name(session: Session, organization_id: UUID, staff_id: UUID | None) -> str | None:
    """Return the display name of a clinic's member; None where the program itself acted."""
    return session.scalar(
        select(StaffUser.display_name).where(
            StaffUser.organization_id == organization_id, StaffUser.id == staff_id
        )
    )


def open_alerts(session: Session, organization_id: UUID, patient_id: UUID) -> Sequence[OpenAlert]:
    """Return what is open about a patient, the worst first: read before a plan that was held goes on."""
    rows: Sequence[Any] = session.execute(
        select(
            Alert.id,
            Alert.public_id,
            Alert.code,
            Alert.kind,
            Alert.task,
            Alert.tier,
            Alert.status,
            Alert.triggered_at,
        )
        .where(
            Alert.organization_id == organization_id,
            Alert.patient_id == patient_id,
            Alert.status != AlertStatus.RESOLVED,
        )
        .order_by(TIER_ORDER.desc(), Alert.triggered_at, Alert.id)
    ).all()
    said = worklist.words_of(session, organization_id, [row[0] for row in rows])
    return [replace(OpenAlert(*row), words=tuple(said.get(row[0], ()))) for row in rows]


def waiting(session: Session, organization_id: UUID) -> Sequence[OnDesk]:
    """Return a clinic's running plans: drafts that wait for approval first, then held ones, then the rest."""
    rows: Sequence[Any] = session.execute(
        select(
            CarePlan.public_id,
            Patient.given_name,
            Patient.family_name,
            CarePlan.course,
            CarePlan.status,
            CarePlan.discharge_on,
            TaperPlan.status,
            TaperPlan.version,
            TaperPlan.starts_on,
        )
        .join(Patient, Patient.id == CarePlan.patient_id)
        .outerjoin(TaperPlan, (TaperPlan.care_plan_id == CarePlan.id) & TaperPlan.status.in_(list(_RANK)))
        .where(
            CarePlan.organization_id == organization_id,
            CarePlan.status.in_((CarePlanStatus.DRAFT, CarePlanStatus.ACTIVE, CarePlanStatus.ON_HOLD)),
        )
        .order_by(CarePlan.discharge_on.desc(), CarePlan.id)
    ).all()
    first: dict[str, OnDesk] = {}
    for public_id, given, family, *rest in sorted(rows, key=lambda row: _RANK.get(row[6], 3)):
        first.setdefault(public_id, OnDesk(public_id, f"{given} {family}", *rest))
    return list(first.values())[:LONGEST]
