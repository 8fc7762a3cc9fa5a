"""Read the answer in a text to the open question, without judging it."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import dropwhile, takewhile

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
#: Words that say "I have read it"; they are a yes only to the invitation.
OKAY = frozenset(["ok", "okay", "okey", "oki", "k", "kk", "sure", "claro", "vale"])
_THANKS = frozenset(
    ["thanks", "thank", "you", "ty", "thx", "gracias", "got", "it", "will", "do", "understood"]
)
#: Questions of which an "ok" may be a yes or only politeness: it is asked again.
UNCLEAR_OKAY = frozenset((Question.DISPOSAL, Question.STILL_TAKING, Question.WITHDRAWAL))
_UNSURE = ["not", "sure"]
_TROUBLE = frozenset(
    ["trouble", "troubles", "problem", "problems", "issue", "issues", "problema", "problemas"]
)
_WELL = frozenset(["fine", "good", "great", "well", "alright", "bien"])
#: What may stand beside them in "yeah, I'm doing fine so far": anything else leaves the yes a yes.
_PLAIN = frozenset(
    (
        *(
            "i",
            "im",
            "am",
            "all",
            "its",
            "it",
            "is",
            "doing",
            "feeling",
            "so",
            "far",
            "today",
            "with",
            "that",
        ),
        *("at", "here", "everything", "thanks", "thank", "you"),
        *("todo", "estoy", "muy", "hasta", "ahora", "gracias"),
    )
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
    ambiguous: bool = False  #: several numbers (`number` is the highest, or their sum), or an unclear yes
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
    said = [word.text for word in text.words]
    plain = Answer(
        question,
        yes=_yes(said, question) if question in YES_NO else None,
        words=text.original,
        ambiguous=_is_unclear(text, question),
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


def is_okay(text: Text) -> bool:
    """Say whether a text only tells that ours was read: "ok", "sure", "ok got it, thanks"."""
    said = [word.text for word in text.words]
    return said[:1] != [] and said[0] in OKAY and all(word in OKAY | _THANKS for word in said)


def _yes(words: Sequence[str], question: Question | None) -> bool | None:
    if question is Question.CONSENT and words[:1] and words[0] in OKAY:
        return True
    # "ok no trouble" is a no; "ya no" (not any more) begins with a word that alone is a yes.
    rest = list(dropwhile(OKAY.__contains__, words))
    rest = rest[1:] if rest[:2] == ["ya", "no"] else rest
    if not rest or rest[:2] == _UNSURE:
        return None
    if rest[0] in NO:
        return False
    if question is Question.TAPER and _is_well(rest[rest[0] in YES :]):
        return False  # asked "any trouble?", they say that there is none, whatever word comes first
    return True if rest[0] in YES else None


def _is_unclear(text: Text, question: Question | None) -> bool:
    is_unsure = question in YES_NO and [word.text for word in text.words[:2]] == _UNSURE
    return is_unsure or (question in UNCLEAR_OKAY and is_okay(text))


def _is_well(words: Sequence[str]) -> bool:
    if len(words) > 1 and words[0] in NO and words[1] in _TROUBLE:
        return all(word in _PLAIN for word in words[2:])
    return any(word in _WELL for word in words) and all(word in _WELL | _PLAIN | OKAY for word in words)


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
