"""Find the numbers of a text and what role each plays: a quantity, a time, a dose, something past."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from followup.clinical.triage.text import Word

_EN = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
)
_ES = (
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince "
    "dieciseis diecisiete dieciocho diecinueve veinte"
)
NUMBER_WORDS = {
    **{word: number for words in (_EN, _ES) for number, word in enumerate(words.split())},
    **{"thirty": 30, "forty": 40, "fifty": 50, "treinta": 30, "cuarenta": 40, "cincuenta": 50},
    **{"none": 0, "ninguna": 0, "ninguno": 0, "nada": 0, "nothing": 0, "nunca": 0},
}
ARTICLES = frozenset(("one", "un", "una", "uno"))  #: words that are a number only in some places
HALVES = frozenset(("half", "media", "medio"))
_RANGE = frozenset(("or", "o", "to", "a", "maybe", "y", "u", "and"))
_TIME_BEFORE = frozenset(
    ("at", "las", "la", "since", "until", "till", "by", "@", "every", "cada", "before", "hace")
)
_UNIT_AFTER = frozenset(
    [
        "mg",
        "mgs",
        "milligrams",
        "mcg",
        "ml",
        "am",
        "pm",
        "hr",
        "hrs",
        "hour",
        "hours",
        "hora",
        "horas",
        "min",
        "mins",
        "minute",
        "minutes",
        "minutos",
        "sec",
        "secs",
        "second",
        "seconds",
        "day",
        "days",
        "dia",
        "dias",
        "d",
        "week",
        "weeks",
        "wk",
        "wks",
        "semana",
        "semanas",
        "month",
        "months",
        "mes",
        "meses",
        "yr",
        "yrs",
        "year",
        "years",
        "anos",
        "yo",
        "yrold",
        "lb",
        "lbs",
        "pounds",
        "x",
        "times",
        "veces",
        "st",
        "nd",
        "rd",
        "th",
        "times",
        "oclock",
        "inch",
        "inches",
        "cm",
        "f",
        "c",
        "degrees",
        "grados",
        "kg",
        "feet",
        "ft",
        "blocks",
        "miles",
    ]
)
_PAST_BEFORE = frozenset(["was", "were", "estaba", "era", "fue", "used", "from", "than"])
_LINKS = frozenset(
    ["a", "an", "the", "at", "en", "un", "una", "like", "about", "i", "in", "of", "to", "el", "la"]
)
_PAIN = frozenset(["pain", "pains", "dolor", "hurts", "hurting", "duele"])


@dataclass(frozen=True, slots=True)
class Number:
    """One number of a text: its value, word index, and how it stands there."""

    value: Decimal
    index: int
    outof: Decimal | None = None  #: 10 in "8/10" or "8 out of 10"
    time_or_unit: bool = False  #: a clock time, dose, duration, age
    past: bool = False  #: "was a 9", "than the 9"
    of_pain: bool = False  #: stands soon after a word for pain
    upper: bool = False  #: the upper end of a range

    @property
    def counts(self) -> bool:
        """Say whether the number may be an answer."""
        return not self.time_or_unit and not self.past


def find_numbers(words: Sequence[Word]) -> tuple[Number, ...]:
    """Return every number in the order of the words; a range counts once, by its upper end."""
    found: list[Number] = []
    index = 0
    while index < len(words):
        number, index = _at(words, index)
        if number is None:
            continue
        if found and _is_range(words, found[-1], number):
            upper = max(found[-1].value, number.value)
            found[-1] = Number(
                upper,
                number.index,
                number.outof,
                number.time_or_unit,
                found[-1].past,
                found[-1].of_pain,
                True,
            )
        else:
            found.append(number)
    return tuple(found)


def to_decimal(text: str) -> Decimal | None:
    """Return the value of a word or digits; None if it is neither, or absurdly long."""
    if text in NUMBER_WORDS:
        return Decimal(NUMBER_WORDS[text])
    if not text[0].isdigit() or len(text) > 6:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _at(words: Sequence[Word], index: int) -> tuple[Number | None, int]:
    """Return the number that begins at a word, if any, and where to go on."""
    text = words[index].text
    top, slash, bottom = text.partition("/")
    value = _article(words, index) if text in ARTICLES else _half(words, index) or to_decimal(top)
    if value is None:
        return None, index + 1
    after = index + 1
    outof = to_decimal(bottom) if slash and bottom else None
    if _texts(words, after, 2) in (
        ["out", "of"],
        ["de", "10"],
        ["sobre", "10"],
        ["of", "10"],
        ["over", "10"],
    ):
        last = after + (2 if words[after].text == "out" else 1)
        outof = to_decimal(words[last].text) if last < len(words) else None
        after = last + 1 if outof is not None else after
    if _texts(words, after, 3) == ["and", "a", "half"] or _texts(words, after, 2) in (
        ["y", "media"],
        ["y", "medio"],
    ):
        value += Decimal("0.5")
        after += 3 if words[after].text == "and" else 2
    before = _before(words, index)
    return (
        Number(
            value=value,
            index=index,
            outof=outof,
            time_or_unit=_is_time(words, index, after, before),
            past=before in _PAST_BEFORE,
            of_pain=any(word.text in _PAIN for word in words[max(0, index - 5) : index]),
        ),
        after,
    )


def _texts(words: Sequence[Word], start: int, count: int) -> list[str]:
    return [word.text for word in words[start : start + count]]


def _half(words: Sequence[Word], index: int) -> Decimal | None:
    following = _texts(words, index + 1, 2)
    pill = not following or following[0] in ("a", "of", "pill", "tab", "tablet", "pastilla", "tableta")
    bottle = "bottle" in following or "the" in following
    return Decimal("0.5") if words[index].text in HALVES and pill and not bottle else None


def _article(words: Sequence[Word], index: int) -> Decimal | None:
    """Return 1 where "one" or "una" is a count: at the start, or after "a", "about", "just", "took"."""
    following = _texts(words, index + 1, 1)
    if following and (to_decimal(following[0].partition("/")[0]) is not None) and words[index + 1].gap == " ":
        return Decimal(1) if following[0] not in NUMBER_WORDS and words[index].text == "one" else None
    before = words[index - 1].text if index else ""
    said = {
        "",
        "a",
        "about",
        "like",
        "just",
        "took",
        "only",
        "solo",
        "tome",
        "como",
        "to",
        "or",
        "o",
        "the",
        "is",
        "at",
        "and",
        "y",
        "n",
    }
    return Decimal(1) if before in said or words[index].gap.strip() else None


def _before(words: Sequence[Word], index: int) -> str:
    """Return the nearest earlier word of the clause that carries meaning, "" if there is none."""
    place = index - 1
    while (
        place >= 0
        and words[place].text in _LINKS - {"at", "la"}
        and words[place].clause == words[index].clause
    ):
        place -= 1
    return words[place].text if place >= 0 and words[place].clause == words[index].clause else ""


def _is_time(words: Sequence[Word], index: int, after: int, before: str) -> bool:
    following = words[after].text if after < len(words) and not words[after].gap.strip(" -") else ""
    direct = words[index - 1].text if index and words[index - 1].clause == words[index].clause else ""
    age = (
        direct == "im" and len(words[index].text) == 2 and words[index].text > "15"
    )  # "im 19", never a score
    clock = age or ":" in words[index].text or direct in _TIME_BEFORE - {"at"} or before == "every"
    at_clock = (
        direct == "at"
        and index > 1
        and words[index - 2].text not in ("is", "im", "pain", "i", "still", "about")
    )
    return clock or at_clock or following in _UNIT_AFTER


def _is_range(words: Sequence[Word], before: Number, number: Number) -> bool:
    between = words[before.index + 1 : number.index]
    if not between:
        return words[number.index].gap.strip() in ("-", "–", "~", "/")
    joined = [word.text for word in between]
    plain = (
        all(text in _RANGE for text in joined) and words[number.index].clause == words[before.index].clause
    )
    entre = before.index > 0 and words[before.index - 1].text in ("entre", "between")
    return plain and (joined not in (["y"], ["and"], ["a"]) or entre)
