"""Every refusal has a code of its own, and words that say what to do."""

import inspect

import pytest

from followup.core import errors
from followup.core.errors import ClinicalError, Conflict, FollowupError, InvalidInput, InvalidTransition

EVERY = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, FollowupError) and kind.__module__ == errors.__name__
]


def test_no_two_errors_share_a_code():
    assert len({kind.code for kind in EVERY}) == len(EVERY) > 10


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_an_error_without_words_says_what_its_docstring_says(kind):
    assert str(kind()) == kind.__doc__ != ""


def test_an_error_keeps_its_words_and_the_field_they_are_about():
    refused = InvalidInput("Too short.", field="phone")
    assert (str(refused), refused.field) == ("Too short.", "phone")


def test_an_error_without_any_words_says_its_code():
    class Silent(FollowupError):
        code = "silent"

    Silent.__doc__ = None
    assert str(Silent()) == "silent"


@pytest.mark.parametrize("kind", [InvalidInput, Conflict, InvalidTransition, ClinicalError])
def test_what_staff_may_see_is_marked(kind):
    assert kind.safe_for_staff
    assert not FollowupError.safe_for_staff
