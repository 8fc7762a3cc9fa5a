"""Open the links that we handed out: what a token stands for, and what its page shows of one patient.

`opened_link` reads across clinics: the token itself, signed with the installation's key, is the right to see
one page. Everything after it takes the clinic that the link belongs to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from followup.core.vocabulary import (
    Audience,
    CarePlanStatus,
    Channel,
    Language,
    LinkPurpose,
    Question,
    RequestOrigin,
    RequestStatus,
    TaperStatus,
)
from followup.store.models import (
    AccessLink,
    CarePlan,
    CommunicationRequest,
    Consent,
    ContactPoint,
    Organization,
    Patient,
    QuestionnaireResponse,
    TaperPlan,
)

#: A link is good for 24 hours, and the text that it belongs to went at most a day before it.
_RECENT = timedelta(hours=48)
_STANDING = (TaperStatus.APPROVED, TaperStatus.ON_HOLD)


@dataclass(frozen=True, slots=True)
class OpenedLink:
    """What a token stands for."""

    id: UUID
    organization_id: UUID
    purpose: LinkPurpose
    patient_id: UUID | None
    request_id: UUID | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Clinic:
    """What a patient's page says of the clinic."""

    name: str
    phone: str
    oncall_phone: str | None
    hours_text: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PatientOfPage:
    """What a page must know of the patient: no name is shown to whoever holds the phone."""

    id: UUID
    language: Language
    time_zone: str
    care_plan_id: UUID | None
    care_plan_status: CarePlanStatus | None
    facts: int
    hide_numbers: bool


@dataclass(frozen=True, slots=True)
class StandingTaper:
    """The one taper that a prescriber approved, and whether it is held."""

    is_held: bool
    held_at: datetime | None
    steps: tuple[tuple[date, Decimal], ...]  #: First day of each level, most pills a day.


def opened_link(session: Session, token_digest: str) -> OpenedLink | None:
    """Return what a token stands for, expired or not; None for a token that we never gave out."""
    row = session.scalars(select(AccessLink).where(AccessLink.token_digest == token_digest)).one_or_none()
    if row is None:
        return None
    return OpenedLink(
        row.id, row.organization_id, row.purpose, row.patient_id, row.request_id, row.expires_at
    )


def clinic_of_page(session: Session, organization_id: UUID) -> Clinic:
    """Return the words and numbers of the clinic that a link belongs to."""
    row = session.scalars(select(Organization).where(Organization.id == organization_id)).one()
    return Clinic(row.name, row.phone, row.oncall_phone, row.hours_text)


def patient_of_page(session: Session, organization_id: UUID, patient_id: UUID) -> PatientOfPage | None:
    """Return the clinic's patient whom a link is about, with the newest of their plans."""
    patient = session.scalars(
        select(Patient).where(Patient.organization_id == organization_id, Patient.id == patient_id)
    ).one_or_none()
    if patient is None:
        return None
    plan = session.scalars(
        select(CarePlan)
        .where(CarePlan.organization_id == organization_id, CarePlan.patient_id == patient_id)
        .order_by(CarePlan.created_at.desc(), CarePlan.id.desc())
        .limit(1)
    ).one_or_none()
    return PatientOfPage(
        id=patient.id,
        language=patient.language,
        time_zone=patient.time_zone,
        care_plan_id=plan.id if plan else None,
        care_plan_status=plan.status if plan else None,
        facts=plan.facts if plan else 0,
        hide_numbers=plan.hide_numbers if plan else False,
    )


def request_of_page(session: Session, organization_id: UUID, request_id: UUID) -> CommunicationRequest | None:
    """Return the text that carried a link."""
    return session.scalars(
        select(CommunicationRequest).where(
            CommunicationRequest.organization_id == organization_id, CommunicationRequest.id == request_id
        )
    ).one_or_none()


