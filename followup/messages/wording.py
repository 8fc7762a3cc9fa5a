"""Read what all texts share (`wording.toml`): folding, the prefix, fields, answers, keywords, staff codes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from followup.core.datafiles import load_toml
from followup.core.vocabulary import Language


@dataclass(frozen=True, slots=True)
class Field:
    """A name that may stand in braces in a text, what it holds, and a sample of usual length per language."""

    about: str
    samples: Mapping[Language, str]


@dataclass(frozen=True, slots=True)
class AnswerRange:
    """The answers one question takes: numbers `low` to `high` by `step`, yes or no, or words."""

    answers: str
    low: float | None = None
    high: float | None = None
    step: float | None = None
    many: bool = False
    yes_no: bool = False
    words: bool = False


@dataclass(frozen=True, slots=True)
class Keyword:
    """A word that a patient may text, in each language."""

    words: Mapping[Language, str]
    note: str


@dataclass(frozen=True, slots=True)
class Wording:
    """All of `wording.toml`."""

    version: str
    fold: Mapping[str, str]
    typography: Mapping[str, str]
    prefix: str
    footer: str
    reply_marker: str
    without_footer: frozenset[str]
    wrapper: str
    wrapped: frozenset[str]  #: Texts that the wrapper's words stand for in mail.
    fields: Mapping[str, Field]
    asks: Mapping[str, AnswerRange]
    keywords: tuple[Keyword, ...]
    staff_codes: Mapping[str, str]

    def sample(self, language: Language) -> Mapping[str, str]:
        """Return every field with its sample value in one language."""
        return {name: field.samples[language] for name, field in self.fields.items()}


def _field(raw: Mapping[str, Any]) -> Field:
    return Field(raw["about"], {language: raw["sample"][language] for language in Language})


def _keyword(raw: Mapping[str, str]) -> Keyword:
    return Keyword({language: raw[language] for language in Language}, raw.get("note", ""))


def wording_from(raw: Mapping[str, Any]) -> Wording:
    """Build the shared wording from the mapping of its file."""
    return Wording(
        version=raw["version"],
        fold=MappingProxyType(dict(raw["fold"])),
        typography=MappingProxyType(dict(raw["typography"])),
        prefix=raw["prefix"]["text"],
        footer=raw["mail"]["footer"],
        reply_marker=raw["mail"]["reply_marker"],
        without_footer=frozenset(raw["mail"]["without_footer"]),
        wrapper=raw["mail"]["wrapper"],
        wrapped=frozenset(raw["mail"]["wrapped"]),
        fields=MappingProxyType({name: _field(one) for name, one in raw["fields"].items()}),
        asks=MappingProxyType({key: AnswerRange(**one) for key, one in raw["asks"].items()}),
        keywords=tuple(_keyword(one) for one in raw["keyword"]),
        staff_codes=MappingProxyType(dict(raw["staff_codes"])),
    )


@cache
def load_wording() -> Wording:
    """Return the shipped shared wording, read once."""
    return wording_from(load_toml("followup.messages", "wording.toml"))
