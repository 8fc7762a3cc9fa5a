"""Turn a patient's local dates and wall times into instants, inside the hours when texts may go.

Reliability rule D9: a wall time that the clocks skip moves forward to the first valid minute, one that
comes twice means its first time. Instants are aware UTC; wall times and dates are naive and local.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from followup.clinical.tables import whole
from followup.core.errors import ClinicalError

OPENS = time(9)  #: reference 9.5 [V]: 09:00-20:00 local is inside every state's hours read there
SUNDAY_OPENS = time(12)  #: reference 9.5 [V]: Texas, Sunday from noon
CLOSES = time(20)
SUNDAY = 6
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTE = timedelta(minutes=1)


class UnknownZone(ClinicalError):
    """That time zone is not known."""

    code = "clinical.unknown_zone"


@dataclass(frozen=True, slots=True)
class Window:
    """From when to when an action may go out, in UTC; `expires_at` itself is too late."""

    due_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Hours:
    """Opening and closing wall time of one day."""

    opens: time
    closes: time


ClinicHours = Mapping[int, Hours]  #: weekday (Monday 0) -> hours; a day that is missing is closed


def zone_of(name: str) -> ZoneInfo:
    """Return the zone of an IANA name; raises UnknownZone."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as unknown:
        raise UnknownZone(f"{name!r} is not a time zone", field="time_zone") from unknown


def local_to_utc(wall: datetime, zone: str) -> datetime:
    """Return the UTC instant of a naive local wall time; a skipped one moves to the first valid minute."""
    tz = zone_of(zone)
    later = wall.replace(tzinfo=tz, fold=0).astimezone(UTC)
    if later.astimezone(tz).replace(tzinfo=None) == wall.replace(fold=0):
        return later
    earlier = wall.replace(tzinfo=tz, fold=1).astimezone(UTC).replace(second=0, microsecond=0)
    before = earlier.astimezone(tz).utcoffset()
    low, high = 0, int((later - earlier) / MINUTE) + 1  # the clocks jump after minute low, not after high
    while high - low > 1:
        middle = (low + high) // 2
        if (earlier + middle * MINUTE).astimezone(tz).utcoffset() == before:
            low = middle
        else:
            high = middle
    return earlier + high * MINUTE


def open_window(day: date, zone: str, narrow: tuple[time, time] | None = None) -> tuple[datetime, datetime]:
    """Return the instants between which we may start a text on that local date.

    `narrow` is a clinic's own earliest and latest wall time: it can only narrow the window.
    Raises ClinicalError when nothing is left of it.
    """
    hours = _hours(day, narrow)
    return _instant(day, hours.opens, zone), _instant(day, hours.closes, zone)


@lru_cache(
    maxsize=16_384
)  # a cohort shares its days, hours and zones; zone arithmetic is most of planning's work
def due(
    day: date, wall_time: time, window_hours: int, zone: str, narrow: tuple[time, time] | None = None
) -> Window:
    """Return when an action of that local date may go out.

    An action outside the open window goes at that date's opening and keeps its length in hours;
    no window lasts past closing, so that nothing goes out late on another day.
    """
    if window_hours < 1:
        raise ClinicalError("An action's window lasts at least 1 hour")
    opens, closes = open_window(day, zone, narrow)
    wanted = _instant(day, wall_time, zone)
    due_at = wanted if opens <= wanted < closes else opens
    return Window(due_at, min(due_at + timedelta(hours=window_hours), closes))


def is_open(at: datetime, zone: str, narrow: tuple[time, time] | None = None) -> bool:
    """Say whether we may start a text to a patient of that zone at this instant."""
    opens, closes = open_window(local_date(at, zone), zone, narrow)
    return opens <= at < closes


def next_opening(at: datetime, zone: str, narrow: tuple[time, time] | None = None) -> datetime:
    """Return this instant if texts may go now, else when they next may."""
    today = local_date(at, zone)
    opens, closes = open_window(today, zone, narrow)
    if at < closes:
        return max(at.astimezone(UTC), opens)
    return open_window(today + timedelta(days=1), zone, narrow)[0]


def next_window(at: datetime, hours: int, zone: str) -> Window:
    """Return the window of what may go from `at` on: it opens the next open minute, never past closing."""
    opens = next_opening(at, zone)
    closes = open_window(local_date(opens, zone), zone)[1]
    return Window(opens, min(opens + timedelta(hours=hours), closes))


def local_date(at: datetime, zone: str) -> date:
    """Return the local date of an aware instant; raises ClinicalError for a naive one."""
    if at.tzinfo is None:
        raise ClinicalError("An instant needs its zone")
    return at.astimezone(zone_of(zone)).date()


def clinic_hours(table: Mapping[str, Any], *, name: str = "hours") -> ClinicHours:
    """Compile `{mon = ["08:00", "17:00"], ...}`; raises ClinicalError naming the day of a mistake."""
    row = whole(name, table)
    hours = {}
    for day in table:
        if day not in DAYS:
            raise row.mistake(f"{day} is not one of {', '.join(DAYS)}")
        try:
            opens, closes = (time.fromisoformat(text) for text in row.words(day))
        except ValueError as broken:
            raise row.mistake(f"{day} must be an opening and a closing time, like 08:00") from broken
        if opens >= closes:
            raise row.mistake(f"{day} closes before it opens")
        hours[DAYS.index(day)] = Hours(opens, closes)
    return hours


def clinic_is_open(at: datetime, zone: str, hours: ClinicHours, holidays: Collection[date] = ()) -> bool:
    """Say whether the clinic is staffed at this instant."""
    today = local_date(at, zone)
    if today in holidays or today.weekday() not in hours:
        return False
    this_day = hours[today.weekday()]
    return _instant(today, this_day.opens, zone) <= at < _instant(today, this_day.closes, zone)


def _hours(day: date, narrow: tuple[time, time] | None) -> Hours:
    opens = SUNDAY_OPENS if day.weekday() == SUNDAY else OPENS
    earliest, latest = narrow or (opens, CLOSES)
    hours = Hours(max(opens, earliest), min(CLOSES, latest))
    if hours.opens >= hours.closes:
        raise ClinicalError(f"No hour is left for texts on a {day:%A}", field="narrow")
    return hours


def _instant(day: date, wall: time, zone: str) -> datetime:
    return local_to_utc(datetime.combine(day, wall), zone)
