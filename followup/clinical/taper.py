"""Draft a taper plan for a clinician to judge (reference 5.2), or check one written by hand.

A draft is a rule of thumb: nothing is texted from it before a prescriber approves that very version.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from itertools import groupby

from followup.clinical.bounds import LONGEST_DAYS, check_bounds, round_up
from followup.core.errors import TaperRefused

SHORT_COURSE = (Fraction(1, 2),)  #: more than 3 days, under a week: half for 2 days (CDC 2022, V2)
WEEKS = tuple(Fraction(n, 5) for n in (4, 3, 2, 1))  #: a week to a month: down about 20 % (CDC 2022, V2)


class Outcome(StrEnum):
    """What became of a request for a plan."""

    DRAFTED = "drafted"
    NO_TAPER_NEEDED = "no_taper_needed"  #: offer "use fewer each day as pain eases"
    REFUSE_MANUAL = "refuse_manual"  #: a clinician types every row
    REFUSE_TOO_FAST = "refuse_too_fast"  #: the target is shorter than `minimum_days`


@dataclass(frozen=True, slots=True)
class TaperRequest:
    """What a draft is made from; pills per day, days, and why no draft may be made (`manual_reasons`)."""

    start_pills: Decimal
    rx_max: Decimal
    days_taken: int | None
    regular: bool
    unit: Decimal = Decimal(1)
    step_days: int = 2
    target_days: int | None = None
    pills_left: Decimal | None = None
    manual_reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TaperStep:
    """Days of one level: `day_offset` 0 is the first day of the plan."""

    sequence: int
    day_offset: int
    days: int
    max_units: Decimal


@dataclass(frozen=True, slots=True)
class TaperDraft:
    """A plan, or the reason why there is none; `levels` is the maximum for each day, ending with 0."""

    outcome: Outcome
    levels: tuple[Decimal, ...] = ()
    steps: tuple[TaperStep, ...] = ()
    warnings: tuple[str, ...] = ()
    supply_short_by: Decimal | None = None
    minimum_days: int | None = None
    reasons: tuple[str, ...] = ()

    @property
    def total(self) -> Decimal:
        """Return the pills of the whole plan at its maximum."""
        return sum(self.levels, Decimal(0))


def draft(request: TaperRequest) -> TaperDraft:
    """Return a draft or a refusal by outcome; raises TaperRefused when an input or a bound is broken."""
    if request.manual_reasons:
        return TaperDraft(Outcome.REFUSE_MANUAL, reasons=request.manual_reasons)
    if not request.regular or (request.days_taken is not None and request.days_taken <= 3):
        return TaperDraft(Outcome.NO_TAPER_NEEDED)
    if request.days_taken is None:
        return TaperDraft(Outcome.REFUSE_MANUAL, reasons=("days_unknown",))
    if request.days_taken >= 30:
        return TaperDraft(Outcome.REFUSE_MANUAL, reasons=("long_course",))
    if request.step_days < 1:
        raise TaperRefused("A step lasts at least 1 day.", field="step_days")
    rungs = _rungs(request.start_pills, request.unit, request.days_taken)
    minimum = len(rungs) * request.step_days
    if request.target_days is not None and request.target_days < minimum:
        return TaperDraft(Outcome.REFUSE_TOO_FAST, minimum_days=minimum)
    return _finish(request, _spread(rungs, request.target_days or minimum))


def manual(request: TaperRequest, rows: Sequence[tuple[Decimal, int]]) -> TaperDraft:
    """Return a plan typed by a clinician as (most pills a day, days); the same bounds apply.

    The final day of 0 is added when it was left out. Raises TaperRefused.
    """
    if not rows or any(not 1 <= days <= LONGEST_DAYS for _, days in rows):
        raise TaperRefused(f"Each row lasts 1 to {LONGEST_DAYS} days, and there is at least one.")
    levels = [level for level, days in rows for _ in range(days)]
    return _finish(request, levels if levels[-1] == 0 else [*levels, Decimal(0)])


def max_units_on(steps: Sequence[TaperStep], day_offset: int) -> Decimal | None:
    """Return the most pills on that day of the plan: None before it begins, 0 from its last day on."""
    if day_offset < 0:
        return None
    for step in steps:
        if step.day_offset <= day_offset < step.day_offset + step.days:
            return step.max_units
    return Decimal(0)


def as_steps(levels: Sequence[Decimal]) -> tuple[TaperStep, ...]:
    """Return the days grouped into steps of one level each."""
    steps: list[TaperStep] = []
    offset = 0
    for level, days in groupby(levels):
        length = len(list(days))
        steps.append(TaperStep(len(steps) + 1, offset, length, level))
        offset += length
    return tuple(steps)


def _rungs(start: Decimal, unit: Decimal, days_taken: int) -> list[Decimal]:
    if unit <= 0:
        raise TaperRefused("Steps are whole pills, or halves of a scored tablet.", field="unit")
    rungs: list[Decimal] = []
    for share in SHORT_COURSE if days_taken < 7 else WEEKS:
        level = round_up(Fraction(start) * share, unit)  # up: the gentler way
        if level < (rungs[-1] if rungs else start):
            rungs.append(level)
    if days_taken >= 7 and start > unit and (not rungs or rungs[-1] > unit):
        rungs.append(unit)
    return rungs or [start]  # already one unit: hold once more, then stop


def _spread(rungs: list[Decimal], days: int) -> list[Decimal]:
    each, rest = divmod(days, len(rungs))
    longer_from = len(rungs) - rest  # the remainder goes to the last rungs
    levels = [rung for n, rung in enumerate(rungs) for _ in range(each + (n >= longer_from))]
    return [*levels, Decimal(0)]


def _finish(request: TaperRequest, levels: Sequence[Decimal]) -> TaperDraft:
    check_bounds(
        levels,
        start=request.start_pills,
        unit=request.unit,
        days_taken=request.days_taken,
        rx_max=request.rx_max,
    )
    total = sum(levels, Decimal(0))
    short = None if request.pills_left is None else max(Decimal(0), total - request.pills_left) or None
    return TaperDraft(
        Outcome.DRAFTED,
        levels=tuple(levels),
        steps=as_steps(levels),
        warnings=(*request.warnings, *([f"short by {short}"] if short else [])),
        supply_short_by=short,
    )
