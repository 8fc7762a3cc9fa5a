from copy import deepcopy
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from followup.clinical.rulebook import Rulebook
from followup.clinical.scales import WD5, Instruments
from followup.core.errors import ClinicalError
from followup.core.vocabulary import Question, Tier
from tests.clinical.conftest import tables


@pytest.mark.parametrize(
    ("question", "number", "tier"),
    [
        ("pain", "0", "none"),
        ("pain", "4", "none"),
        ("pain", "4.5", "routine"),
        ("pain", "7", "routine"),
        ("pain", "7.5", "urgent"),
        ("pain", "10", "urgent"),
        ("withdrawal", "0", "none"),
        ("withdrawal", "2", "routine"),
        ("withdrawal", "3", "urgent"),
        ("wd1", "3", "routine"),
        ("wd5", "4", "urgent"),
        ("craving", "1", "routine"),
        ("craving", "2", "urgent"),
        ("mood", "2", "none"),
        ("mood", "3", "routine"),
        ("satisfaction", "0", "none"),
    ],
)
def test_a_number_falls_in_its_band(question: str, number: str, tier: str, rules: Rulebook) -> None:
    reading = rules.instruments.score(Question(question), Decimal(number))
    assert reading is not None
    assert reading.tier == tier


@pytest.mark.parametrize(
    ("question", "number"), [("pain", "11"), ("mood", "1.5"), ("mood", "0"), ("feedback", "1")]
)
def test_a_number_that_the_question_does_not_take_has_no_reading(
    question: str, number: str, rules: Rulebook
) -> None:
    assert rules.instruments.score(Question(question), Decimal(number)) is None


def test_a_question_without_yes_and_no_has_no_such_reading(rules: Rulebook) -> None:
    assert rules.instruments.answer(Question.PAIN, True) is None


def items(*numbers: int) -> dict[Question, Decimal]:
    return dict(zip(WD5, map(Decimal, numbers), strict=False))


@pytest.mark.parametrize(
    ("numbers", "single", "tier", "partial"),
    [
        ((0, 0, 0, 0, 0), None, Tier.NONE, False),
        ((1, 1, 1, 0, 0), None, Tier.ROUTINE, False),
        ((2, 2, 2, 2, 1), None, Tier.ROUTINE, False),
        ((2, 2, 2, 2, 2), None, Tier.URGENT, False),
        ((4, 0, 0, 0, 0), None, Tier.URGENT, False),
        ((0, 0), None, Tier.ROUTINE, True),
        ((0, 0, 0, 0, 0), 3, Tier.URGENT, False),
        ((1, 0, 0, 0, 0), 9, Tier.ROUTINE, False),
    ],
)
def test_the_five_items_are_scored_together_and_never_lower_the_single_one(
    numbers: tuple[int, ...], single: int | None, tier: Tier, partial: bool, rules: Rulebook
) -> None:
    score = rules.instruments.withdrawal(items(*numbers), single=None if single is None else Decimal(single))
    assert (score.reading.tier, score.partial, score.total) == (tier, partial, sum(numbers))


def test_any_withdrawal_in_pregnancy_is_urgent(rules: Rulebook) -> None:
    score = rules.instruments.withdrawal(items(1, 0, 0, 0, 0), pregnant=True)
    assert (score.reading.tier, score.reading.flags) == (Tier.URGENT, ("mild_withdrawal", "pregnancy"))
    assert rules.instruments.withdrawal(items(0, 0, 0, 0, 0), pregnant=True).reading.tier is Tier.NONE


@pytest.mark.parametrize(
    ("before", "now", "hours", "tier"),
    [(3, 6, 48, Tier.URGENT), (3, 6, 49, Tier.NONE), (4, 6, 1, Tier.NONE), (2, 5, 1, Tier.NONE)],
)
def test_pain_that_rises_fast_is_urgent(
    before: int, now: int, hours: int, tier: Tier, rules: Rulebook
) -> None:
    assert rules.instruments.pain_rise(Decimal(before), Decimal(now), timedelta(hours=hours)).tier is tier


@pytest.mark.parametrize(
    ("key", "row"),
    [
        ("weather", {"low": "0"}),
        ("pain", {"low": "0", "high": "10", "bands": [], "source": "x", "mark": "J"}),
        (
            "pain",
            {"low": "0", "high": "10", "bands": [{"up_to": "9", "tier": "none"}], "source": "x", "mark": "J"},
        ),
        (
            "pain",
            {"low": "0", "high": "9", "bands": [{"up_to": "9", "tier": "calm"}], "source": "x", "mark": "J"},
        ),
        ("pain", {"low": "0", "high": "9", "bands": [5], "source": "x", "mark": "J"}),
    ],
)
def test_a_mistake_in_the_table_is_named(key: str, row: dict[str, object]) -> None:
    table: Any = deepcopy(tables()["instruments.toml"])
    table["questions"][key] = row
    with pytest.raises(ClinicalError, match=rf"instruments\.toml: questions\.{key}"):
        Instruments.from_table(table)
