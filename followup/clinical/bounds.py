"""Check a taper against the hard bounds (reference 5.3), whoever wrote it; called again at send time."""

import math
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from followup.core.errors import TaperRefused

UNITS = frozenset({Decimal(1), Decimal("0.5")})  #: whole tablets, or halves of a scored one
LONGEST_DAYS = 42  #: reference 5.3.11: then a person reviews


def round_up(value: Fraction, unit: Decimal) -> Decimal:
    """Return the value rounded up to a multiple of the unit, exactly."""
    return math.ceil(value / Fraction(unit)) * unit


def largest_drop(start: Decimal, unit: Decimal, days_taken: int | None) -> Decimal:
    """Return the largest allowed step down in pills (reference 5.3.3).

    A quarter of the start from a week on and when the days are unknown; half of it before.
    """
    share = Fraction(1, 2) if days_taken is not None and days_taken < 7 else Fraction(1, 4)
    return max(unit, round_up(Fraction(start) * share, unit))


def check_bounds(
    levels: Sequence[Decimal],
    *,
    start: Decimal,
    unit: Decimal,
    days_taken: int | None,
    rx_max: Decimal,
    whole_start: Decimal | None = None,
) -> None:
    """Return when every bound holds; raises TaperRefused with the reason in plain words.

    `levels` is the daily maximum for each day, in pills, ending with the 0 day; `start` is the
    maximum before the plan, `rx_max` the prescription's own. `whole_start` is where a taper began of
    which these are the levels that a hold left over: its largest drop still holds, and its last step
    may be all that is left.
    """
    whole = start if whole_start is None else whole_start
    _check_start(start, unit, rx_max)
    _check_shape(levels, unit, fewest=1 if start < whole else 2)
    drop = largest_drop(whole, unit, days_taken)
    for day, (before, level) in enumerate(zip((start, *levels), levels, strict=False), 1):
        if level > before:
            raise TaperRefused(f"Day {day} goes up from {before} to {level}. A plan never goes up.")
        if before - level > drop:
            raise TaperRefused(f"Day {day} drops by {before - level}; the most is {drop} at a time.")


def _check_start(start: Decimal, unit: Decimal, rx_max: Decimal) -> None:
    if unit not in UNITS:
        raise TaperRefused("Steps are whole pills, or halves of a scored tablet.", field="unit")
    if not start.is_finite() or start <= 0 or start % unit:
        raise TaperRefused(f"The start must be above 0, in steps of {unit}.", field="start_pills")
    if start > rx_max:
        raise TaperRefused(
            f"The start of {start} is above the prescribed {rx_max} a day.", field="start_pills"
        )


def _check_shape(levels: Sequence[Decimal], unit: Decimal, *, fewest: int) -> None:
    if len(levels) > LONGEST_DAYS:
        raise TaperRefused(f"The plan lasts {len(levels)} days; the most is {LONGEST_DAYS}.")
    if any(not level.is_finite() or level < 0 or level % unit for level in levels):
        raise TaperRefused(f"Every level must be 0 or more, in steps of {unit}.")
    if len(levels) < fewest or levels[-1] != 0:
        raise TaperRefused("A plan has at least one step and ends with a day of 0.")
    if 0 in levels[:-1]:
        raise TaperRefused("Only the last day is 0.")
