from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest

from followup.clinical.drugs import DrugTable
from followup.clinical.mme import Dose, mme_per_day, total_mme
from followup.clinical.rulebook import Rulebook
from followup.core.errors import ClinicalError, UnknownDrug
from tests.clinical.conftest import golden, tables


@pytest.mark.parametrize("case", golden("mme_cases.csv"), ids=lambda case: case["drug"] + case["strength"])
def test_the_figure_is_that_of_the_reference(case: dict[str, str], rules: Rulebook) -> None:
    mme = mme_per_day(
        rules.drugs, case["drug"], Decimal(case["strength"]), Decimal(case["max_units_per_day"])
    )
    assert mme.shown == case["mme"]
    assert (mme.band or "") == case["band"]
    assert set(rules.drugs.caveats) <= set(mme.caveats)


def test_a_legacy_factor_and_a_threshold_warn(rules: Rulebook) -> None:
    mme = mme_per_day(rules.drugs, "pentazocine", Decimal(50), Decimal(4))
    assert len(mme.warnings) == 2
    assert mme.warnings[0].startswith("Pentazocine")


def test_methadone_shows_its_own_caveat(rules: Rulebook) -> None:
    caveats = mme_per_day(rules.drugs, "methadone", Decimal(5), Decimal(1)).caveats
    assert any("half-life" in text for text in caveats)


def test_all_opioids_count_together(rules: Rulebook) -> None:
    mme = total_mme(
        rules.drugs, [Dose("oxycodone", Decimal(5), Decimal(6)), Dose("tramadol", Decimal(50), Decimal(1))]
    )
    assert mme.value == 55


def test_one_opioid_without_a_factor_leaves_no_partial_sum(rules: Rulebook) -> None:
    doses = [Dose("oxycodone", Decimal(5), Decimal(6)), Dose("buprenorphine", Decimal(8), Decimal(1))]
    assert total_mme(rules.drugs, doses).value is None


@pytest.mark.parametrize("name", ["fentanyl_buccal", "opioid_injection", "aspirin"])
def test_a_refused_or_unknown_drug_is_refused(name: str, rules: Rulebook) -> None:
    with pytest.raises(UnknownDrug):
        mme_per_day(rules.drugs, name, Decimal(5), Decimal(1))


@pytest.mark.parametrize("amount", ["0", "-1", "NaN", "Infinity"])
def test_an_amount_that_is_not_above_zero_is_refused(amount: str, rules: Rulebook) -> None:
    with pytest.raises(ClinicalError, match="above zero"):
        mme_per_day(rules.drugs, "oxycodone", Decimal(amount), Decimal(4))


def test_a_patch_is_never_multiplied_by_its_number(rules: Rulebook) -> None:
    with pytest.raises(ClinicalError, match="mcg per hour"):
        mme_per_day(rules.drugs, "fentanyl_transdermal", Decimal(25), Decimal(10))


def test_combination_tablets_know_their_opioid_and_acetaminophen(rules: Rulebook) -> None:
    product = rules.drugs.product("hydrocodone_apap_5_325")
    assert (product.opioid, product.strength, product.apap_mg) == ("hydrocodone", 5, 325)
    with pytest.raises(UnknownDrug):
        rules.drugs.product("nothing")


@pytest.mark.parametrize(
    ("section", "key", "field", "value", "why"),
    [
        ("opioids", "codeine", "factor", 0.15, "in quotes"),
        ("opioids", "codeine", "factor", "lots", "not a number"),
        ("opioids", "codeine", "factor", "-1", "zero or more"),
        ("opioids", "codeine", "factor", "0", "above zero"),
        ("opioids", "codeine", "unit", "g", "mg or mcg/h"),
        ("opioids", "codeine", "table", "mine", "not one of"),
        ("opioids", "codeine", "mark", "X", "mark"),
        ("opioids", "codeine", "source", "", "words"),
        ("opioids", "codeine", "strengths", "5", "a list"),
        ("opioids", "codeine", "caveats", [1], "list of words"),
        ("opioids", "codeine", "serotonergic", "yes", "true or false"),
        ("opioids", "buprenorphine", "factor", "10", "needs a factor"),
        ("products", "codeine_apap_30_300", "opioid", "aspirin", "not in this table"),
    ],
)
def test_a_mistake_in_the_table_is_named(section: str, key: str, field: str, value: object, why: str) -> None:
    table: Any = deepcopy(tables()["opioids.toml"])
    table[section][key][field] = value
    with pytest.raises(ClinicalError, match=f"opioids.toml: {section}.{key}: .*{why}"):
        DrugTable.from_table(table)


def test_a_section_that_is_no_table_is_named() -> None:
    table: Any = deepcopy(tables()["opioids.toml"])
    table["products"] = 5
    with pytest.raises(ClinicalError, match=r"opioids\.toml.*must be a table"):
        DrugTable.from_table(table)
