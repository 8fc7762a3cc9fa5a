from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followup.clinical.reply import read_answer
from followup.core.vocabulary import Question


@pytest.mark.parametrize(
    ("question", "text", "number"),
    [
        ("pain", "7", "7"),
        ("pain", "8/10", "8"),
        ("pain", "8 out of 10", "8"),
        ("pain", "8 de 10", "8"),
        ("pain", "7.5", "7.5"),
        ("pain", "6-7", "7"),
        ("pain", "7 or 8", "8"),
        ("pain", "entre 5 y 6", "6"),
        ("pain", "un 3 o 4", "4"),
        ("pain", "siete", "7"),
        ("pain", "twenty minutes ago a 3", "3"),
        ("pain", "about a 6 sitting but a 9 when I stand", "9"),
        ("pain", "was a 9, now 3", "3"),
        ("pain", "3 at 10:30", "3"),
        ("pain", "one", "1"),
        ("pain", "8 out of", "8"),
        ("pills", "none", "0"),
        ("pills", "ninguna", "0"),
        ("pills", "half", "0.5"),
        ("pills", "half a pill", "0.5"),
        ("pills", "media pastilla", "0.5"),
        ("pills", "2 and a half", "2.5"),
        ("pills", "2 y media", "2.5"),
        ("pills", "one 10 mg tab", "1"),
        ("pills", "una", "1"),
        ("pills", "2 at 6 and 2 at noon", "4"),
        ("pills", "dos, una en la mañana", "2"),
        ("pills", "3 and my pain is about a 6", "3"),
        ("pills", "4 or 5 maybe 6", "6"),
        ("pills", "Ⅳ or ５", "5"),
        ("pills_left", "about 30", "30"),
        ("withdrawal", "like a 1 or 2", "2"),
        ("mood", "2", "2"),
        ("side_effect", "1 and 3", "3"),
    ],
)
def test_the_number_is_read_as_a_person_would(question: str, text: str, number: str) -> None:
    answer = read_answer(text, Question(question))
    assert answer.number == Decimal(number)
    assert answer.given


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("pain", "purple"),
        ("pain", "i want one so bad"),
        ("pain", "i had one beer"),
        ("pain", "i am one of them"),
        ("pain", "every 4 hours"),
        ("pain", "12:30"),
        ("pain", "9999999999"),
        ("pills", "half the bottle"),
        ("pills", "im 19"),
        ("mood", "10/10 would not recommend"),
        ("feedback", "5 stars"),
        (None, "7"),
    ],
)
def test_other_words_hold_no_answer(question: str | None, text: str) -> None:
    answer = read_answer(text, Question(question) if question else None)
    assert answer.number is None
    assert not answer.given


def test_more_numbers_than_one_are_told() -> None:
    answer = read_answer("3 then 5", Question.PAIN)
    assert (answer.number, answer.ambiguous, answer.numbers) == (5, True, (3, 5))


@pytest.mark.parametrize(("text", "over"), [("11", False), ("11/10", True), ("12 out of 10", True)])
def test_a_number_out_of_range_is_no_answer(text: str, over: bool) -> None:
    answer = read_answer(text, Question.PAIN)
    assert (answer.out_of_range, answer.over_scale, answer.given) == (True, over, False)


@pytest.mark.parametrize(
    ("text", "yes"),
    [
        ("yes", True),
        ("Yep!", True),
        ("sí", True),
        ("si tengo", True),
        ("nope", False),
        ("no gracias", False),
        ("hmm", None),
        ("", None),
    ],
)
def test_yes_and_no_are_read_in_both_languages(text: str, yes: bool | None) -> None:
    assert read_answer(text, Question.TAPER).yes is yes
    assert read_answer(text, Question.PAIN).yes is None


@pytest.mark.parametrize(
    ("question", "text", "yes"),
    [
        ("taper", "ok", None),
        ("taper", "Sure!", None),
        ("taper", "k", None),
        ("taper", "ok got it thanks", None),
        ("taper", "ok no trouble", False),
        ("taper", "yes no trouble", False),
        ("taper", "yes no trouble so far", False),
        ("taper", "yeah im fine", False),
        ("taper", "doing fine", False),
        ("taper", "yes", True),
        ("taper", "ok yes", True),
        ("taper", "yes not good", True),
        ("taper", "yes but i am fine in the day", True),
        ("other_source", "ok", None),
        ("other_source", "yes no trouble", True),
        ("refill", "sure", None),
        ("still_taking", "ya no", False),
        ("still_taking", "not sure", None),
        ("consent", "ok", True),
    ],
)
def test_an_ok_is_no_yes_and_no_trouble_is_a_no(question: str, text: str, yes: bool | None) -> None:
    assert read_answer(text, Question(question)).yes is yes


@pytest.mark.parametrize(
    ("question", "text", "unclear"),
    [
        ("still_taking", "ok", True),
        ("disposal", "okay thanks", True),
        ("withdrawal", "ok", True),
        ("taper", "not sure", True),
        ("taper", "ok", False),
        ("disposal", "ok I have some left", False),
        ("disposal", "", False),
    ],
)
def test_an_ok_that_may_be_a_yes_is_ambiguous(question: str, text: str, unclear: bool) -> None:
    assert read_answer(text, Question(question)).ambiguous is unclear


@given(
    text=st.text(st.characters(exclude_categories=()), max_size=200),
    question=st.none() | st.sampled_from(list(Question)),
)
def test_any_text_is_read_without_an_error(text: str, question: Question | None) -> None:
    assert read_answer(text, question).words == text