def recent_questions(
    session: Session, organization_id: UUID, patient_id: UUID, before: datetime
) -> Sequence[CommunicationRequest]:
    """Return the planned texts that went to a patient in the two days before an instant, the newest first."""
    return session.scalars(
        select(CommunicationRequest)
        .where(
            CommunicationRequest.organization_id == organization_id,
            CommunicationRequest.patient_id == patient_id,
            CommunicationRequest.origin == RequestOrigin.PLANNED,
            CommunicationRequest.status.in_((RequestStatus.IN_PROGRESS, RequestStatus.COMPLETED)),
            CommunicationRequest.due_at <= before,
            CommunicationRequest.due_at > before - _RECENT,
        )
        .order_by(CommunicationRequest.due_at.desc(), CommunicationRequest.id.desc())
    ).all()


def answered_questions(
    session: Session, organization_id: UUID, asked: CommunicationRequest, *, or_since_it_was_due: bool = False
) -> frozenset[Question]:
    """Return the questions that the patient answered to a text; by SMS each next one is a text of its own."""
    to_it = QuestionnaireResponse.request_id == asked.id
    since = and_(
        QuestionnaireResponse.patient_id == asked.patient_id,
        QuestionnaireResponse.authored_at >= asked.due_at,
    )
    return frozenset(
        session.scalars(
            select(QuestionnaireResponse.question).where(
                QuestionnaireResponse.organization_id == organization_id,
                or_(to_it, since) if or_since_it_was_due else to_it,
            )
        )
    )


def standing_taper(session: Session, organization_id: UUID, care_plan_id: UUID) -> StandingTaper | None:
    """Return the approved taper of a plan, held or not; never a draft."""
    plan = session.scalars(
        select(TaperPlan).where(
            TaperPlan.organization_id == organization_id,
            TaperPlan.care_plan_id == care_plan_id,
            TaperPlan.status.in_(_STANDING),
        )
    ).one_or_none()
    if plan is None:
        return None
    return StandingTaper(
        is_held=plan.status is TaperStatus.ON_HOLD,
        held_at=plan.held_at,
        steps=tuple((step.starts_on, step.max_units) for step in plan.steps),
    )


def person(session: Session, organization_id: UUID, patient_id: UUID) -> Patient:
    """Return the patient whom a link is about, to be changed by a service."""
    return session.scalars(
        select(Patient).where(Patient.organization_id == organization_id, Patient.id == patient_id)
    ).one()


def newest_consent(
    session: Session, organization_id: UUID, patient_id: UUID, channel: Channel | None
) -> Consent | None:
    """Return the patient's latest invitation on a channel (None: on any), whatever became of it."""
    found = select(Consent).where(
        Consent.organization_id == organization_id, Consent.patient_id == patient_id
    )
    if channel is not None:
        found = found.where(Consent.channel == channel)
    return session.scalars(found.order_by(Consent.created_at.desc(), Consent.id.desc())).first()


def waiting_texts(
    session: Session, organization_id: UUID, care_plan_id: UUID
) -> Sequence[CommunicationRequest]:
    """Return what is planned for a patient, or was asked for, and that no drain has taken yet."""
    return session.scalars(
        select(CommunicationRequest).where(
            CommunicationRequest.organization_id == organization_id,
            CommunicationRequest.care_plan_id == care_plan_id,
            CommunicationRequest.audience == Audience.PATIENT,
            CommunicationRequest.status.in_((RequestStatus.ACTIVE, RequestStatus.ON_HOLD)),
        )
    ).all()


def sharers(session: Session, organization_id: UUID, system: Channel, value: str) -> Sequence[Patient]:
    """Return the clinic's active patients who are reached at an address: several on a shared phone."""
    return session.scalars(
        select(Patient)
        .join(ContactPoint, ContactPoint.patient_id == Patient.id)
        .where(
            Patient.organization_id == organization_id,
            Patient.is_active,
            ContactPoint.system == system,
            ContactPoint.value == value,
            ContactPoint.ended_at.is_(None),
        )
        .order_by(Patient.id)
    ).all()
