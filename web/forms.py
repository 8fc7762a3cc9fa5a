"""Read a posted form field by field: typed values out, and for each fault a sentence that says what to do."""

import re
from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from werkzeug.datastructures import MultiDict

from followup.core.contactpoint import EmailAddress, PhoneNumber
from followup.core.errors import InvalidInput
from followup.core.typed import cleaned

Word = TypeVar("Word", bound=StrEnum)

YES_NO: Mapping[str, bool] = {"yes": True, "no": False}
_FOUR_DIGITS = 1000  #: "7/19/74" is no year 74: the year is typed whole.
_NUMBER = re.compile(r"(?=[.,]?[0-9])[0-9]{0,6}(?:[.,][0-9]{1,2})?")


class FormReader:
    """One submitted form. Each method returns the value, or None after noting a fault under the field's name.

    Nothing typed is lost: templates show `values` again beside `errors`.
    """

    def __init__(self, values: MultiDict[str, str]) -> None:
        """Take the form as it was posted."""
        self.values = values
        self.errors: dict[str, str] = {}

    def raw(self, name: str) -> str:
        """Return what was typed, without spaces at its ends and without signs that nobody sees."""
        return cleaned(self.values.get(name) or "").strip()

    @property
    def first_fault(self) -> str | None:
        """Return the first field with a fault, in the order in which the page reads its fields."""
        return next(iter(self.errors), None)

    def fault(self, name: str, message: str) -> None:
        """Note a fault; the first one of a field stands."""
        self.errors.setdefault(name, message)

    def text(self, name: str, *, longest: int, missing: str | None = None) -> str | None:
        """Return words; `missing` is the fault of an empty field, None if it may be empty."""
        typed = self.raw(name)
        if not typed:
            self._absent(name, missing)
            return None
        if len(typed) > longest:
            self.fault(name, f"{len(typed)} characters, takes {longest}. Make it shorter.")
            return None
        return typed

    def word(self, name: str, kind: type[Word], *, missing: str) -> Word | None:
        """Return a word of a vocabulary."""
        typed = self.raw(name)
        if typed not in [member.value for member in kind]:
            self.fault(name, missing)
            return None
        return kind(typed)

    def choice(self, name: str, options: Collection[str], *, missing: str | None) -> str | None:
        """Return one of the options; anything else is as good as nothing."""
        typed = self.raw(name)
        if typed not in options:
            self._absent(name, missing)
            return None
        return typed

    def yes_no(self, name: str, *, missing: str) -> bool | None:
        """Return the answer of two radio buttons, neither of which is chosen for the reader."""
        answer = YES_NO.get(self.raw(name))
        if answer is None:
            self.fault(name, missing)
        return answer

    def ticked(self, name: str) -> bool:
        """Tell whether a box is ticked."""
        return name in self.values

    def many(self, name: str, options: Collection[str]) -> frozenset[str]:
        """Return the ticked ones of a group of boxes."""
        return frozenset(self.values.getlist(name)) & frozenset(options)

    def day(
        self, name: str, *, missing: str | None, earliest: date | None = None, latest: date | None = None
    ) -> date | None:
        """Return a date, typed as year-month-day or month/day/year, within bounds given for sense."""
        typed = self.raw(name)
        if not typed:
            self._absent(name, missing)
            return None
        found = _parse_day(typed)
        if found is None:
            self.fault(name, "This is not a date. Type it as MM/DD/YYYY, such as 07/19/1974.")
        elif earliest is not None and found < earliest:
            self.fault(name, f"This is before {_us(earliest)}. {_which_part(found, earliest)}")
        elif latest is not None and found > latest:
            self.fault(name, f"This is after {_us(latest)}. {_which_part(found, latest)}")
        else:
            return found
        return None

    def number(
        self,
        name: str,
        *,
        missing: str | None,
        low: Decimal,
        high: Decimal,
        step: Decimal | None = None,
        advice: str = "Check it against the prescription.",
    ) -> Decimal | None:
        """Return a number from low to high; `step` 1 wants whole ones, 0.5 takes halves too.

        `advice` is what to do about a number outside the bounds.
        """
        typed = self.raw(name)
        if not typed:
            self._absent(name, missing)
            return None
        found = parse_number(typed)
        if found is None:
            self.fault(name, "This is not a number. Type digits only, such as 30.")
        elif not low <= found <= high:
            self.fault(name, f"Must be from {low} to {high}. {advice}")
        elif step is not None and found % step:
            self.fault(name, "Must be a whole number." if step == 1 else f"Goes in steps of {step}.")
        else:
            return found
        return None

    def phone(self, name: str, *, region: str) -> PhoneNumber | None:
        """Return a phone number that can get texts; None when empty."""
        typed = self.raw(name)
        if not typed:
            return None
        try:
            return PhoneNumber.parse(typed[:40], region)
        except InvalidInput as wrong:
            self.fault(name, str(wrong))
            return None

    def email(self, name: str) -> EmailAddress | None:
        """Return an e-mail address; None when empty."""
        typed = self.raw(name)
        if not typed:
            return None
        try:
            return EmailAddress.parse(typed[:300])
        except InvalidInput as wrong:
            self.fault(name, str(wrong))
            return None

    def _absent(self, name: str, missing: str | None) -> None:
        if missing is not None:
            self.fault(name, missing)


def parse_number(typed: str) -> Decimal | None:
    """Return a number of at most two decimals, after a point or a comma; None for anything else.

    "1,000" is refused, for it is one in one language and a thousand in the other.
    """
    plain = typed.strip().replace(" ", "")
    return Decimal(plain.replace(",", ".")) if _NUMBER.fullmatch(plain) else None


def _us(day: date) -> str:
    return f"{day:%m/%d/%Y}"


def _which_part(typed: date, bound: date) -> str:
    return "Check the day and the month." if typed.year == bound.year else "Check the year."


def _parse_day(typed: str) -> date | None:
    parts = typed.split("/")
    try:
        if len(parts) == 3:
            month, day, year = (int(part) for part in parts)
            return date(year, month, day) if year >= _FOUR_DIGITS else None
        return date.fromisoformat(typed)
    except ValueError:
        return None
