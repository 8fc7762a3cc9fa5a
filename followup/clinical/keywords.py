"""Recognise words that act by themselves: STOP, START, HELP and the named ones, reactions, staff codes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from followup.clinical.phrases import PhraseBook
from followup.clinical.tables import whole
from followup.clinical.triage.text import Text, fold, read_text
from followup.core.vocabulary import AlertOutcome

FILE = "keywords.toml"
QUOTES = '"“”«»‘’„'
_SHORT = 9  #: words, from which a text is no mere command
_STAFF = re.compile(r"\s*([aert])[\s.:#-]*([0-9]{4})(?:[\s.:#-]+([1-4]))?[\s.!]*\Z")
_FIX = re.compile(r"\s*(?:fix|corregir)[\s:]+([0-9]{1,3}(?:[.][0-9])?)[\s.!]*\Z")


class KeywordKind(StrEnum):
    """Which keyword a text is."""

    STOP = "STOP"
    START = "START"
    HELP = "HELP"
    YES = "YES"
    NO = "NO"
    CALL = "CALL"
    DONE = "DONE"
    LATER = "LATER"
    LESS = "LESS"
    MORE = "MORE"
    PAUSE = "PAUSE"
    BACK = "BACK"
    CRAVE = "CRAVE"
    PAIN = "PAIN"
    SLEEP = "SLEEP"
    ANXIOUS = "ANXIOUS"
    TIPS = "TIPS"
    NO_TIPS = "NO_TIPS"
    SUPPORT = "SUPPORT"
    FIX = "FIX"
    PLAN = "PLAN"
    ENG = "ENG"
    ESP = "ESP"


class StaffVerb(StrEnum):
    """What a staff member does with an alert by text."""

    TAKE = "A"
    PASS_ON = "E"  # noqa: S105 - a verb, not a password
    CLOSE = "R"
    TAKE_OVER = "T"


@dataclass(frozen=True, slots=True)
class Keyword:
    """What a text asks of the machinery.

    `kind` is None for ordinary words. A STOP is `clear` when the text, a sentence of it or its
    first word can mean nothing else; `unclear_optout` says that a person should ask.
    """

    kind: KeywordKind | None = None
    clear: bool = False
    unclear_optout: bool = False
    alone: bool = False  #: nothing but the keyword stands in the text
    reaction: bool = False  #: a phone's reaction to one of our texts
    number: str | None = None  #: the right number after FIX


@dataclass(frozen=True, slots=True)
class StaffCode:
    """A staff member's texted act on the alert with this four-digit code."""

    verb: StaffVerb
    code: str
    outcome: AlertOutcome | None


@dataclass(frozen=True, slots=True)
class KeywordTable:
    """The compiled table of keywords."""

    words: Mapping[str, KeywordKind]
    commands: frozenset[str]  #: what ends all texts when only filler stands beside it
    filler: frozenset[str]
    unsure: frozenset[str]  #: words that may stand for the pills as well as for our texts
    sentences: PhraseBook
    reactions: tuple[str, ...]

    @classmethod
    def from_table(cls, table: Mapping[str, Any], *, file: str = FILE) -> "KeywordTable":
        """Compile `keywords.toml`; raises ClinicalError naming file and row of a mistake."""
        top = whole(file, table)
        words: dict[str, KeywordKind] = {}
        for key, row in top.section("families").items():
            if key not in list(KeywordKind):
                raise row.mistake("no keyword of that name")
            for word in row.cited().words("words"):
                if words.setdefault(word, KeywordKind(key)) != key or fold(word) != word:
                    raise row.mistake(f"{word!r} is in two families, or not in plain lower case")
        if missing := set(KeywordKind) - set(words.values()):
            raise top.mistake(f"families without words: {', '.join(sorted(missing))}")
        bare = top.section("commands").cited()
        commands, filler, unsure = (frozenset(bare.words(name)) for name in ("words", "filler", "unsure"))
        said = top.section("sentences").cited()
        names = ("clear", "unclear", "not_about_texts")
        book = PhraseBook({name: said.words(name) for name in names}, said)
        return cls(words, commands, filler, unsure, book, top.section("reactions").cited().words("words"))


def read_keyword(text: str, table: KeywordTable) -> Keyword:
    """Return what keyword a text is, if any; takes any string and never raises."""
    read = read_text(text)
    if is_reaction(text, table):
        return Keyword(reaction=True)
    if fixed := _FIX.match(fold(text[:40])):
        return Keyword(KeywordKind.FIX, number=fixed.group(1))
    kind = table.words.get(" ".join(word.text for word in read.words)) if len(text) <= 60 else None
    if kind is not None:
        return Keyword(kind, clear=kind is KeywordKind.STOP, alone=True)
    return _opt_out(read, table)


def is_reaction(text: str, table: KeywordTable) -> bool:
    """Say whether the text is a phone's reaction: its word, at most a picture, our text in quotes to the end.

    Words of the patient's own before or behind the quotation make it an ordinary text.
    """
    start = fold(text[:80]).lstrip()
    said = next((word for word in table.reactions if start.startswith(word)), None)
    quote = next((place for place, mark in enumerate(start) if mark in QUOTES), None)
    if said is None or quote is None or not text.rstrip().endswith((*QUOTES, "…")):
        return False
    between = start[len(said) : quote].replace(" to ", " ").replace(" a ", " ")
    return not any(mark.isalnum() for mark in between)


def read_staff_code(text: str) -> StaffCode | None:
    """Return the act of a staff text like `A 1047` or `R 1047 1`; None for anything else."""
    found = _STAFF.match(fold(text[:40])) if len(text) <= 40 else None
    if found is None:
        return None
    verb, code, digit = found.groups()
    if digit is not None and verb != "r":
        return None
    return StaffCode(StaffVerb(verb.upper()), code, AlertOutcome.from_code(int(digit)) if digit else None)


def _opt_out(read: Text, table: KeywordTable) -> Keyword:
    found = {match.name for match in table.sentences.find(read.words)}
    first = read.words[0] if read.words else None
    leads = (
        first is not None
        and table.words.get(first.text) is KeywordKind.STOP
        and len(read.words) > 1
        and read.words[1].clause != first.clause
    )
    if "clear" in found or leads or _is_command(read, table, table.filler):
        return Keyword(KeywordKind.STOP, clear=True)
    if _is_command(read, table, table.filler | table.unsure):
        return Keyword(unclear_optout=True)
    return Keyword(unclear_optout="unclear" in found and "not_about_texts" not in found)


def _is_command(read: Text, table: KeywordTable, filler: frozenset[str]) -> bool:
    """Say whether a short text is one command to stop, once or more, with nothing but filler around it."""
    bare = dict.fromkeys(word.text for word in read.words[:_SHORT] if word.text not in filler)
    return len(read.words) < _SHORT and " ".join(bare) in table.commands
