"""Read what every text must keep and may never say (`law.toml`), patterns compiled."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from followup.core.datafiles import load_toml
from followup.core.vocabulary import Language


@dataclass(frozen=True, slots=True)
class TakeMore:
    """Words that may read as "take more", and what before or after them makes them a warning."""

    says: re.Pattern[str]
    before: re.Pattern[str]
    after: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Capitals:
    """Which words may stand in capitals beside the keywords, and where carriers' words and YES may stand."""

    plain: frozenset[str]
    carrier: frozenset[str]
    carrier_kinds: frozenset[str]
    carrier_keys: frozenset[str]
    allowed: Mapping[str, frozenset[str]]
    yes_asks: frozenset[str]
    yes_keys: frozenset[str]


@dataclass(frozen=True, slots=True)
class Must:
    """Texts, and one part that each of them must hold in each language."""

    keys: tuple[str, ...]
    part: Mapping[Language, str]


@dataclass(frozen=True, slots=True)
class Law:
    """All of `law.toml`."""

    max_size: int
    max_grade: float
    min_ease: float
    never: Mapping[str, re.Pattern[str]]
    staff_fields: frozenset[str]
    take_more: TakeMore
    capitals: Capitals
    must_say: tuple[Must, ...]
    safety_says: str
    safety_except: frozenset[str]
    closed_says: str
    closed_kinds: frozenset[str]
    closed_except: frozenset[str]
    seed: tuple[str, ...]


#: Lists whose patterns must match to the end of a word; the others match its beginning.
_WHOLE_WORDS = frozenset({"score", "subject", "informal"})


def _pattern(name: str, parts: Iterable[str]) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(parts)})" + (r"\b" if name in _WHOLE_WORDS else ""), re.IGNORECASE)


def _musts(raw: Mapping[str, Any]) -> Iterable[Must]:
    for part in raw["parts"]:
        by_language = {language: part if isinstance(part, str) else part[language] for language in Language}
        yield Must(tuple(raw["keys"]), by_language)


def _capitals(raw: Mapping[str, Any]) -> Capitals:
    lists = {name: frozenset(value) for name, value in raw.items() if name != "allowed"}
    return Capitals(**lists, allowed={key: frozenset(words) for key, words in raw["allowed"].items()})


def law_from(raw: Mapping[str, Any]) -> Law:
    """Build the law from the mapping of its file."""
    never = {name: parts for name, parts in raw["never"].items() if name != "staff_fields"}
    return Law(
        **raw["limits"],
        never={name: _pattern(name, parts) for name, parts in never.items()},
        staff_fields=frozenset(raw["never"]["staff_fields"]),
        take_more=TakeMore(**{name: re.compile(one) for name, one in raw["take_more"].items()}),
        capitals=_capitals(raw["capitals"]),
        must_say=tuple(must for one in raw["must_say"] for must in _musts(one)),
        safety_says=raw["safety"]["says"],
        safety_except=frozenset(raw["safety"]["except"]),
        closed_says=raw["closed"]["says"],
        closed_kinds=frozenset(raw["closed"]["kinds"]),
        closed_except=frozenset(raw["closed"]["except"]),
        seed=tuple(raw["seed"]["keys"]),
    )


@cache
def load_law() -> Law:
    """Return the shipped law, read once."""
    return law_from(load_toml("followup.messages", "law.toml"))
