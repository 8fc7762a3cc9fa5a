"""Lay a patient's texts and answers out by day: the strip of six weeks, the rows of the chart."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from followup.core.vocabulary import Direction, Question, Tier
from followup.store.queries.numbers import Answered, Level
from followup.store.queries.worklist import Moment

from .charts import DAYS, Day

_GRAVE = frozenset((Tier.URGENT, Tier.EMERGENCY))


def day_of(discharge_on: date, at: datetime, zone: str) -> int:
    """Return which day after discharge an instant is, in the patient's zone; discharge is day 0."""
    return (at.astimezone(ZoneInfo(zone)).date() - discharge_on).days


def strip_states(moments: Iterable[Moment], discharge_on: date, zone: str, now: datetime) -> str:
    """Return a letter for each of days 1 to today: flagged, yes (answered), no answer, e (text only), dot."""
    today = day_of(discharge_on, now, zone)
    seen: dict[int, set[str]] = {}
    for moment in moments:
        seen.setdefault(day_of(discharge_on, moment.at, zone), set()).add(_mark(moment))
    return "".join(_letter(seen.get(day, set()), day == today) for day in range(1, min(today, DAYS) + 1))


def _mark(moment: Moment) -> str:
    if moment.direction is Direction.IN:
        return "f" if moment.tier in _GRAVE else ("y" if moment.is_answer else "said")
    return "asked" if moment.asks else "e"


def _letter(marks: set[str], is_today: bool) -> str:
    if "f" in marks or "y" in marks:
        return "f" if "f" in marks else "y"
    if "asked" in marks:
        return "." if is_today else "n"  # Today's question may still be answered.
    return "e" if "e" in marks else "."


def chart_rows(
    answers: Sequence[Answered], levels: Sequence[Level], strip: str, discharge_on: date, last: int
) -> list[Day]:
    """Return one row a day: the day's latest answers, the plan's level, whether it was silent or flagged."""
    by_day: dict[tuple[int, Question], float] = {
        ((answer.local_on - discharge_on).days, answer.question): float(answer.number)
        for answer in answers
        if answer.number is not None
    }
    return [
        Day(
            day=day,
            pain=by_day.get((day, Question.PAIN)),
            pills=by_day.get((day, Question.PILLS)),
            plan=_level_on(levels, discharge_on + timedelta(days=day)),
            withdrawal=by_day.get((day, Question.WITHDRAWAL)),
            is_silent=strip[day - 1 : day] == "n",
            has_alert=strip[day - 1 : day] == "f",
        )
        for day in range(1, last + 1)
    ]


def _level_on(levels: Sequence[Level], day: date) -> float | None:
    for level in levels:
        if level.starts_on <= day < level.starts_on + timedelta(days=level.days):
            return float(level.max_units)
    return None


def level_today(levels: Sequence[Level], today: date) -> Level | None:
    """Return the step of the plan that holds today; the last one after its end."""
    begun = [level for level in levels if level.starts_on <= today]
    return begun[-1] if begun else None
