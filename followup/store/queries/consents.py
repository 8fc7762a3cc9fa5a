"""Ask who may be written to: consents, suppressions, a patient's addresses and running plans."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from followup.core.vocabulary import CarePlanStatus, Channel, ConsentStatus, RequestOrigin, RequestStatus
from followup.store.models import Alert, CarePlan, CommunicationRequest, Consent, ContactPoint, Suppression

_OVER = (CarePlanStatus.COMPLETED, CarePlanStatus.REVOKED)


def contacts_of(session: Session, organization_id: UUID, patient_id: UUID) -> Sequence[ContactPoint]:
    """Return the patient's present numbers and addresses, best first."""
    found = select(ContactPoint).where(
        ContactPoint.organization_id == organization_id,
        ContactPoint.patient_id == patient_id,
        ContactPoint.ended_at.is_(None),
    )
    return session.scalars(found.order_by(ContactPoint.rank)).all()


def care_plans_of(session: Session, organization_id: UUID, patient_id: UUID) -> Sequence[CarePlan]:
    """Return the patient's plans that are not over."""
    found = select(CarePlan).where(
        CarePlan.organization_id == organization_id,
        CarePlan.patient_id == patient_id,
        CarePlan.status.not_in(_OVER),
    )
    return session.scalars(found.order_by(CarePlan.created_at)).all()


def current_consents(session: Session, organization_id: UUID, patient_id: UUID) -> Sequence[Consent]:
    """Return the patient's proposed and active consents."""
    found = select(Consent).where(
        Consent.organization_id == organization_id,
        Consent.patient_id == patient_id,
        Consent.status.in_((ConsentStatus.PROPOSED, ConsentStatus.ACTIVE)),
    )
    return session.scalars(found).all()


def open_invitation(
    session: Session, organization_id: UUID, patient_id: UUID, channel: Channel, *, now: datetime
) -> Consent | None:
    """Return the patient's invitation on a channel that still waits for an answer."""
    found = select(Consent).where(
        Consent.organization_id == organization_id,
        Consent.patient_id == patient_id,
        Consent.channel == channel,
        Consent.status == ConsentStatus.PROPOSED,
        Consent.open_until > now,
    )
    return session.scalars(found).one_or_none()


def was_shown(session: Session, consent: Consent) -> bool:
    """Tell whether the wording of an invitation went, or may have gone, to the person since it was made."""
    found = select(CommunicationRequest.id).where(
        CommunicationRequest.organization_id == consent.organization_id,
        CommunicationRequest.patient_id == consent.patient_id,
        CommunicationRequest.channel == consent.channel,
        CommunicationRequest.address == consent.address,
        CommunicationRequest.message_key == consent.wording_key,
        CommunicationRequest.status.in_((RequestStatus.IN_PROGRESS, RequestStatus.COMPLETED)),
        CommunicationRequest.created_at >= consent.created_at,
    )
    return session.execute(found.limit(1)).first() is not None


def latest_yes(
    session: Session, organization_id: UUID, patient_id: UUID, channel: Channel, address: str
) -> Consent | None:
    """Return the newest consent that the person once gave from this address, even if it no longer holds."""
    found = select(Consent).where(
        Consent.organization_id == organization_id,
        Consent.patient_id == patient_id,
        Consent.channel == channel,
        Consent.address == address,
        Consent.answered_at.is_not(None),
        Consent.status.in_((ConsentStatus.ACTIVE, ConsentStatus.INACTIVE)),
    )
    return session.scalars(found.order_by(Consent.created_at.desc())).first()


def open_suppression(
    session: Session, organization_id: UUID, system: Channel, value: str
) -> Suppression | None:
    """Return the block on an address of this clinic, if there is one."""
    found = select(Suppression).where(
        Suppression.organization_id == organization_id,
        Suppression.system == system,
        Suppression.value == value,
        Suppression.ended_at.is_(None),
    )
    return session.scalars(found).one_or_none()


def unsent_invitations(
    session: Session, organization_id: UUID, care_plan_id: UUID
) -> Sequence[CommunicationRequest]:
    """Return a plan's invitation and reminder that no drain has taken yet."""
    found = select(CommunicationRequest).where(
        CommunicationRequest.organization_id == organization_id,
        CommunicationRequest.care_plan_id == care_plan_id,
        CommunicationRequest.origin == RequestOrigin.INVITATION,
        CommunicationRequest.status == RequestStatus.ACTIVE,
    )
    return session.scalars(found).all()


def unanswered_invitations(
    session: Session, *, reminder_key: str, reminded_before: datetime, task: str
) -> Sequence[Consent]:
    """Return, across clinics (for the chase), the invitations whose reminder fell due before an instant.

    Without those about which staff were already asked: a task that somebody closed stays closed.
    """
    reminded = (
        (CommunicationRequest.patient_id == Consent.patient_id)
        & (CommunicationRequest.message_key == reminder_key)
        & (CommunicationRequest.channel == Consent.channel)
        & (CommunicationRequest.due_at <= reminded_before)
    )
    asked = exists().where(Alert.patient_id == Consent.patient_id, Alert.task == task)
    found = select(Consent).join(CommunicationRequest, reminded)
    return session.scalars(found.where(Consent.status == ConsentStatus.PROPOSED, ~asked)).all()
