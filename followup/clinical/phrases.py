"""Match phrases of a small language against words, in bounded time and without regular expressions.

A phrase is words in a row within one clause: `cant|cannot` one of several, `breath*` a word that begins
so, `?really` a word that may be missing, `~` up to three words of any kind.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from followup.clinical.tables import Row
from followup.clinical.triage.text import fold

GAP = 3  #: words that `~` may skip
STEM = 3  #: shortest beginning that `*` takes


class HasWord(Protocol):
    """A word with the clause that it stands in."""

    @property
    def text(self) -> str:
        """Return the folded word."""
        ...

    @property
    def clause(self) -> int:
        """Return the number of its clause."""
        ...


@dataclass(frozen=True, slots=True)
class Element:
    """One place of a phrase; a gap has neither words nor stems."""

    words: frozenset[str]
    stems: tuple[str, ...]
    optional: bool

    @property
    def is_gap(self) -> bool:
        """Say whether any words may stand here."""
        return not self.words and not self.stems

    def takes(self, word: str) -> bool:
        """Say whether the word fits this place."""
        return word in self.words or (bool(self.stems) and word.startswith(self.stems))


@dataclass(frozen=True, slots=True)
class Match:
    """A phrase found: its name, and its first and last word by index."""

    name: str
    first: int
    last: int


class PhraseBook:
    """Phrases by name, indexed by how they begin."""

    def __init__(self, phrases: Mapping[str, Iterable[str]], row: Row) -> None:
        """Compile the phrases; raises ClinicalError naming the table and the phrase of a mistake."""
        self._by_word: dict[str, list[tuple[str, tuple[Element, ...]]]] = defaultdict(list)
        self._by_stem: dict[str, list[tuple[str, tuple[Element, ...]]]] = defaultdict(list)
        for name, texts in phrases.items():
            for text in texts:
                self._add(name, text, row)
        parts = [
            part for found in (self._by_word, self._by_stem) for rest in found.values() for _, part in rest
        ]
        elements = [element for part in parts for element in part]
        self._words = frozenset(word for element in elements for word in element.words)
        self._stems = tuple({stem for element in elements for stem in element.stems})

    def knows(self, word: str) -> bool:
        """Say whether any phrase could take the word as it stands."""
        return word in self._words or word.startswith(self._stems)

    def find(self, words: Sequence[HasWord]) -> list[Match]:
        """Return the longest match of every name at every place, in the order of the words."""
        found: dict[tuple[int, str], int] = {}
        for first, word in enumerate(words):
            for name, elements in (
                *self._by_word.get(word.text, ()),
                *self._by_stem.get(word.text[:STEM], ()),
            ):
                last = _last(elements, 0, words, first, word.clause)
                if last is not None:
                    found[first, name] = max(last, found.get((first, name), first))
        return [Match(name, first, last) for (first, name), last in found.items()]

    def _add(self, name: str, text: str, row: Row) -> None:
        elements = tuple(_element(part, text, name, row) for part in text.split())
        if not elements or elements[0].optional or elements[0].is_gap or elements[-1].is_gap:
            raise row.mistake(f"{name}: {text!r} must begin and end with a word")
        for word in elements[0].words:
            self._by_word[word].append((name, elements))
        for stem in {stem[:STEM] for stem in elements[0].stems}:
            self._by_stem[stem].append((name, elements))


def _element(part: str, text: str, name: str, row: Row) -> Element:
    if part == "~":
        return Element(frozenset(), (), optional=False)
    choices = part.lstrip("?").split("|")
    stems = tuple(choice[:-1] for choice in choices if choice.endswith("*"))
    words = frozenset(choice for choice in choices if not choice.endswith("*"))
    if not all(words) or any(len(stem) < STEM for stem in stems) or fold(part) != part:
        raise row.mistake(f"{name}: {text!r} has a part that matches nothing or too much")
    return Element(words, stems, optional=part.startswith("?"))


def _last(
    elements: Sequence[Element], place: int, words: Sequence[HasWord], at: int, clause: int
) -> int | None:
    if place == len(elements):
        return at - 1
    element = elements[place]
    skips = range(GAP + 1) if element.is_gap else (0,) if element.optional else ()
    ends = [_last(elements, place + 1, words, at + skip, clause) for skip in skips]
    if at < len(words) and words[at].clause == clause and element.takes(words[at].text):
        ends.append(_last(elements, place + 1, words, at + 1, clause))
    return max((end for end in ends if end is not None), default=None)
