"""A patient's six weeks, and the versions of the taper."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from followup.core.vocabulary import CarePlanStatus, Course, Fact, TaperStatus, TaperStepStatus
from followup.store.base import Owned

_RUNNING = text("status IN ('approved', 'on-hold')")


class CarePlan(Owned):
    """What one patient is to get for six weeks, under one version of one protocol (FHIR CarePlan)."""

    __tablename__ = "care_plans"

    public_id: Mapped[str] = mapped_column(String(24), unique=True)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patients.id"), index=True)
    protocol_name: Mapped[str] = mapped_column(String(40))
    protocol_version: Mapped[int]
    protocol_digest: Mapped[str] = mapped_column(String(64))
    status: Mapped[CarePlanStatus]
    course: Mapped[Course]
    procedure: Mapped[str] = mapped_column(String(120))  #: For staff; never in a text.
    discharge_on: Mapped[date]  #: Day 0.
    ends_on: Mapped[date]
    facts: Mapped[int]  #: Bits of `Fact`; an action goes out only while all it requires are set.
    plan_version: Mapped[int] = mapped_column(default=1)
    hide_numbers: Mapped[bool] = mapped_column(default=False)
    is_spine: Mapped[bool] = mapped_column(default=False)
    is_pregnant: Mapped[bool] = mapped_column(default=False)
    activated_at: Mapped[datetime | None]
    held_at: Mapped[datetime | None]
    hold_reason: Mapped[str | None] = mapped_column(String(40))

    def has(self, wanted: Fact) -> bool:
        """Tell whether every wanted fact is true now."""
        return Fact(self.facts) & wanted == wanted

    def set_fact(self, fact: Fact, *, true: bool) -> None:
        """Make one fact true or false."""
        self.facts = int(Fact(self.facts) | fact if true else Fact(self.facts) & ~fact)


class TaperPlan(Owned):
    """One version of a taper: a draft until a prescriber approves exactly this one."""

    __tablename__ = "taper_plans"
    __table_args__ = (
        UniqueConstraint("care_plan_id", "version"),
        Index(
            "uq_taper_plans_running",
            "care_plan_id",
            unique=True,
            postgresql_where=_RUNNING,
            sqlite_where=_RUNNING,
        ),
    )

    care_plan_id: Mapped[UUID] = mapped_column(ForeignKey("care_plans.id"))
    version: Mapped[int]
    status: Mapped[TaperStatus]
    starts_on: Mapped[date]
    start_units: Mapped[Decimal]  #: Most pills a day before the plan.
    unit: Mapped[Decimal]  #: 1, or 0.5 where a clinician ticked that the tablet may be split.
    days_taken: Mapped[int]
    warnings: Mapped[list[str]]
    digest: Mapped[str] = mapped_column(String(64))  #: Over the steps; approval names it.
    rule_text: Mapped[str]  #: The limits shown beside the draft when it was approved.
    drafted_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff_users.id"))
    approved_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff_users.id"))
    approved_at: Mapped[datetime | None]
    held_at: Mapped[datetime | None]
    hold_reason: Mapped[str | None] = mapped_column(String(40))

    steps: Mapped[list["TaperStep"]] = relationship(order_by="TaperStep.sequence", viewonly=True)

    def as_facts(self) -> dict[str, Any]:
        """Return what an audit line may hold of it: no patient, only version and digest."""
        return {"version": self.version, "digest": self.digest}


class TaperStep(Owned):
    """A level of a taper plan and the days it lasts (FHIR Dosage with sequence)."""

    __tablename__ = "taper_steps"
    __table_args__ = (UniqueConstraint("taper_plan_id", "sequence"),)

    taper_plan_id: Mapped[UUID] = mapped_column(ForeignKey("taper_plans.id"))
    sequence: Mapped[int]
    starts_on: Mapped[date]
    days: Mapped[int]
    max_units: Mapped[Decimal]  #: A ceiling, not a target.
    status: Mapped[TaperStepStatus] = mapped_column(default=TaperStepStatus.PLANNED)
