"""Read which text answers which event, how often, and whether it counts toward the daily cap."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Any

from followup.core.datafiles import load_toml
from followup.core.errors import ContentError

_HEAD = frozenset({"owner", "status", "reviewed_on"})
_KEYS = frozenset({"messages", "counts", "limit", "times", "per", "pick", "note"})


class Counts(StrEnum):
    """How a text stands to the cap of scheduled texts a day."""

    COUNTS = "counts"  #: takes a place of the day
    REPLY = "reply"  #: answers the person's own text
    STAFF = "staff"  #: goes to, or is chosen by, staff
    FRAGMENT = "fragment"  #: part of another text


class Per(StrEnum):
    """The span within which an event's text may go out `times` times."""

    EVER = "ever"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    CHECKIN = "checkin"
    HOLD = "hold"
    VERSION = "version"
    EVENT = "event"  #: each time the event happens


class Pick(StrEnum):
    """Which of an event's texts goes out."""

    ALL = "all"  #: all of them, in order; also when there is only one
    IN_TURN = "in_turn"  #: the next one each time
    ALTERNATE = "alternate"  #: one and the other by turns
    BY_CASE = "by_case"  #: flag, channel, office hours or hidden numbers decide
    BY_HAND = "by_hand"  #: a staff member chooses


_HOURS: Mapping[Per, int] = {Per.HOUR: 1, Per.DAY: 24, Per.WEEK: 168}


@dataclass(frozen=True, slots=True)
class Limit:
    """How often: at most `times` (None = no limit) in each `per`; `words` as the clinical draft says it."""

    times: int | None
    per: Per
    words: str

    @property
    def per_hours(self) -> int | None:
        """Return the span in hours where it is one of the clock, else None."""
        return _HOURS.get(self.per)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happens, and the texts that answer it."""

    name: str
    message_keys: tuple[str, ...]
    counts: Counts
    limit: Limit
    pick: Pick
    note: str


def _event(name: str, raw: Mapping[str, Any]) -> Event:
    if unknown := sorted(set(raw) - _KEYS):
        raise ContentError(f"events.toml: {name} holds unknown keys: {', '.join(unknown)}")
    try:
        return Event(
            name=name,
            message_keys=tuple(raw["messages"]),
            counts=Counts(raw["counts"]),
            limit=Limit(raw.get("times"), Per(raw.get("per", Per.EVENT)), raw.get("limit", "")),
            pick=Pick(raw.get("pick", Pick.ALL)),
            note=raw.get("note", ""),
        )
    except (KeyError, ValueError) as wrong:
        raise ContentError(f"events.toml: {name}: {wrong}") from wrong


@dataclass(frozen=True, slots=True)
class Events:
    """Every event by name."""

    by_name: Mapping[str, Event]

    def get(self, name: str) -> Event:
        """Return the event; ContentError if the name is unknown."""
        try:
            return self.by_name[name]
        except KeyError:
            raise ContentError(f"unknown event: {name}") from None

    def all(self) -> tuple[Event, ...]:
        """Return the events in the order of the file."""
        return tuple(self.by_name.values())


def events_from(raw: Mapping[str, Any]) -> Events:
    """Build the events from the mapping of their file; ContentError names the event at fault."""
    named = {name: _event(name, one) for name, one in raw.items() if name not in _HEAD}
    return Events(MappingProxyType(named))


@cache
def load_events() -> Events:
    """Return the shipped events, read once."""
    return events_from(load_toml("followup.messages", "events.toml"))
