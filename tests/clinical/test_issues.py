from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from followup.clinical.drugs import Form
from followup.clinical.issues import Effect, History, IssueTable, Prescription, detect, manual_only
from followup.clinical.mme import Dose
from followup.clinical.rulebook import Rulebook
from followup.core.errors import ClinicalError
from followup.core.vocabulary import Severity
from tests.clinical.conftest import tables

PLAIN = Prescription("oxycodone", Decimal(5), Decimal(6), days_taken=10, regular=True)
WELL = History(age=40)


def codes(rules: Rulebook, rx: Prescription, who: History = WELL) -> set[str]:
    return {issue.code for issue in detect(rx, who, drugs=rules.drugs, table=rules.issues)}


def test_a_plain_prescription_has_no_issue(rules: Rulebook) -> None:
    assert codes(rules, PLAIN) == set()
    assert codes(rules, PLAIN, History()) == set()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"max_units_per_day": Decimal(8)}, "mme50"),
        ({"max_units_per_day": Decimal(12)}, "mme90"),
        ({"apap_mg": 501}, "apap_warn"),
        ({"apap_mg": 700}, "apap_refuse"),
        ({"drug": "codeine", "strength": Decimal(15), "max_units_per_day": Decimal(31)}, "too_many_pills"),
        ({"strength": Decimal(6)}, "strength_unknown"),
        ({"others": (Dose("tramadol", Decimal(50), Decimal(1)),)}, "more_than_one_opioid"),
        ({"form": Form.EXTENDED_RELEASE}, "form"),
        ({"drug": "methadone", "strength": Decimal(5), "max_units_per_day": Decimal(1)}, "drug"),
        ({"days_taken": None}, "days_unknown"),
        ({"days_taken": 30}, "long_course"),
    ],
)
def test_each_issue_of_a_prescription_is_found(change: dict[str, Any], code: str, rules: Rulebook) -> None:
    assert code in codes(rules, replace(PLAIN, **change))


@pytest.mark.parametrize(
    ("who", "code"),
    [
        (History(age=17), "under_18"),
        (History(age=65), "older"),
        (History(sedative_daily=True), "sedative"),
        (History(opioid_before=True), "opioid_before"),
        (History(pregnant=True), "pregnant"),
        (History(cancer_or_sickle_cell=True), "cancer_or_sickle_cell"),
        (History(frail_organs=True), "frail_organs"),
    ],
)
def test_each_issue_of_a_person_is_found(who: History, code: str, rules: Rulebook) -> None:
    assert codes(rules, PLAIN, who) == {code}


def test_a_seizure_disorder_matters_with_tramadol_only(rules: Rulebook) -> None:
    tramadol = replace(PLAIN, drug="tramadol", strength=Decimal(50), max_units_per_day=Decimal(4))
    assert codes(rules, tramadol, History(seizure_disorder=True)) == {"seizure_risk"}
    assert codes(rules, PLAIN, History(seizure_disorder=True)) == set()


def test_exactly_three_grams_is_no_issue(rules: Rulebook) -> None:
    assert codes(rules, replace(PLAIN, apap_mg=500)) == set()


def test_the_worst_comes_first_and_only_some_forbid_a_draft(rules: Rulebook) -> None:
    found = detect(replace(PLAIN, apap_mg=501), History(pregnant=True), drugs=rules.drugs, table=rules.issues)
    assert [issue.severity for issue in found] == [Severity.HIGH, Severity.MODERATE]
    assert [issue.code for issue in manual_only(found)] == ["pregnant"]
    assert found[1].effect is Effect.WARN


@pytest.mark.parametrize(("key", "value"), [("severity", "awful"), ("effect", "shout")])
def test_a_mistake_in_the_table_is_named(key: str, value: str) -> None:
    table: Any = deepcopy(tables()["issues.toml"])
    table["issues"]["mme50"][key] = value
    with pytest.raises(ClinicalError, match=r"issues\.toml: issues\.mme50"):
        IssueTable.from_table(table)


def test_a_missing_issue_is_named() -> None:
    table: Any = deepcopy(tables()["issues.toml"])
    del table["issues"]["mme50"]
    with pytest.raises(ClinicalError, match="mme50"):
        IssueTable.from_table(table)
