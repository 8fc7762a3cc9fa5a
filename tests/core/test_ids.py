"""Keys are in order of time, public ids say nothing, and a link cannot be guessed."""

import re
from itertools import pairwise
from unittest.mock import patch

from followup.core import ids


def test_keys_are_version_7_and_in_order_of_time():
    with patch.object(ids, "unix_millis", side_effect=range(1_700_000_000_000, 1_700_000_000_050)):
        made = [ids.new_id() for _ in range(50)]
    assert all(one.version == 7 and one.variant == "specified in RFC 4122" for one in made)
    assert all(before < after for before, after in pairwise(made))


def test_the_first_48_bits_of_a_key_are_its_milliseconds():
    with patch.object(ids, "unix_millis", return_value=0x0123456789AB):
        assert ids.new_id().hex.startswith("0123456789ab7")


def test_keys_of_one_millisecond_differ():
    with patch.object(ids, "unix_millis", return_value=1):
        assert len({ids.new_id() for _ in range(1000)}) == 1000


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
