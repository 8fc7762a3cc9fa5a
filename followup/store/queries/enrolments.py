"""Ask what enrolment must know of a clinic's other patients; other clinics are never consulted."""

from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from followup.core.vocabulary import Channel
from followup.store.models import ContactPoint, Patient


def phone_is_in_use(session: Session, organization_id: UUID, e164: str) -> bool:
    """Tell whether an active patient of this clinic already has the number."""
    found = (
        select(ContactPoint.id)
        .join(Patient, Patient.id == ContactPoint.patient_id)
        .where(
            ContactPoint.organization_id == organization_id,
            ContactPoint.system == Channel.SMS,
            ContactPoint.value == e164,
            ContactPoint.ended_at.is_(None),
            Patient.is_active,
        )
    )
    return session.scalar(found.limit(1)) is not None


def mark_phone_shared(session: Session, organization_id: UUID, e164: str) -> None:
    """Note on every row of a number in this clinic that several people answer it."""
    session.execute(
        update(ContactPoint)
        .where(
            ContactPoint.organization_id == organization_id,
            ContactPoint.system == Channel.SMS,
            ContactPoint.value == e164,
        )
        .values(is_shared=True)
    )
