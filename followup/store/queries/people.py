"""Pieces that several read models share: the newest plan of a patient, the name of a colleague."""

from uuid import UUID

from sqlalchemy import ScalarSelect, case, select

from followup.core.vocabulary import AlertStatus, Tier
from followup.store.models import Alert, CarePlan, Patient

#: Most serious first, as a number to order by.
TIER_ORDER = case({tier.value: tier.rank for tier in Tier}, value=Alert.tier, else_=0)


def newest_plan_id() -> ScalarSelect[UUID]:
    """Return the key of the newest plan of the patient of the outer statement."""
    return (
        select(CarePlan.id)
        .where(CarePlan.patient_id == Patient.id)
        .order_by(CarePlan.created_at.desc(), CarePlan.id.desc())
        .limit(1)
        .correlate(Patient)
        .scalar_subquery()
    )


def worst_open_tier() -> ScalarSelect[Tier]:
    """Return the worst tier among the open alerts of the patient of the outer statement."""
    return (
        select(Alert.tier)
        .where(Alert.patient_id == Patient.id, Alert.status != AlertStatus.RESOLVED)
        .order_by(TIER_ORDER.desc())
        .limit(1)
        .correlate(Patient)
        .scalar_subquery()
    )
