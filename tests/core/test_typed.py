"""Typed words keep what a reader sees, and lose what only steers a screen."""

import pytest

from followup.core.typed import cleaned


@pytest.mark.parametrize(
    "text", ["Ana López", "two lines\nand\ta tab\r\n", "José 😀", "Łukasz", "王芳", "cafe\u0301"]
)
def test_what_a_person_types_is_kept(text):
    assert cleaned(text) == text


@pytest.mark.parametrize(
    "sign",
    ["\x00", "\x07", "\x1b", "\x7f", "\x9b", "\u00ad", "\u200b", "\u200f", "\u202e", "\u2066", "\ufeff"],
)
def test_control_and_format_signs_are_taken_out(sign):
    assert cleaned(f"{sign}An{sign}a{sign}") == "Ana"
