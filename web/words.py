"""Say times, amounts and numbers the way the interface guide says them."""

from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from followup.core.contactpoint import PhoneNumber
from followup.core.errors import InvalidInput

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def clock_time(at: datetime, zone: str, *, named: bool = False) -> str:
    """Return a wall time such as "9:41 am", with the zone's short name when `named`."""
    local = at.astimezone(ZoneInfo(zone))
    said = f"{local.hour % 12 or 12}:{local.minute:02d} {'am' if local.hour < 12 else 'pm'}"
    return f"{said} {local.tzname()}" if named else said


def day(at: datetime | date, zone: str | None = None) -> str:
    """Return a day such as "Tue Nov 24, 2026"; an instant needs its zone."""
    on = at.astimezone(ZoneInfo(zone)).date() if isinstance(at, datetime) and zone else at
    return f"{on:%a %b} {on.day}, {on.year}"


def full_date(on: date) -> str:
    """Return a date without its weekday, such as "Mar 2, 1968"."""
    return f"{on:%b} {on.day}, {on.year}"


def short_day(at: datetime | date, zone: str | None = None) -> str:
    """Return a day without its year, such as "Tue Nov 24"."""
    return day(at, zone).rpartition(",")[0]


def span(seconds: float) -> str:
    """Return a length of time in its largest unit: "12 s", "6 min", "3 h", "2 days"."""
    whole = int(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < 2 * _DAY:
        return f"{whole // _HOUR} h"
    return f"{whole // _DAY} days"


def ago(at: datetime, now: datetime) -> str:
    """Return how long ago an instant was: "6 min ago", "just now"."""
    seconds = (now - at).total_seconds()
    return "just now" if seconds < _MINUTE else f"{span(seconds)} ago"


def amount(value: Decimal | None) -> str:
    """Return a number without idle zeros, or a dash where there is none."""
    return "–" if value is None else f"{value.normalize():f}"


def phone(value: str) -> str:
    """Return an E.164 number as its country writes it; anything else as it stands."""
    try:
        return PhoneNumber.parse(value).national if value.startswith("+") else value
    except InvalidInput:
        return value


def initials(name: str) -> str:
    """Return up to two initials of a display name, titles left out."""
    parts = [
        part for part in name.replace(",", " ").split() if part.lower().rstrip(".") not in {"dr", "rn", "np"}
    ]
    return "".join(part[0] for part in (parts[:1] + parts[1:][-1:])).upper()


def years(born: date, on: date) -> int:
    """Return a person's age in whole years."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))
