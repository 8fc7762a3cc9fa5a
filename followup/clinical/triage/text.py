"""Fold a text into plain words that remember where they stood in the original."""

import re
import unicodedata
from dataclasses import dataclass, replace

LIMIT = 1600  #: characters that are judged; what is longer always reaches a person
#: Letters of other scripts that look like Latin ones; NFKC leaves them alone.
CONFUSABLES = str.maketrans(
    "авеєзікмнорсстухуѕјһԁԛԝɡαβεικνορτυχıɩ⍺ł", "abee3ikmhopcctyxysjhdqwgabeikvoptuxiial"
)
BREAKS = frozenset(
    ["but", "except", "however", "though", "although", "pero", "aunque", "salvo", "excepto", "sino"]
)
_TOKEN = re.compile(r"\d{2,3},\d(?!\d)|\d+(?:[./:]\d+)?|[^\W\d_]+(?:['’`´][^\W\d_]+)*|[^\w\s]")
_CLAUSE = frozenset(",.;:!?\n…()¿¡—–")
_SENTENCE = frozenset(".;!?\n…¿¡")


@dataclass(frozen=True, slots=True)
class Word:
    """One word or number or picture, folded; `start` and `end` are places in the original text."""

    text: str
    start: int
    end: int
    gap: str  #: what stood between the word before and this one
    clause: int
    sentence: int


@dataclass(frozen=True, slots=True)
class Text:
    """A patient's text as folded words; `clipped` when only its first part is judged."""

    original: str
    words: tuple[Word, ...]
    clipped: bool


def read_text(original: str) -> Text:
    """Return the words of the first 1,600 characters; takes any string and never raises."""
    folded, places = _fold(original[:LIMIT])
    words: list[Word] = []
    cursor = clause = sentence = 0
    for found in filter(_is_word, _TOKEN.finditer(folded)):
        token = found.group()
        gap = folded[cursor : found.start()]
        clause += bool(words) and (bool(_CLAUSE & set(gap)) or " - " in gap or token in BREAKS)
        sentence += bool(words) and bool(_SENTENCE & set(gap))
        end = places[found.end() - 1] + 1
        words.append(Word(_plain(token), places[found.start()], end, gap, clause, sentence))
        cursor = found.end()
    return Text(original, tuple(words), len(original) > LIMIT)


def fold(text: str) -> str:
    """Return a text in lower case without accents, look-alike letters and invisible marks."""
    return _fold(text)[0]


def mostly_foreign_script(text: str) -> bool:
    """Say whether most letters of a text are not Latin ones."""
    letters = [letter for letter in text[:LIMIT] if letter.isalpha()]
    foreign = sum(not unicodedata.name(letter, "LATIN").startswith("LATIN") for letter in letters)
    return foreign * 2 > len(letters)


def respelled(word: Word, text: str) -> Word:
    """Return the word with its spelling mended, in its old place."""
    return replace(word, text=text)


def _fold(text: str) -> tuple[str, list[int]]:
    letters: list[str] = []
    places: list[int] = []
    for place, letter in enumerate(text):
        plain = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", letter).casefold())
        kept = [mark for mark in plain if unicodedata.category(mark) not in ("Mn", "Me", "Cf")]
        letters.extend(kept)
        places.extend([place] * len(kept))
    return "".join(letters).translate(CONFUSABLES), places


def _is_word(found: re.Match[str]) -> bool:
    token = found.group()
    return token[0].isalnum() or unicodedata.category(token) == "So"  # a picture says something too


def _plain(token: str) -> str:
    return token.replace(",", ".") if token[0].isdigit() else re.sub("['’`´]", "", token)
