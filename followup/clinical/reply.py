"""Read the answer in a text to the open question, without judging it."""

from dataclasses import dataclass
from decimal import Decimal
from itertools import takewhile

from followup.clinical.triage.numbers import Number, find_numbers
from followup.clinical.triage.text import Text, Word, read_text
from followup.core.vocabulary import Question

RANGES = {
    **dict.fromkeys((Question.PAIN, Question.MANAGE, Question.SATISFACTION), (0, 10)),
    **{question: (0, 4) for question in Question if question.startswith("wd")},
    **{
        Question.WITHDRAWAL: (0, 4),
        Question.CRAVING: (0, 4),
        Question.MOOD: (1, 3),
        Question.SIDE_EFFECT: (0, 5),
    },
    **{Question.PILLS: (0, 60), Question.PILLS_LEFT: (0, 200)},
}  #: the numbers that each question takes, as messages.json `asks` says
OUT_OF_TEN = frozenset((Question.PAIN, Question.MANAGE, Question.SATISFACTION))
YES_NO = frozenset(
    (
        *(Question.TAPER, Question.DISPOSAL, Question.STILL_TAKING, Question.REFILL, Question.OTHER_SOURCE),
        *(Question.CONSENT, Question.WITHDRAWAL),
    )
)
YES = frozenset(
    [
        "yes",
        "y",
        "yep",
        "yeah",
        "yea",
        "yup",
        "ya",
        "si",
        "ok",
        "okay",
        "sure",
        "claro",
        "simon",
        "ye",
        "yess",
        "sip",
        "affirmative",
    ]
)
NO = frozenset(
    [
        "no",
        "n",
        "nope",
        "nah",
        "naw",
        "na",
        "not",
        "none",
        "never",
        "nada",
        "ninguna",
        "ninguno",
        "nop",
        "nel",
        "negative",
    ]
)
_EACH = frozenset(["at", "in", "am", "pm", "this", "en", "before", "with"])


@dataclass(frozen=True, slots=True)
class Answer:
    """What a text answers to a question; it says nothing of how bad that is."""

    question: Question | None
    number: Decimal | None = None
    yes: bool | None = None
    words: str = ""
    out_of_range: bool = False
    over_scale: bool = False  #: "11/10": said as more than the worst
    ambiguous: bool = False  #: several numbers; `number` is the highest of them, or their sum
    numbers: tuple[Decimal, ...] = ()

    @property
    def given(self) -> bool:
        """Say whether there is an answer that the question takes."""
        return self.yes is not None or (self.number is not None and not self.out_of_range)


def read_answer(text: str, question: Question | None) -> Answer:
    """Return the answer in a text; takes any string and never raises."""
    return answer_in(read_text(text), question)


def answer_in(text: Text, question: Question | None) -> Answer:
    """Return the answer in words that were read already."""
    found = find_numbers(text.words)
    numbers = tuple(number.value for number in found)
    plain = Answer(
        question,
        yes=_yes(text.words) if question in YES_NO else None,
        words=text.original,
        numbers=numbers,
    )
    if question not in RANGES:
        return plain
    usable = [number for number in found if _usable(number, question)]
    if not usable:
        return plain
    low, high = RANGES[question]
    inside = [number for number in usable if low <= number.value <= high]
    over = question is Question.PAIN and any(n.outof == 10 and n.value > 10 for n in usable)
    if over or not inside:
        worst = max(number.value for number in usable)
        return Answer(
            question, worst, words=text.original, out_of_range=True, over_scale=over, numbers=numbers
        )
    value = _total(text.words, inside) if question is Question.PILLS else max(n.value for n in inside)
    return Answer(
        question,
        value,
        yes=plain.yes,
        words=text.original,
        ambiguous=len({number.value for number in inside}) > 1,
        numbers=numbers,
    )


def _yes(words: tuple[Word, ...]) -> bool | None:
    if not words:
        return None
    return True if words[0].text in YES else False if words[0].text in NO else None


def _usable(number: Number, question: Question) -> bool:
    if number.outof is not None and question not in OUT_OF_TEN:
        return False
    if number.of_pain and question in (Question.PILLS, Question.PILLS_LEFT):
        return False
    return number.counts


def _total(words: tuple[Word, ...], numbers: list[Number]) -> Decimal:
    """Return the pills of a day: parts that are told one by one are added, else the highest counts."""
    places = {number.index for number in numbers}
    parts = [number for number in numbers if _is_part(words, number, places)]
    rest = [number.value for number in numbers if number not in parts]
    together = sum((number.value for number in parts), Decimal(0)) if len(parts) > 1 else Decimal(0)
    return max(together, *(number.value for number in parts), *rest, Decimal(0))


def _is_part(words: tuple[Word, ...], number: Number, places: set[int]) -> bool:
    following = range(number.index + 1, min(number.index + 3, len(words)))
    own = takewhile(lambda place: place not in places, following)
    return any(words[place].text in _EACH for place in own)
