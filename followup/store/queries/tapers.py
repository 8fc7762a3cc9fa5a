"""Ask about taper versions and their steps."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from followup.core.vocabulary import AlertStatus, MedicationStatus, RequestStatus, TaperStatus, Tier
from followup.store.models import (
    Alert,
    CarePlan,
    CommunicationRequest,
    DetectedIssue,
    MedicationRequest,
    TaperPlan,
    TaperStep,
)


def tapers_of(session: Session, organization_id: UUID, care_plan_id: UUID) -> Sequence[TaperPlan]:
    """Return every version of a plan's taper, newest first."""
    found = select(TaperPlan).where(
        TaperPlan.organization_id == organization_id, TaperPlan.care_plan_id == care_plan_id
    )
    return session.scalars(found.order_by(TaperPlan.version.desc())).all()


def taper_in(
    session: Session, organization_id: UUID, care_plan_id: UUID, *statuses: TaperStatus
) -> TaperPlan | None:
    """Return the newest version of a plan's taper that is in one of these states."""
    versions = tapers_of(session, organization_id, care_plan_id)
    return next((one for one in versions if one.status in statuses), None)


def steps_of(session: Session, taper_plan_id: UUID) -> Sequence[TaperStep]:
    """Return the steps of one version, in order."""
    found = select(TaperStep).where(TaperStep.taper_plan_id == taper_plan_id)
    return session.scalars(found.order_by(TaperStep.sequence)).all()


def prescription_of(session: Session, organization_id: UUID, patient_id: UUID) -> MedicationRequest | None:
    """Return the patient's newest active prescription."""
    found = select(MedicationRequest).where(
        MedicationRequest.organization_id == organization_id,
        MedicationRequest.patient_id == patient_id,
        MedicationRequest.status == MedicationStatus.ACTIVE,
    )
    return session.scalars(found.order_by(MedicationRequest.created_at.desc())).first()


def issues_of(session: Session, organization_id: UUID, patient_id: UUID) -> Sequence[DetectedIssue]:
    """Return what the patient's prescription shows."""
    found = select(DetectedIssue).where(
        DetectedIssue.organization_id == organization_id, DetectedIssue.patient_id == patient_id
    )
    return session.scalars(found.order_by(DetectedIssue.created_at)).all()


def plans_to_hold(session: Session, *, now: datetime) -> Sequence[CarePlan]:
    """Return, across clinics, the plans whose next step is due to be texted while danger is open."""
    danger = exists().where(
        Alert.patient_id == CommunicationRequest.patient_id,
        Alert.status != AlertStatus.RESOLVED,
        Alert.tier.in_((Tier.URGENT, Tier.EMERGENCY)),
    )
    found = (
        select(CarePlan)
        .join(CommunicationRequest, CommunicationRequest.care_plan_id == CarePlan.id)
        .where(
            CommunicationRequest.taper_step_id.is_not(None),
            CommunicationRequest.status == RequestStatus.ACTIVE,
            CommunicationRequest.due_at <= now,
            CommunicationRequest.expires_at > now,
            danger,
        )
    )
    return session.scalars(found.distinct()).all()


def unsent_step_text(
    session: Session, organization_id: UUID, taper_step_id: UUID
) -> CommunicationRequest | None:
    """Return the expired text of a step of which nothing went out, in the evening or since."""
    found = select(CommunicationRequest).where(
        CommunicationRequest.organization_id == organization_id,
        CommunicationRequest.taper_step_id == taper_step_id,
        CommunicationRequest.status != RequestStatus.REVOKED,
    )
    rows = session.scalars(found.order_by(CommunicationRequest.created_at)).all()
    return rows[0] if rows and all(row.status is RequestStatus.EXPIRED for row in rows) else None
