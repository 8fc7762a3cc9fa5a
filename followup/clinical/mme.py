"""Compute daily morphine milligram equivalents, for risk flags only."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from followup.clinical.drugs import DrugTable, FactorTable
from followup.core.errors import ClinicalError


@dataclass(frozen=True, slots=True)
class Dose:
    """One opioid as prescribed: `strength` per unit taken, and the most units a day."""

    drug: str
    strength: Decimal
    max_units_per_day: Decimal


@dataclass(frozen=True, slots=True)
class Mme:
    """A daily figure in MME; None where an opioid has none, which is not zero."""

    value: Decimal | None
    band: str | None  #: code of the highest threshold reached: mme50, mme90 or None
    warnings: tuple[str, ...]
    caveats: tuple[str, ...]

    @property
    def shown(self) -> str:
        """Return the figure with one decimal place, or a dash where there is none."""
        return "-" if self.value is None else f"{self.value:.1f}"


def mme_per_day(table: DrugTable, key: str, strength: Decimal, max_units_per_day: Decimal) -> Mme:
    """Return the figure of one opioid; a patch counts its mcg/h once and takes 1 as its units a day.

    Raises UnknownDrug, or ClinicalError for an amount that is not above zero.
    """
    return total_mme(table, [Dose(key, strength, max_units_per_day)])


def total_mme(table: DrugTable, doses: Iterable[Dose]) -> Mme:
    """Return the figure of all opioids together, from all prescribers.

    One opioid without a factor leaves the whole without a figure: a partial sum would look safe.
    """
    doses = tuple(doses)
    figures = [_figure(table, dose) for dose in doses]
    known = [figure for figure in figures if figure is not None]
    value = sum(known, Decimal(0)) if len(known) == len(figures) else None
    reached = [limit for limit in table.thresholds if value is not None and value >= limit.at]
    opioids = [table.find(dose.drug) for dose in doses]
    legacy = [
        f"{opioid.label}: {table.legacy_warning}" for opioid in opioids if opioid.table is FactorTable.LEGACY
    ]
    return Mme(
        value=value,
        band=reached[-1].code if reached else None,
        warnings=(*legacy, *(limit.text for limit in reached)),
        caveats=(*table.caveats, *dict.fromkeys(text for opioid in opioids for text in opioid.caveats)),
    )


def _figure(table: DrugTable, dose: Dose) -> Decimal | None:
    opioid = table.find(dose.drug)
    for amount, field in ((dose.strength, "strength"), (dose.max_units_per_day, "max_units_per_day")):
        if not amount.is_finite() or amount <= 0:
            raise ClinicalError(f"{field} must be above zero", field=field)
    if opioid.factor is None:
        return None
    if opioid.unit == "mcg/h":
        if dose.max_units_per_day != 1:
            raise ClinicalError(
                "For a patch enter the mcg per hour worn at one time, with 1 a day", field="max_units_per_day"
            )
        return dose.strength * opioid.factor
    return dose.strength * dose.max_units_per_day * opioid.factor
