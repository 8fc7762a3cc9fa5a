"""People of a small clinic, brought through the services themselves: enrolled, answered, approved."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from followup.core.contactpoint import EmailAddress, PhoneNumber
from followup.core.vocabulary import (
    Channel,
    CommunicationStatus,
    Course,
    Direction,
    Language,
    RequestOrigin,
    RequestStatus,
    StaffRole,
)
from followup.services import consent as consents
from followup.services import enrolment as enrolments
from followup.services import taper as tapers
from followup.services.enrolment_form import Enrolment, Rx
from followup.services.knowledge import Knowledge, load_knowledge
from followup.store.models import (
    Alert,
    CarePlan,
    Communication,
    CommunicationRequest,
    Consent,
    Organization,
    Patient,
    StaffUser,
    TaperPlan,
    TaperStep,
)
from tests import factories as make
from tests.factories import NOW, ZONE

#: Discharged today (a Tuesday), and by the day of the first step on four pills a day for a week and more.
TODAY = date(2026, 6, 2)
RX = Rx(
    drug="oxycodone",
    strength_mg=Decimal(5),
    max_units_per_day=Decimal(4),
    is_regular=True,
    dispensed_units=Decimal(40),
    first_taken_on=TODAY - timedelta(days=4),
)
_sids = count(1)


def knowledge() -> Knowledge:
    return load_knowledge()


def form(**over: Any) -> Enrolment:
    """Return a form without a fault; keywords change its fields, `rx` those of the prescription."""
    values: dict[str, Any] = {
        "given_name": "Ana",
        "family_name": "Lopez",
        "birth_on": date(1980, 5, 1),
        "sex": "female",
        "phone": PhoneNumber(make.phone()),
        "email": None,
        "language": Language.EN,
        "time_zone": ZONE,
        "procedure": "Knee replacement",
        "discharge_on": TODAY,
        "course": Course.SHORT,
        "support": True,
        **over,
        "rx": replace(RX, **over.get("rx", {})),
    }
    return Enrolment(**values)


def by_email(**over: Any) -> Enrolment:
    """Return the form of a patient without a phone."""
    return form(**{"phone": None, "email": EmailAddress(f"ana{next(_sids)}@example.org"), **over})


def enrol(
    session: Session, clinic: Organization, filled: Enrolment | None = None, *, now: datetime = NOW
) -> CarePlan:
    """Enrol a patient; return the plan."""
    made = enrolments.enrol(session, clinic.id, filled or form(), by=None, knowledge=knowledge(), now=now)
    return session.scalars(select(CarePlan).where(CarePlan.public_id == made.care_plan_public_id)).one()


def invitation(session: Session, plan: CarePlan) -> Consent:
    """Return the newest consent of a plan's patient."""
    found = select(Consent).where(Consent.patient_id == plan.patient_id).order_by(Consent.created_at.desc())
    return session.scalars(found).first()  # type: ignore[return-value]


def heard(session: Session, plan: CarePlan, body: str, *, now: datetime = NOW) -> Communication:
    """Add a text that the patient sent, understood or not."""
    return make.add(  # type: ignore[no-any-return]
        session,
        Communication(
            created_at=now,
            organization_id=plan.organization_id,
            direction=Direction.IN,
            status=CommunicationStatus.COMPLETED,
            channel=Channel.SMS,
            patient_id=plan.patient_id,
            provider="sandbox",
            provider_sid=f"in{next(_sids)}",
            body=body,
            received_at=now,
        ),
    )


def yes(session: Session, plan: CarePlan, *, now: datetime = NOW) -> Consent:
    """Say YES: by text where the invitation went by text, else by the button."""
    consent = invitation(session, plan)
    by_text = consent.channel is Channel.SMS
    consents.give(
        session,
        consent,
        by="patient:sms" if by_text else "patient:web",
        communication_id=heard(session, plan, "YES", now=now).id if by_text else None,
        knowledge=knowledge(),
        now=now,
    )
    return consent


def prescriber(session: Session, clinic: Organization, **over: Any) -> StaffUser:
    return make.staff(session, clinic, **{"role": StaffRole.PRESCRIBER, "display_name": "A. Wu MD", **over})


def draft_of(session: Session, plan: CarePlan) -> TaperPlan:
    """Return the newest version of a plan's taper."""
    found = select(TaperPlan).where(TaperPlan.care_plan_id == plan.id).order_by(TaperPlan.version.desc())
    return session.scalars(found).first()  # type: ignore[return-value]


def approve(session: Session, plan: CarePlan, by: StaffUser, *, now: datetime = NOW) -> TaperPlan:
    """Approve the newest version as it was seen."""
    taper = draft_of(session, plan)
    tapers.approve(session, taper, by=by, seen_digest=taper.digest, knowledge=knowledge(), now=now)
    return taper


def levels(session: Session, taper: TaperPlan) -> list[tuple[date, int, Decimal]]:
    """Return first day, days and most pills of each step."""
    found = select(TaperStep).where(TaperStep.taper_plan_id == taper.id).order_by(TaperStep.sequence)
    return [(step.starts_on, step.days, step.max_units) for step in session.scalars(found)]


def rows(
    session: Session, plan: CarePlan, *statuses: RequestStatus, origin: RequestOrigin = RequestOrigin.PLANNED
) -> Sequence[CommunicationRequest]:
    """Return a plan's requests in order of time; the active ones unless told otherwise."""
    found = select(CommunicationRequest).where(
        CommunicationRequest.care_plan_id == plan.id,
        CommunicationRequest.origin == origin,
        CommunicationRequest.status.in_(statuses or [RequestStatus.ACTIVE]),
    )
    return session.scalars(found.order_by(CommunicationRequest.due_at, CommunicationRequest.id)).all()


def told(session: Session, plan: CarePlan) -> list[str]:
    """Return the keys of what was written to the patient in answer to them."""
    found = select(CommunicationRequest.message_key).where(
        CommunicationRequest.patient_id == plan.patient_id,
        CommunicationRequest.origin.in_([RequestOrigin.REPLY, RequestOrigin.SAFETY]),
    )
    return sorted(session.scalars(found))


def what(some: Sequence[CommunicationRequest]) -> list[tuple[Any, ...]]:
    """Return what rows promise, without their keys, in order of time."""
    return sorted(
        (row.due_at, row.action_id, row.occurrence, tuple(row.message_keys), row.expires_at, row.requires)
        for row in some
    )


def went(session: Session, plan: CarePlan, *, until: datetime) -> int:
    """Let everything that was due before an instant go out; return how many texts."""
    due = [row for row in rows(session, plan) if row.due_at < until]
    for row in due:
        row.status = RequestStatus.COMPLETED
    session.flush()
    return len(due)


def tasks(session: Session, plan: CarePlan) -> list[str]:
    """Return what staff were asked to do about a plan's patient."""
    return sorted(session.scalars(select(Alert.task).where(Alert.patient_id == plan.patient_id)))


def patient_of(session: Session, plan: CarePlan) -> Patient:
    return session.get_one(Patient, plan.patient_id)
