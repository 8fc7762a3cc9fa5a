"""Write dates and amounts as patients read them, in their language."""

from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal

from babel.dates import format_date, format_time, get_day_names

from followup.clinical.timing import DAYS
from followup.core.vocabulary import Language

_LONGEST = 20  #: of a label that stands in texts, which are measured with that many
_DAY = {Language.EN: "EEE, MMM d", Language.ES: "EEE d MMM"}


def day_label(on: date, language: Language) -> str:
    """Return a short weekday and date: "Mon, Dec 21", "lun 21 dic"."""
    return format_date(on, _DAY[language], locale=language.value).replace(".", "")


def time_label(at: time, language: Language) -> str:
    """Return a clock time as people of the language write it: "10:00 AM", "10:00"."""
    return format_time(at, "short", locale="en_US" if language is Language.EN else "es").replace(
        "\u202f", " "
    )


def units_label(amount: Decimal) -> str:
    """Return a number of pills without needless zeros: "2.5", "4", "0"."""
    return f"{amount.normalize():f}" if amount else "0"


def hours_label(hours: Mapping[str, list[str]], language: Language) -> str:
    """Return office hours in 20 characters or fewer: "Mon-Fri 8 am-5 pm", "lun-vie 8 am-5 pm".

    Days with the hours of the first open day, as the span from the first to the last of them.
    """
    named = get_day_names("abbreviated", locale=language.value)
    open_days = [day for day in DAYS if day in hours]
    if not open_days:
        return ""
    alike = [day for day in open_days if hours[day] == hours[open_days[0]]]
    first, last = (named[DAYS.index(day)].rstrip(".") for day in (alike[0], alike[-1]))
    days = first if first == last else f"{first}-{last}"
    opens, closes = (time.fromisoformat(text) for text in hours[open_days[0]])
    label = f"{days} {_hour(opens)}-{_hour(closes)}"
    # The longest label of the 24-hour clock has 19 characters.
    return label if len(label) <= _LONGEST else f"{days} {opens:%H:%M}-{closes:%H:%M}"


def _hour(at: time) -> str:
    hour = f"{(at.hour - 1) % 12 + 1}" + (f":{at.minute:02}" if at.minute else "")
    return f"{hour} {'am' if at.hour < 12 else 'pm'}"
