"""Say what a Twilio error code means, from the table beside this file."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from followup.core.datafiles import load_toml
from followup.core.errors import ContentError


class CodeKind(StrEnum):
    """What a code asks of us; the table's head has a sentence for each."""

    TEMPORARY = "temporary"
    PERMANENT = "permanent"
    OPTED_OUT = "opted_out"
    INVALID = "invalid"
    FILTERED = "filtered"
    REGISTRATION = "registration"
    CREDENTIALS = "credentials"


#: Nothing is wrong with the text or the number: the same text may go later.
PASSING = frozenset({CodeKind.TEMPORARY, CodeKind.CREDENTIALS})


@dataclass(frozen=True)
class CodeMeaning:
    """One row of the table."""

    kind: CodeKind
    reason: str  #: Plain words for staff.
    staff_task: bool  #: A person must do something.
    source: str

    @property
    def is_permanent(self) -> bool:
        """Return whether the same text to the same number would fail again."""
        return self.kind not in PASSING


_UNLISTED = CodeMeaning(CodeKind.PERMANENT, "The carrier did not take the text.", staff_task=True, source="")


def meaning_of(code: str | None) -> CodeMeaning:
    """Return what the code means; one that the table does not hold is permanent, and a person looks at it."""
    return known_codes().get(code or "", _UNLISTED)


@cache
def known_codes() -> Mapping[str, CodeMeaning]:
    """Return the table by code; ContentError names a row that is not complete."""
    rows = load_toml("followup.providers", "twilio_codes.toml")
    try:
        return {code: CodeMeaning(**{**row, "kind": CodeKind(row["kind"])}) for code, row in rows.items()}
    except (KeyError, TypeError, ValueError) as broken:
        raise ContentError(f"followup.providers/twilio_codes.toml: {broken}") from broken
