"""Draw the questions of one check-in as form fields, and read the answers back as the patient's own words."""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal

from followup.core.vocabulary import Question
from followup.messages.catalog import Catalog
from web.forms import FormReader, parse_number

SKIP = "skip"
#: Asked only of those whose withdrawal answer is 2 or more (content notes, decision 3).
FOLLOW_UPS = frozenset(
    (Question.WD1, Question.WD2, Question.WD3, Question.WD4, Question.WD5, Question.CRAVING)
)
FOLLOW_UP_FROM = Decimal(2)
LONGEST_WORDS = 1600  # characters: what a long text message may hold

_TEN = tuple(str(n) for n in range(11))
_ENDS = {
    Question.PAIN: ("web_pain_low", "web_pain_high"),
    Question.MANAGE: ("web_well_low", "web_well_high"),
    Question.SATISFACTION: ("web_well_low", "web_well_high"),
}
_LABELS = {
    **dict.fromkeys(
        (Question.WITHDRAWAL, *sorted(FOLLOW_UPS)), tuple((str(n), f"web_scale_{n}") for n in range(5))
    ),
    Question.MOOD: tuple((str(n), f"web_mood_{n}") for n in (1, 2, 3)),
}
_SIDES = tuple((str(n), f"web_side_{n}") for n in (0, 1, 2, 3, 4, 5))
_YES_NO = (("yes", "web_yes"), ("no", "web_no"))
_GONE = (("done", "web_disposal_done"), ("later", "web_disposal_later"))
_NUMBERS = {Question.PILLS: Decimal(60), Question.PILLS_LEFT: Decimal(200)}
#: What a pressed button says for the patient, in words that the road in reads from texts too.
#: "They are gone" and "Remind me later" answer what stands behind both: are any pills left at home?
_SAID = {"yes": "YES", "no": "NO", "done": "NO", "later": "YES"}
#: The question, up to its mark; what follows says how to answer.
_ASKED = re.compile(r"(?s)(.*?\?)\s+(.+)")


@dataclass(frozen=True)
class Item:
    """One question of the page. `kind`: nums, picks, many, number or words."""

    key: str
    question: Question
    heading: str
    hint: str
    kind: str
    options: tuple[tuple[str, str], ...] = ()
    ends: tuple[str, str] | None = None


def items_of(keys: Sequence[str], catalog: Catalog, say: Callable[..., str]) -> list[Item]:
    """Return the questions among a row's texts, in order; each question once."""
    found: dict[Question, Item] = {}
    for key in keys:
        asks = catalog.get(key).asks
        if asks is not None and asks != Question.CONSENT:
            found.setdefault(Question(asks), _item(key, Question(asks), say))
    return list(found.values())


def _item(key: str, question: Question, say: Callable[..., str]) -> Item:
    text = say(key, link="")
    split = _ASKED.fullmatch(text)
    heading, hint = split.groups() if split else (text, "")
    kind, options = _shape(key, question)
    ends = _ENDS.get(question)
    return Item(
        key,
        question,
        heading,
        hint,
        kind,
        tuple((value, say(label) if label.startswith("web_") else label) for value, label in options),
        (say(ends[0]), say(ends[1])) if ends else None,
    )


def _shape(key: str, question: Question) -> tuple[str, tuple[tuple[str, str], ...]]:
    if question in _ENDS:
        return "nums", tuple((n, n) for n in _TEN)
    if question in _LABELS:
        return "picks", _LABELS[question]
    if question is Question.SIDE_EFFECT:
        return "many", _SIDES
    if question in _NUMBERS:
        return "number", ()
    if question is Question.FEEDBACK:
        return "words", ()
    return "picks", _GONE if key.startswith("disposal_") else _YES_NO


def read_answers(items: Sequence[Item], form: FormReader, say: Callable[..., str]) -> dict[Question, str]:
    """Return the answers as the patient would have texted them; faults go on the form, skips are left out."""
    answers = {}
    for item in items:
        said = _READERS[item.kind](item, form, say)
        if said:
            answers[item.question] = said
    return answers


def _read_pick(item: Item, form: FormReader, _say: Callable[..., str]) -> str:
    chosen = form.choice(item.key, [value for value, _ in item.options], missing=None)
    return _SAID.get(chosen or "", chosen or "")


def _read_many(item: Item, form: FormReader, _say: Callable[..., str]) -> str:
    return ", ".join(sorted(form.many(item.key, [value for value, _ in item.options])))


def _read_number(item: Item, form: FormReader, say: Callable[..., str]) -> str:
    typed = form.raw(item.key)
    number = parse_number(typed) if typed else None
    high = _NUMBERS[item.question]
    if typed and number is None:
        form.fault(item.key, say("web_err_number"))
    elif number is not None and number > high:
        form.fault(item.key, say("web_err_range", low="0", high=str(high)))
    return "" if number is None else f"{number:f}"


def _read_words(item: Item, form: FormReader, say: Callable[..., str]) -> str:
    return read_words(item.key, form, say)


def read_words(name: str, form: FormReader, say: Callable[..., str]) -> str:
    """Return what was typed in a box for words."""
    typed = form.raw(name)
    if len(typed) > LONGEST_WORDS:
        form.fault(name, say("web_err_too_long"))
    return typed


_READERS: dict[str, Callable[[Item, FormReader, Callable[..., str]], str]] = {
    "nums": _read_pick,
    "picks": _read_pick,
    "many": _read_many,
    "number": _read_number,
    "words": _read_words,
}


def without(items: Sequence[Item], questions: Collection[Question]) -> list[Item]:
    """Return the items that ask none of the questions."""
    return [item for item in items if item.question not in questions]


def only(items: Sequence[Item], questions: Collection[Question]) -> list[Item]:
    """Return the items that ask one of the questions."""
    return [item for item in items if item.question in questions]
