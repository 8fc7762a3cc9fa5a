"""Detect issues of a prescription, and the reasons why no plan is drafted by program."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from followup.clinical.drugs import DrugTable, Form
from followup.clinical.mme import Dose, total_mme
from followup.clinical.tables import whole
from followup.core.vocabulary import Severity

FILE = "issues.toml"
CODES = frozenset(
    [
        "mme50",
        "mme90",
        "apap_warn",
        "apap_refuse",
        "sedative",
        "long_course",
        "more_than_one_opioid",
        "form",
        "drug",
        "opioid_before",
        "pregnant",
        "under_18",
        "cancer_or_sickle_cell",
        "seizure_risk",
        "days_unknown",
        "too_many_pills",
        "strength_unknown",
        "older",
        "frail_organs",
    ]
)


class Effect(StrEnum):
    """What an issue does to the prescription or the plan."""

    INFORM = "inform"
    WARN = "warn"  #: staff must acknowledge it
    MANUAL = "manual"  #: no automatic draft; a clinician writes every row
    REFUSE = "refuse"  #: the prescription is not accepted


@dataclass(frozen=True, slots=True)
class DetectedIssue:
    """One issue, with its text for staff."""

    code: str
    severity: Severity
    effect: Effect
    text: str


@dataclass(frozen=True, slots=True)
class Prescription:
    """What was prescribed; `others` are further opioids of the same patient, from any prescriber."""

    drug: str
    strength: Decimal
    max_units_per_day: Decimal
    form: Form = Form.IR_TABLET
    apap_mg: int = 0
    regular: bool = False
    days_taken: int | None = None
    others: tuple[Dose, ...] = ()


@dataclass(frozen=True, slots=True)
class History:
    """What else is known of the patient; `age` in years, None when unknown."""

    age: int | None = None
    sedative_daily: bool = False
    opioid_before: bool = False  #: before surgery, or in treatment for opioid use disorder
    pregnant: bool = False
    cancer_or_sickle_cell: bool = False  #: or palliative care
    seizure_disorder: bool = False
    frail_organs: bool = False  #: kidney, liver or lung disease, or sleep apnoea


@dataclass(frozen=True, slots=True)
class IssueTable:
    """The compiled table of issues; limits in mg, pills, days and years."""

    issues: Mapping[str, DetectedIssue]
    apap_warn_mg: Decimal
    apap_refuse_mg: Decimal
    most_pills: Decimal
    long_course_days: Decimal
    adult_age: Decimal
    older_age: Decimal
    screen: tuple[str, ...]  #: limits of the generator, to be shown beside every draft

    @classmethod
    def from_table(cls, table: Mapping[str, Any], *, file: str = FILE) -> "IssueTable":
        """Compile `issues.toml`; raises ClinicalError naming file and row of a mistake."""
        top = whole(file, table)
        issues = {
            key: DetectedIssue(
                key, row.cited().word("severity", Severity), row.word("effect", Effect), row.text("text")
            )
            for key, row in top.section("issues").items()
        }
        if issues.keys() != CODES:
            raise top.mistake(f"issues missing or unknown: {', '.join(sorted(CODES ^ issues.keys()))}")
        limits = top.section("limits").cited()
        return cls(
            issues=issues,
            apap_warn_mg=limits.decimal("apap_warn_mg"),
            apap_refuse_mg=limits.decimal("apap_refuse_mg"),
            most_pills=limits.decimal("most_pills"),
            long_course_days=limits.decimal("long_course_days"),
            adult_age=limits.decimal("adult_age"),
            older_age=limits.decimal("older_age"),
            screen=limits.words("screen"),
        )


def detect(
    prescription: Prescription, history: History, *, drugs: DrugTable, table: IssueTable
) -> tuple[DetectedIssue, ...]:
    """Return every issue, the most severe first; raises UnknownDrug."""
    codes = [
        *_of_the_dose(prescription, drugs, table),
        *_of_the_course(prescription, drugs, table),
        *_of_the_person(prescription, history, drugs, table),
    ]
    order = list(Severity)
    return tuple(
        sorted((table.issues[code] for code in codes), key=lambda issue: order.index(issue.severity))
    )


def manual_only(issues: tuple[DetectedIssue, ...]) -> tuple[DetectedIssue, ...]:
    """Return the issues that forbid an automatic draft."""
    return tuple(issue for issue in issues if issue.effect in (Effect.MANUAL, Effect.REFUSE))


def _of_the_dose(rx: Prescription, drugs: DrugTable, table: IssueTable) -> Iterator[str]:
    mme = total_mme(drugs, [Dose(rx.drug, rx.strength, rx.max_units_per_day), *rx.others])
    if mme.band is not None:
        yield mme.band
    apap = rx.apap_mg * rx.max_units_per_day
    if apap > table.apap_refuse_mg:
        yield "apap_refuse"
    elif apap > table.apap_warn_mg:
        yield "apap_warn"
    if rx.max_units_per_day > table.most_pills:
        yield "too_many_pills"
    if not drugs.knows_strength(rx.drug, rx.strength):
        yield "strength_unknown"


def _of_the_course(rx: Prescription, drugs: DrugTable, table: IssueTable) -> Iterator[str]:
    if rx.others:
        yield "more_than_one_opioid"
    if rx.form is not Form.IR_TABLET:
        yield "form"
    if drugs.find(rx.drug).manual is not None:
        yield "drug"
    if rx.days_taken is None:
        yield "days_unknown"
    elif rx.regular and rx.days_taken >= table.long_course_days:
        yield "long_course"


def _of_the_person(rx: Prescription, who: History, drugs: DrugTable, table: IssueTable) -> Iterator[str]:
    if who.age is not None and who.age < table.adult_age:
        yield "under_18"
    if who.age is not None and who.age >= table.older_age:
        yield "older"
    if who.seizure_disorder and drugs.find(rx.drug).serotonergic:
        yield "seizure_risk"
    for present, code in (
        (who.sedative_daily, "sedative"),
        (who.opioid_before, "opioid_before"),
        (who.pregnant, "pregnant"),
        (who.cancer_or_sickle_cell, "cancer_or_sickle_cell"),
        (who.frail_organs, "frail_organs"),
    ):
        if present:
            yield code
