"""What the house knows by heart.

Texts, events, plans, ladders and clinical tables, read once and handed in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from followup.clinical.rulebook import FILES, Rulebook
from followup.core.datafiles import load_toml
from followup.core.errors import ContentError
from followup.core.vocabulary import LinkPurpose
from followup.messages.catalog import Catalog, load_catalog
from followup.messages.events import Events, load_events
from followup.protocols.definition import PlanDefinition
from followup.protocols.library import Escalation, load_escalation, load_protocol, names


@dataclass(frozen=True)
class Knowledge:
    """Everything that is data, compiled. Services get it as an argument; a test may hand in a smaller one."""

    catalog: Catalog
    events: Events
    links: Mapping[str, LinkPurpose]  #: What the {link} of a text opens.
    protocols: Mapping[str, PlanDefinition]
    escalation: Escalation
    rules: Rulebook  #: drugs, issues, instruments, keywords, lexicon

    @property
    def wording_version(self) -> str:
        """Return what a consent is given to: the status and review of the consent texts."""
        review = self.catalog.reviews["en/consent.toml"]
        return f"{review.status}, reviewed {review.reviewed_on}"


def _links() -> Mapping[str, LinkPurpose]:
    table = load_toml("followup.messages", "links.toml")["links"]
    try:
        return {key: LinkPurpose(purpose) for key, purpose in table.items()}
    except ValueError as wrong:
        raise ContentError(f"links.toml: {wrong}") from wrong


@cache
def load_knowledge() -> Knowledge:
    """Read and compile every shipped data file; a broken one is refused by file and row."""
    return Knowledge(
        catalog=load_catalog(),
        events=load_events(),
        links=_links(),
        protocols={name: load_protocol(name) for name in names()},
        escalation=load_escalation(),
        rules=Rulebook.from_tables({name: load_toml("followup.clinical.data", name) for name in FILES}),
    )
