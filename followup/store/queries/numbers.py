"""Read models of a patient's numbers: the answers to check-ins, and the levels of the approved taper."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from followup.core.vocabulary import Question, TaperStatus
from followup.store.models import QuestionnaireResponse, TaperPlan, TaperStep


@dataclass(frozen=True)
class Answered:
    """One answer, newest version."""

    question: Question
    number: Decimal | None
    yes: bool | None
    local_on: date
    communication_id: UUID


@dataclass(frozen=True)
class Level:
    """One step of the standing taper."""

    version: int
    status: TaperStatus
    starts_on: date
    days: int
    max_units: Decimal


def answers(session: Session, organization_id: UUID, patient_id: UUID) -> tuple[Answered, ...]:
    """Return a patient's answers, oldest first; of one that was corrected only the correction."""
    rows = session.execute(
        select(
            QuestionnaireResponse.question,
            QuestionnaireResponse.number,
            QuestionnaireResponse.yes,
            QuestionnaireResponse.local_on,
            QuestionnaireResponse.communication_id,
        )
        .where(
            QuestionnaireResponse.organization_id == organization_id,
            QuestionnaireResponse.patient_id == patient_id,
            QuestionnaireResponse.status == "completed",
        )
        .order_by(QuestionnaireResponse.authored_at, QuestionnaireResponse.id)
    )
    return tuple(Answered(*row) for row in rows)


def levels(session: Session, organization_id: UUID, plan_id: UUID) -> Sequence[Level]:
    """Return the steps of the taper that a prescriber approved, running or on hold; never of a draft."""
    rows = session.execute(
        select(TaperPlan.version, TaperPlan.status, TaperStep.starts_on, TaperStep.days, TaperStep.max_units)
        .join(TaperStep, TaperStep.taper_plan_id == TaperPlan.id)
        .where(
            TaperPlan.organization_id == organization_id,
            TaperPlan.care_plan_id == plan_id,
            TaperPlan.status.in_((TaperStatus.APPROVED, TaperStatus.ON_HOLD)),
        )
        .order_by(TaperStep.sequence)
    )
    return [Level(*row) for row in rows]
