"""Ask what planning must know, for one plan or thousands; the caller has the plans, and so their clinics."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from followup.core.vocabulary import CarePlanStatus, ConsentStatus, RequestOrigin, RequestStatus, TaperStatus
from followup.store.models import CarePlan, CommunicationRequest, Consent, Patient, TaperPlan, TaperStep


def patients_by_id(session: Session, ids: Sequence[UUID]) -> Sequence[Patient]:
    """Return these patients."""
    return session.scalars(select(Patient).where(Patient.id.in_(ids))).all()


def active_consents(session: Session, patient_ids: Sequence[UUID]) -> Sequence[Consent]:
    """Return the consents of these patients that hold now."""
    found = select(Consent).where(Consent.patient_id.in_(patient_ids), Consent.status == ConsentStatus.ACTIVE)
    return session.scalars(found).all()


def running_tapers(session: Session, care_plan_ids: Sequence[UUID]) -> Sequence[TaperPlan]:
    """Return the approved taper version of each plan that has one."""
    found = select(TaperPlan).where(
        TaperPlan.care_plan_id.in_(care_plan_ids), TaperPlan.status == TaperStatus.APPROVED
    )
    return session.scalars(found).all()


def steps_of_many(session: Session, taper_plan_ids: Sequence[UUID]) -> Sequence[TaperStep]:
    """Return the steps of these versions, each version's in order."""
    if not taper_plan_ids:
        return ()
    found = select(TaperStep).where(TaperStep.taper_plan_id.in_(taper_plan_ids))
    return session.scalars(found.order_by(TaperStep.taper_plan_id, TaperStep.sequence)).all()


def planned_rows(session: Session, care_plan_ids: Sequence[UUID]) -> Sequence[CommunicationRequest]:
    """Return every planned text of these plans that was not revoked."""
    found = select(CommunicationRequest).where(
        CommunicationRequest.care_plan_id.in_(care_plan_ids),
        CommunicationRequest.action_id.is_not(None),  # the partial unique index holds exactly these
        CommunicationRequest.origin == RequestOrigin.PLANNED,
        CommunicationRequest.status != RequestStatus.REVOKED,
    )
    return session.scalars(found).all()


def past_their_end(session: Session, *, now: datetime) -> Sequence[CarePlan]:
    """Return, across clinics, begun plans whose last day may be over somewhere, with nothing left to send."""
    left = exists().where(
        CommunicationRequest.care_plan_id == CarePlan.id,
        CommunicationRequest.status == RequestStatus.ACTIVE,
        CommunicationRequest.expires_at > now,
    )
    found = select(CarePlan).where(
        CarePlan.status.in_((CarePlanStatus.ACTIVE, CarePlanStatus.ON_HOLD)),
        CarePlan.activated_at.is_not(None),
        CarePlan.ends_on < now.date(),
        ~left,
    )
    return session.scalars(found).all()


def revoke(session: Session, request_ids: Sequence[UUID], reason: str) -> set[UUID]:
    """Take back texts that no drain has claimed, and return which; one claimed meanwhile is left alone."""
    if not request_ids:
        return set()
    taken_back = (
        update(CommunicationRequest)
        .where(CommunicationRequest.id.in_(request_ids), CommunicationRequest.status == RequestStatus.ACTIVE)
        .values(status=RequestStatus.REVOKED, ended_reason=reason)
        .returning(CommunicationRequest.id)
        .execution_options(synchronize_session="fetch")
    )
    return set(session.scalars(taken_back))
