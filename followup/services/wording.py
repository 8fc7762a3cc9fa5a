"""Write dates and amounts as patients read them, in their language."""

from datetime import date, time
from decimal import Decimal

from babel.dates import format_date, format_time

from followup.core.vocabulary import Language

_DAY = {Language.EN: "EEE, MMM d", Language.ES: "EEE d MMM"}


def day_label(on: date, language: Language) -> str:
    """Return a short weekday and date: "Mon, Dec 21", "lun 21 dic"."""
    return format_date(on, _DAY[language], locale=language.value).replace(".", "")


def time_label(at: time, language: Language) -> str:
    """Return a clock time as people of the language write it: "10:00 AM", "10:00"."""
    return format_time(at, "short", locale="en_US" if language is Language.EN else "es").replace("\u202f", " ")


def units_label(amount: Decimal) -> str:
    """Return a number of pills without needless zeros: "2.5", "4", "0"."""
    return f"{amount.normalize():f}" if amount else "0"
