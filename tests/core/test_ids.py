"""Keys are in order of time, public ids say nothing, and a link cannot be guessed."""

import re
from itertools import pairwise
from uuid import RFC_4122

import pytest

from followup.core import ids


@pytest.fixture
def at(monkeypatch):
    """Return a function that stops the machine's milliseconds, for keys that begin to be counted now."""
    monkeypatch.setattr(ids, "_order", ids._Order())
    return lambda millis: monkeypatch.setattr(ids, "unix_millis", lambda: millis)


def test_a_key_is_of_version_7_and_begins_with_its_milliseconds(at):
    at(0x0123456789AB)
    made = ids.new_id()
    assert (made.version, made.variant) == (7, RFC_4122)
    assert made.hex.startswith("0123456789ab7")


def test_keys_of_one_process_are_in_order_even_within_a_millisecond(at):
    at(1_700_000_000_000)
    made = [ids.new_id() for _ in range(5000)]
    assert all(before < after for before, after in pairwise(made))
    assert all((one.version, one.variant) == (7, RFC_4122) for one in made)
    at(1_700_000_000_000 - 60_000)  # somebody set the clock back
    assert ids.new_id() > made[-1]
    at(1_700_000_009_999)
    assert ids.new_id() > made[-1]


def test_a_public_id_has_its_prefix_and_no_letter_that_is_misread():
    made = {ids.public_id("pat") for _ in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch(r"pat_[2-9a-hjkmnp-z]{12}", one) for one in made)


def test_an_alert_code_has_four_digits():
    assert all(re.fullmatch(r"[1-9]\d{3}", ids.alert_code()) for _ in range(500))


def test_tokens_are_safe_in_an_address_and_never_the_same():
    links, attempts = ({make() for _ in range(200)} for make in (ids.link_token, ids.attempt_token))
    assert len(links) == len(attempts) == 200
    assert all(re.fullmatch(r"[\w-]{11}", one) for one in links)
    assert all(re.fullmatch(r"[\w-]{16}", one) for one in attempts)


def test_the_digest_of_a_token_needs_the_key():
    digest = ids.signed_digest("token", "key")
    assert digest == ids.signed_digest("token", "key")
    assert re.fullmatch(r"[0-9a-f]{64}", digest)
    assert len({digest, ids.signed_digest("token", "other"), ids.signed_digest("tokem", "key")}) == 3
