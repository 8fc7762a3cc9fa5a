"""Pick the national lines that a patient's page shows from the table that a person keeps checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from followup.core.datafiles import load_toml
from web.house import current_house

from .page import Page

#: Page -> rows of the table: few, known by name in both languages, and naming no drug to a bystander.
_SHOWN: Mapping[str, Sequence[str]] = {
    "help": ("lifeline_988", "samhsa", "findtreatment", "poison"),
    "disposal": ("dropoff",),
}


@dataclass(frozen=True)
class Place:
    """One line or address of the table; `is_old` when nobody has checked it lately."""

    name: str
    call: str | None
    text: str | None
    web: str | None
    is_old: bool


def national_places(page: Page, where: str) -> list[Place]:
    """Return the lines that belong on a page, in its order."""
    table = {row["key"]: row for row in load_toml("followup.clinical.data", "resources.toml")["resource"]}
    today = current_house().clock.now().astimezone(ZoneInfo(page.patient.time_zone)).date()
    return [_place(table[key], today) for key in _SHOWN[where]]


def _place(row: Mapping[str, object], today: date) -> Place:
    checked, days = row.get("verified_on"), row.get("verify_every_days")
    fresh = isinstance(checked, date) and isinstance(days, int) and today <= checked + timedelta(days=days)
    call, text, web = (row.get(key) for key in ("call", "text", "web"))
    return Place(
        name=str(row["name"]),
        call=str(call) if call else None,
        text=str(text) if text else None,
        web=str(web) if web else None,
        is_old=not fresh,
    )
