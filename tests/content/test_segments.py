"""The air: our GSM table and counts against an independent package."""

import pytest
import smsutil
from hypothesis import given, settings
from hypothesis import strategies as st

from followup.messages.segments import BASIC, EXTENSION, encoding, fold, is_gsm, segments, size, to_gsm

GSM_TEXT = st.text(alphabet=sorted(BASIC | EXTENSION), max_size=500)
ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=300)


def test_the_table_is_the_one_of_gsm_0338():
    assert len(BASIC) == 127
    assert len(EXTENSION) == 10
    codes = range(0x3000)
    ours = {chr(code) for code in codes if is_gsm(chr(code))}
    theirs = {chr(code) for code in codes if smsutil.is_valid_gsm(chr(code))}
    assert ours - theirs <= {"\f"}  # form feed: in the standard's extension table, not in smsutil's
    assert theirs - ours <= {"\x1b"}  # the escape alone says nothing


@settings(max_examples=300, deadline=None)
@given(GSM_TEXT.map(lambda text: text.replace("\f", "")))
def test_gsm_texts_cost_what_an_independent_count_says(text):
    assert encoding(text) == "gsm7"
    assert segments(text) == max(1, len(smsutil.split(text).parts))


@settings(max_examples=300, deadline=None)
@given(ANY_TEXT.map(lambda text: "я" + text))
def test_one_foreign_sign_makes_the_whole_text_ucs2(text):
    assert encoding(text) == "ucs2"
    assert segments(text) == len(smsutil.split(text).parts)


@pytest.mark.parametrize(
    ("text", "parts"),
    [("", 1), ("a" * 160, 1), ("a" * 161, 2), ("a" * 306, 2), ("a" * 307, 3), ("€" * 80, 1), ("€" * 81, 2),
     ("a" * 152 + "€" * 5, 2), ("á" * 70, 1), ("á" * 71, 2), ("😀" * 35, 1), ("😀" * 36, 2), ("😀" * 67, 3)],
)  # fmt: skip
def test_the_borders_of_a_segment(text, parts):
    assert segments(text) == parts


def test_an_escape_pair_is_never_cut_in_two():
    assert size("a" * 152 + "€" + "a" * 152) == 306
    assert segments("a" * 152 + "€" + "a" * 152) == 3


def test_folding_leaves_only_letters_that_the_table_holds():
    assert (
        fold("¿Cómo está? Mañana, pingüino, bebé, SÍ, Úlcera")
        == "¿Como esta? Mañana, pingüino, bebé, SI, Ulcera"
    )


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ("Riverside Care", "Riverside Care"),
        ("“St. Mary’s” – Clinic…", '"St. Mary\'s" - Clinic...'),
        ("Río 🙂 Clínica", "Rio Clinica"),
        ("Zoë Łuk", "Zoe uk"),
        ("a\nb\t c", "a b c"),
        ("e\u0301cole", "école"),
    ],
)
def test_a_field_value_never_leaves_the_table(value, plain):
    assert to_gsm(value) == plain


@given(ANY_TEXT)
def test_any_value_becomes_gsm(value):
    assert encoding(to_gsm(value)) == "gsm7"
