"""Compile the tables of concepts and phrases, and find the concepts of a text."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from followup.clinical.keywords import KeywordTable
from followup.clinical.phrases import Match, PhraseBook
from followup.clinical.scales import Instruments
from followup.clinical.tables import Row, whole
from followup.clinical.triage.flags import FLAGS
from followup.clinical.triage.negation import NegationWords, is_negated
from followup.clinical.triage.spelling import Speller
from followup.clinical.triage.text import Word
from followup.core.vocabulary import Tier


class Cancel(StrEnum):
    """What makes a match count for nothing."""

    NEGATED = "negated"
    PAST = "past"
    HYPOTHETICAL = "hypothetical"


@dataclass(frozen=True, slots=True)
class Concept:
    """What a phrase means; a mark has no tier, a mask hides its words from the rest."""

    name: str
    tier: Tier | None
    flags: tuple[str, ...]
    unless: frozenset[Cancel]
    mask: bool


@dataclass(frozen=True, slots=True)
class Combination:
    """Concepts that together mean more than each alone."""

    names: tuple[str, ...]
    tier: Tier
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fever:
    """Lowest temperatures of a tier, in Fahrenheit and Celsius."""

    tier: Tier
    fahrenheit: Decimal
    celsius: Decimal


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Everything that triage judges by, compiled."""

    concepts: Mapping[str, Concept]
    combinations: tuple[Combination, ...]
    fevers: tuple[Fever, ...]  #: the most severe first
    unknown_max: Decimal  #: pills at once that are an overdose when the prescription's maximum is not known
    phrases: PhraseBook
    speller: Speller
    negation: NegationWords
    filler: frozenset[str]
    keywords: KeywordTable
    instruments: Instruments

    @classmethod
    def from_tables(
        cls,
        meaning: Mapping[str, Any],
        languages: Mapping[str, Mapping[str, Any]],
        *,
        keywords: KeywordTable,
        instruments: Instruments,
    ) -> "Lexicon":
        """Compile `triage.toml` with the lexicon of each language, by file name.

        Raises ClinicalError naming file and row of a mistake.
        """
        top = whole("triage.toml", meaning)
        concepts = {name: _concept(name, row) for name, row in top.cited().section("concepts").items()}
        books = [whole(file, table) for file, table in languages.items()]
        phrases: dict[str, list[str]] = {}
        for book in books:
            said = book.section("phrases")
            for name in said.data:
                if name not in concepts:
                    raise said.mistake(f"{name} is not a concept of triage.toml")
                phrases.setdefault(name, []).extend(said.words(name))
        if missing := concepts.keys() - phrases.keys():
            raise top.mistake(f"concepts without phrases: {', '.join(sorted(missing))}")
        fever = top.section("fever").cited()
        filler = _words(books, "filler")
        book_of_all = PhraseBook(phrases, top)
        return cls(
            concepts=concepts,
            combinations=tuple(_combination(row, concepts) for row in top.rows("combine")),
            fevers=tuple(
                Fever(tier, fever.decimal(f"{tier}_f"), fever.decimal(f"{tier}_c"))
                for tier in (Tier.EMERGENCY, Tier.URGENT, Tier.ROUTINE)
            ),
            unknown_max=top.section("pills").cited().decimal("unknown_max"),
            phrases=book_of_all,
            speller=Speller(
                {
                    slip: book.section("spelling").text(slip)
                    for book in books
                    for slip in book.section("spelling").data
                },
                _words(books, "mend"),
                lambda word: word in filler or book_of_all.knows(word),
            ),
            negation=NegationWords(
                _words(books, "negators"), _words(books, "joiners"), _words(books, "pronouns")
            ),
            filler=filler,
            keywords=keywords,
            instruments=instruments,
        )

    def find(self, words: Sequence[Word]) -> list[Match]:
        """Return the matches that count: not hidden by an idiom, denied, past or only supposed."""
        matches = self.phrases.find(words)
        hidden = {
            place
            for match in matches
            if self.concepts[match.name].mask
            for place in range(match.first, match.last + 1)
        }
        past = frozenset(words[match.first].sentence for match in matches if match.name == "past")
        supposed: dict[int, int] = {}
        for match in matches:
            if match.name == "hypothetical":
                supposed.setdefault(words[match.first].sentence, match.first)
        return [
            match
            for match in matches
            if (self.concepts[match.name].mask or not {match.first, match.last} & hidden)
            and not self._cancelled(self.concepts[match.name].unless, words, match, past, supposed)
        ]

    def _cancelled(
        self,
        unless: frozenset[Cancel],
        words: Sequence[Word],
        match: Match,
        past: frozenset[int],
        supposed: Mapping[int, int],
    ) -> bool:
        sentence = words[match.first].sentence
        return (
            (Cancel.PAST in unless and sentence in past)
            or (Cancel.HYPOTHETICAL in unless and supposed.get(sentence, match.first) < match.first)
            or (Cancel.NEGATED in unless and is_negated(words, match.first, self.negation))
        )


def _words(books: Iterable[Row], key: str) -> frozenset[str]:
    return frozenset(word for book in books for word in book.section("words").words(key))


def _flags(row: Row) -> tuple[str, ...]:
    flags = row.words("flags")
    if unknown := set(flags) - FLAGS:
        raise row.mistake(f"unknown flags: {', '.join(sorted(unknown))}")
    return flags


def _concept(name: str, row: Row) -> Concept:
    kind = row.text("kind") if row.has("kind") else "meaning"
    unless = row.words("unless")
    if kind not in ("meaning", "mark", "mask") or set(unless) - set(Cancel):
        raise row.mistake("kind or unless is not a known word")
    tier = row.word("tier", Tier) if kind == "meaning" else None
    return Concept(name, tier, _flags(row), frozenset(Cancel(word) for word in unless), kind == "mask")


def _combination(row: Row, concepts: Mapping[str, Concept]) -> Combination:
    names = row.words("all")
    if len(names) < 2 or set(names) - concepts.keys():
        raise row.mistake("needs two or more known concepts")
    return Combination(names, row.word("tier", Tier), _flags(row))
