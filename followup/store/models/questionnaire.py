"""What patients answered."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from followup.core.vocabulary import Channel, Question
from followup.store.base import Owned


class QuestionnaireResponse(Owned):
    """One answer to one question; a corrected answer is a second row that names the first."""

    __tablename__ = "questionnaire_responses"
    __table_args__ = (Index("ix_questionnaire_responses_patient", "patient_id", "question", "authored_at"),)

    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patients.id"))
    care_plan_id: Mapped[UUID] = mapped_column(ForeignKey("care_plans.id"))
    communication_id: Mapped[UUID] = mapped_column(ForeignKey("communications.id"))
    request_id: Mapped[UUID | None]
    channel: Mapped[Channel]
    question: Mapped[Question]
    number: Mapped[Decimal | None]
    yes: Mapped[bool | None]
    authored_at: Mapped[datetime]
    local_on: Mapped[date]
    amends_id: Mapped[UUID | None]
    status: Mapped[str] = mapped_column(String(12), default="completed")
