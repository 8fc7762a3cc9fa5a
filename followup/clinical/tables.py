"""Read rows of a clinical data table strictly, naming the file and the row of every mistake."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, TypeVar

from followup.core.errors import ClinicalError

MARKS = frozenset(
    {"V", "V2", "G", "J"}
)  #: confidence marks of the reference: read, second hand, general, ours
Word = TypeVar("Word", bound=StrEnum)


class TableMistake(ClinicalError):
    """A clinical table has a mistake."""

    code = "clinical.table"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table, with the name of its file for complaints."""

    file: str
    name: str
    data: Mapping[str, Any]

    def mistake(self, why: str) -> TableMistake:
        """Return the error that names this row; the caller raises it."""
        return TableMistake(f"{self.file}: {self.name}: {why}")

    def has(self, key: str) -> bool:
        """Say whether the row gives this key."""
        return key in self.data

    def text(self, key: str) -> str:
        """Return a non-empty string."""
        value = self.data.get(key)
        if not isinstance(value, str) or not value.strip():
            raise self.mistake(f"{key} must be words")
        return value

    def decimal(self, key: str) -> Decimal:
        """Return a finite number of zero or more, written as a string or a whole number (never a float)."""
        return self._decimal(key, self.data.get(key))

    def decimals(self, key: str) -> tuple[Decimal, ...]:
        """Return a list of numbers."""
        return tuple(self._decimal(key, value) for value in self._list(key))

    def flag(self, key: str) -> bool:
        """Return true or false; false when the key is absent."""
        value = self.data.get(key, False)
        if not isinstance(value, bool):
            raise self.mistake(f"{key} must be true or false")
        return value

    def words(self, key: str) -> tuple[str, ...]:
        """Return a list of strings, empty when the key is absent."""
        values = self._list(key)
        if not all(isinstance(value, str) and value.strip() for value in values):
            raise self.mistake(f"{key} must be a list of words")
        return tuple(values)

    def word(self, key: str, kind: type[Word]) -> Word:
        """Return a member of a vocabulary."""
        value = self.text(key)
        if value not in list(kind):
            raise self.mistake(f"{key} {value!r} is not one of {', '.join(kind)}")
        return kind(value)

    def rows(self, key: str) -> tuple["Row", ...]:
        """Return a list of sub-rows, numbered from 1, empty when the key is absent."""
        return tuple(
            Row(self.file, f"{self.name}.{key}[{number}]", self._mapping(key, value))
            for number, value in enumerate(self._list(key), 1)
        )

    def section(self, key: str) -> "Row":
        """Return a sub-table as a row."""
        return Row(self.file, f"{self.name}.{key}".lstrip("."), self._mapping(key, self.data.get(key)))

    def items(self) -> Iterator[tuple[str, "Row"]]:
        """Yield every sub-table with its key."""
        for key in self.data:
            yield key, self.section(key)

    def cited(self) -> "Row":
        """Return the row itself after checking that it says its source and its mark."""
        self.text("source")
        if self.text("mark") not in MARKS:
            raise self.mistake(f"mark must be one of {', '.join(sorted(MARKS))}")
        return self

    def _decimal(self, key: str, value: object) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise self.mistake(f"{key} must be a number in quotes")
        try:
            number = Decimal(value)
        except InvalidOperation as broken:
            raise self.mistake(f"{key} {value!r} is not a number") from broken
        if not number.is_finite() or number < 0:
            raise self.mistake(f"{key} must be zero or more")
        return number

    def _list(self, key: str) -> list[Any]:
        values = self.data.get(key, [])
        if not isinstance(values, list):
            raise self.mistake(f"{key} must be a list")
        return values

    def _mapping(self, key: str, value: object) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise self.mistake(f"{key} must be a table")
        return value


def whole(file: str, table: Mapping[str, Any]) -> Row:
    """Return a whole file as one row."""
    return Row(file, "", table)
