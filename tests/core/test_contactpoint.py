"""Numbers and addresses are read as people type them, and refused with what to do."""

import pytest

from followup.core.contactpoint import EmailAddress, PhoneNumber
from followup.core.errors import InvalidInput


@pytest.mark.parametrize(
    "typed", ["202-555-0123", "(202) 555 0123", "+1 202 555 0123", "1.202.555.0123", " 2025550123 "]
)
def test_a_number_is_read_however_it_is_typed(typed):
    assert PhoneNumber.parse(typed).e164 == "+12025550123"


def test_the_region_decides_how_a_national_number_is_read():
    assert PhoneNumber.parse("020 7183 8750", "GB").e164 == "+442071838750"


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("555-0123", "7 digits, needs 10"),
        ("none", "0 digits, needs 10"),
        ("1" * 20, "No phone can have this number"),
        ("ask her", "needs 10. Type it with its area code"),
        ("000-555-0123", "No phone can have this number"),
        ("800-555-0199", "toll-free"),
        ("900-234-5678", "premium-rate"),
    ],
)
def test_a_number_that_cannot_be_texted_is_refused_with_the_reason(typed, why):
    with pytest.raises(InvalidInput, match=why):
        PhoneNumber.parse(typed)


def test_a_shared_cost_number_is_refused():
    with pytest.raises(InvalidInput, match="shared-cost"):
        PhoneNumber.parse("+49 180 5123456")


@pytest.mark.parametrize("typed", ["her sister", "not@an@address"])
def test_a_refusal_does_not_quote_what_was_typed(typed):
    parse = EmailAddress.parse if "@" in typed else PhoneNumber.parse
    with pytest.raises(InvalidInput) as refused:
        parse(typed)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__
    assert typed not in str(refused.value)


def test_a_number_is_shown_as_its_country_writes_it_or_masked():
    number = PhoneNumber.parse("2025550123")
    assert number.national == "(202) 555-0123"
    assert number.masked == "•••23"


def test_an_address_is_kept_in_lower_case_without_spaces():
    assert EmailAddress.parse("  Ana.Lopez@Example.ORG ").address == "ana.lopez@example.org"


@pytest.mark.parametrize("typed", ["", "ana", "ana@", "@example.org", "ana@example", "a b@example.org"])
def test_an_incomplete_address_is_refused_with_an_example(typed):
    with pytest.raises(InvalidInput, match=r"name@example\.org"):
        EmailAddress.parse(typed)


def test_a_masked_address_keeps_its_first_letter_and_domain():
    assert EmailAddress.parse("ana@example.org").masked == "a•••@example.org"
