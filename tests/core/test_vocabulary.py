"""Words hold what their sentences promise, and fit the columns that keep them."""

import inspect
from enum import StrEnum

import pytest

from followup.core import vocabulary
from followup.core.vocabulary import AlertOutcome, Delivery, Tier, worst

WORDS = [
    kind
    for _, kind in inspect.getmembers(vocabulary, inspect.isclass)
    if issubclass(kind, StrEnum) and kind is not StrEnum
]


@pytest.mark.parametrize("kind", WORDS, ids=lambda kind: kind.__name__)
def test_a_word_fits_its_column_and_has_a_sentence(kind):
    assert all(0 < len(word.value) <= 24 for word in kind)
    assert kind.__doc__.endswith(".")


def test_tiers_are_ranked_from_none_to_emergency():
    assert sorted(Tier, key=lambda tier: tier.rank) == [*Tier] == ["none", "routine", "urgent", "emergency"]


def test_the_worst_tier_wins():
    assert worst(Tier.ROUTINE, Tier.EMERGENCY, Tier.URGENT) is Tier.EMERGENCY
    assert worst() is Tier.NONE


def test_delivery_only_moves_forward():
    assert [one.rank for one in Delivery] == [0, 1, 2, 2, 2]


def test_the_texted_digit_names_the_outcome():
    assert [AlertOutcome.from_code(digit) for digit in (1, 2, 3, 4)] == [*AlertOutcome]
