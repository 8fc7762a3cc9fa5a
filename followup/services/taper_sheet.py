"""Lay one version of a taper out for the eye of whoever approves it: days, levels, arithmetic, limits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from sqlalchemy.orm import Session

from followup.clinical.bounds import LONGEST_DAYS, largest_drop
from followup.store.models import MedicationRequest, TaperPlan, TaperStep
from followup.store.queries import tapers


@dataclass(frozen=True)
class Row:
    """One step: its local days, most pills a day, pills it may use, MME a day (None: no factor)."""

    sequence: int
    starts_on: date
    ends_on: date
    max_units: Decimal
    total_units: Decimal
    mme_per_day: Decimal | None


@dataclass(frozen=True)
class Sheet:
    """What an approver sees of one version."""

    rows: tuple[Row, ...]
    levels: tuple[Decimal, ...]  #: The most pills of each day, in order.
    total_units: Decimal
    largest_drop: Decimal
    drop_limit: Decimal

    @property
    def ends_on(self) -> date:
        """Return the day of the last level."""
        return self.rows[-1].ends_on

    @property
    def longest_days(self) -> int:
        """Return how long a plan may last before a person reviews it."""
        return LONGEST_DAYS


def sheet(session: Session, plan: TaperPlan, prescription: MedicationRequest | None) -> Sheet:
    """Return the version as rows and sums; the bounds themselves were checked when it was drafted."""
    steps = tapers.steps_of(session, plan.id)
    levels = tuple(step.max_units for step in steps for _ in range(step.days))
    return Sheet(
        rows=tuple(_row(step, prescription) for step in steps),
        levels=levels,
        total_units=sum(levels, Decimal(0)),
        largest_drop=_largest(plan.start_units, levels),
        drop_limit=largest_drop(plan.start_units, plan.unit, plan.days_taken or None),
    )


def _largest(start: Decimal, levels: Sequence[Decimal]) -> Decimal:
    return max(
        (before - level for before, level in zip((start, *levels), levels, strict=False)), default=Decimal(0)
    )


def _row(step: TaperStep, prescription: MedicationRequest | None) -> Row:
    return Row(
        sequence=step.sequence,
        starts_on=step.starts_on,
        ends_on=step.starts_on + timedelta(days=step.days - 1),
        max_units=step.max_units,
        total_units=step.max_units * step.days,
        mme_per_day=_mme(step.max_units, prescription),
    )


def _mme(units: Decimal, prescription: MedicationRequest | None) -> Decimal | None:
    if prescription is None or prescription.mme_per_day is None:
        return None
    return prescription.mme_per_day / prescription.max_units_per_day * units
