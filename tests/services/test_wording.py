"""Dates, hours and amounts are written as patients read them, and fit the room that texts leave them."""

from datetime import date, time
from decimal import Decimal
from itertools import product

import pytest

from followup.core.vocabulary import Language
from followup.services.wording import day_label, hours_label, time_label, units_label

EN, ES = Language.EN, Language.ES
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def hours(*days, opens="08:00", closes="17:00"):
    return {day: [opens, closes] for day in days}


@pytest.mark.parametrize(
    ("amount", "label"),
    [("0", "0"), ("4", "4"), ("10", "10"), ("2.50", "2.5"), ("0.5", "0.5"), ("1E+1", "10")],
)
def test_a_number_of_pills_has_no_needless_zeros(amount, label):
    assert units_label(Decimal(amount)) == label


def test_a_day_is_named_with_its_date():
    assert day_label(date(2026, 12, 21), EN) == "Mon, Dec 21"
    assert day_label(date(2026, 12, 21), ES) == "lun 21 dic"


def test_a_time_is_written_as_people_of_the_language_do():
    assert time_label(time(10), EN) == "10:00 AM"
    assert time_label(time(17, 30), ES) == "17:30"


@pytest.mark.parametrize(
    ("table", "language", "label"),
    [
        (hours(*WEEK[:5]), EN, "Mon-Fri 8 am-5 pm"),
        (hours(*WEEK[:5]), ES, "lun-vie 8 am-5 pm"),
        (hours(*WEEK[:5], opens="08:30", closes="17:30"), EN, "Mon-Fri 08:30-17:30"),
        (hours("wed", opens="12:00", closes="20:00"), EN, "Wed 12 pm-8 pm"),
        ({**hours(*WEEK[:5]), "sat": ["09:00", "12:00"]}, EN, "Mon-Fri 8 am-5 pm"),
        ({}, EN, ""),
    ],
)
def test_office_hours_are_said_in_a_few_characters(table, language, label):
    assert hours_label(table, language) == label


def test_no_label_of_office_hours_is_longer_than_20_characters():
    for language, first, minute in product(Language, WEEK, ("00", "15", "30")):
        table = hours(first, "sun", opens=f"10:{minute}", closes=f"22:{minute}")
        assert len(hours_label(table, language)) <= 20
