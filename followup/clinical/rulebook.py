"""Gather every compiled table of the clinical floor in one value."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from followup.clinical.drugs import DrugTable
from followup.clinical.issues import IssueTable
from followup.clinical.keywords import KeywordTable
from followup.clinical.scales import Instruments
from followup.clinical.triage.lexicon import Lexicon

#: The files of `followup/clinical/data` that a rulebook is compiled from.
FILES = (
    "opioids.toml",
    "issues.toml",
    "instruments.toml",
    "keywords.toml",
    "triage.toml",
    "lexicon_en.toml",
    "lexicon_es.toml",
)


@dataclass(frozen=True, slots=True)
class Rulebook:
    """The compiled tables."""

    drugs: DrugTable
    issues: IssueTable
    instruments: Instruments
    keywords: KeywordTable
    lexicon: Lexicon

    @classmethod
    def from_tables(cls, tables: Mapping[str, Mapping[str, Any]]) -> "Rulebook":
        """Compile all tables, given by the names of `FILES`; raises ClinicalError for a mistake."""
        instruments = Instruments.from_table(tables["instruments.toml"])
        keywords = KeywordTable.from_table(tables["keywords.toml"])
        return cls(
            drugs=DrugTable.from_table(tables["opioids.toml"]),
            issues=IssueTable.from_table(tables["issues.toml"]),
            instruments=instruments,
            keywords=keywords,
            lexicon=Lexicon.from_tables(
                tables["triage.toml"],
                {name: tables[name] for name in FILES if name.startswith("lexicon_")},
                keywords=keywords,
                instruments=instruments,
            ),
        )
