"""Look up opioids, their strengths and combination tablets in the drug table."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from followup.clinical.tables import Row, whole
from followup.core.errors import UnknownDrug

FILE = "opioids.toml"


class FactorTable(StrEnum):
    """Which list a morphine factor comes from."""

    CDC2022 = "cdc2022"
    LEGACY = "legacy"
    EXCLUDED = "excluded"  #: no figure at all, which is not zero


class Form(StrEnum):
    """How an opioid is given; only immediate-release tablets get an automatic plan."""

    IR_TABLET = "ir_tablet"
    EXTENDED_RELEASE = "extended_release"
    PATCH = "patch"
    LIQUID = "liquid"
    INJECTION = "injection"


@dataclass(frozen=True, slots=True)
class Opioid:
    """One opioid; `factor` is MME per `unit`, None where no figure is given."""

    key: str
    label: str
    factor: Decimal | None
    unit: str
    table: FactorTable
    strengths: tuple[Decimal, ...]  #: usual US immediate-release strengths per tablet, in `unit`
    caveats: tuple[str, ...]
    serotonergic: bool
    manual: str | None  #: why no automatic plan is drafted for it; None if one may be


@dataclass(frozen=True, slots=True)
class Product:
    """A combination tablet; `apap_mg` is its acetaminophen in mg."""

    key: str
    label: str
    opioid: str
    strength: Decimal
    apap_mg: int


@dataclass(frozen=True, slots=True)
class Threshold:
    """A daily MME from which staff are warned."""

    code: str
    at: Decimal
    text: str


@dataclass(frozen=True, slots=True)
class DrugTable:
    """The compiled drug table."""

    opioids: Mapping[str, Opioid]
    products: Mapping[str, Product]
    refused: Mapping[str, str]
    thresholds: tuple[Threshold, ...]  #: ascending
    caveats: tuple[str, ...]
    legacy_warning: str

    @classmethod
    def from_table(cls, table: Mapping[str, Any], *, file: str = FILE) -> "DrugTable":
        """Compile `opioids.toml`; raises ClinicalError naming file and row of a mistake."""
        top = whole(file, table)
        opioids = {key: _opioid(key, row.cited()) for key, row in top.section("opioids").items()}
        thresholds = [
            Threshold(key, row.cited().decimal("at"), row.text("text"))
            for key, row in top.section("thresholds").items()
        ]
        return cls(
            opioids=opioids,
            products={
                key: _product(key, row.cited(), opioids) for key, row in top.section("products").items()
            },
            refused={key: row.cited().text("label") for key, row in top.section("refused").items()},
            thresholds=tuple(sorted(thresholds, key=lambda threshold: threshold.at)),
            caveats=top.section("caveats").cited().words("general"),
            legacy_warning=top.section("legacy").cited().text("text"),
        )

    def find(self, key: str) -> Opioid:
        """Return the opioid; UnknownDrug for a form we refuse or a name we do not know."""
        if key in self.refused:
            raise UnknownDrug(f"{self.refused[key]}: no figure is given, a clinician judges it", field="drug")
        if key not in self.opioids:
            raise UnknownDrug(f"{key!r} is not in the drug table", field="drug")
        return self.opioids[key]

    def product(self, key: str) -> Product:
        """Return the combination tablet; UnknownDrug if there is none of that name."""
        if key not in self.products:
            raise UnknownDrug(f"{key!r} is not in the table of combination tablets", field="drug")
        return self.products[key]

    def knows_strength(self, key: str, strength: Decimal) -> bool:
        """Say whether tablets of this strength are on the list of usual ones."""
        return strength in self.find(key).strengths


def _opioid(key: str, row: Row) -> Opioid:
    table = row.word("table", FactorTable)
    if row.has("factor") is (table is FactorTable.EXCLUDED):
        raise row.mistake("every opioid but an excluded one needs a factor")
    factor = row.decimal("factor") if row.has("factor") else None
    if factor == 0:
        raise row.mistake("factor must be above zero")
    if row.text("unit") not in ("mg", "mcg/h"):
        raise row.mistake("unit must be mg or mcg/h")
    return Opioid(
        key=key,
        label=row.text("label"),
        factor=factor,
        unit=row.text("unit"),
        table=table,
        strengths=row.decimals("strengths"),
        caveats=row.words("caveats"),
        serotonergic=row.flag("serotonergic"),
        manual=row.text("manual") if row.has("manual") else None,
    )


def _product(key: str, row: Row, opioids: Mapping[str, Opioid]) -> Product:
    opioid = row.text("opioid")
    if opioid not in opioids:
        raise row.mistake(f"opioid {opioid!r} is not in this table")
    return Product(key, row.text("label"), opioid, row.decimal("strength"), int(row.decimal("apap_mg")))
