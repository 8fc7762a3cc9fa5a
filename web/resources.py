"""Read the national treatment and crisis resources, and say which were not checked lately."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from followup.core.datafiles import load_toml

from .words import day


@dataclass(frozen=True)
class Resource:
    """One line of the list; `warning` says when its facts may be out of date."""

    name: str
    kind: str
    call: str
    text: str
    web: str
    hours: str
    languages: str
    note: str
    checked: str
    warning: str


def national(today: date, *kinds: str) -> list[Resource]:
    """Return the national resources of these kinds (all, when none is named), in the order of the file."""
    rows = load_toml("followup.clinical.data", "resources.toml")["resource"]
    return [_resource(row, today) for row in rows if not kinds or row["kind"] in kinds]


def _resource(row: Mapping[str, Any], today: date) -> Resource:
    checked: date | None = row.get("verified_on")
    words = {name: str(row.get(name, "")) for name in ("call", "text", "web", "hours", "languages", "note")}
    return Resource(
        name=row["name"],
        kind=row["kind"],
        **words,
        checked=f"checked {day(checked)}" if checked else "not checked yet",
        warning=_warning(checked, int(row["verify_every_days"]), today),
    )


def _warning(checked: date | None, every_days: int, today: date) -> str:
    if checked is None:
        return "No one here has checked this yet."
    if (today - checked).days > every_days:
        return f"Last checked {day(checked)}. Check it before you give it."
    return ""
