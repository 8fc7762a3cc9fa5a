"""`followup check-content`: hold every text and plan of this installation against the law of content."""

import sys
from collections.abc import Iterator, Mapping

import click

from followup.core.vocabulary import Language, LinkPurpose
from followup.messages import lint
from followup.messages.catalog import Catalog
from followup.messages.render import placeholders
from followup.protocols import checks, stories
from followup.services.knowledge import Knowledge, load_knowledge


@click.command("check-content")
def command() -> None:
    """Check texts, links, events, plans and escalation; print each fault with file and key, exit 1 if any."""
    knowledge = load_knowledge()
    found = faults(knowledge)
    for fault in found:
        click.echo(fault, err=True)
    for line in _summary(knowledge):
        click.echo(line)
    click.echo(f"{len(found)} faults" if found else "PASS")
    sys.exit(1 if found else 0)


def faults(knowledge: Knowledge) -> list[str]:
    """Return every fault of the content, each with its file and key; an empty list means that it may ship."""
    plans = list(knowledge.protocols.values())
    found = lint.check(knowledge.catalog, knowledge.events, scheduled=checks.used_messages(plans))
    for plan in plans:
        found += checks.check(plan, knowledge.catalog.facts(), knowledge.escalation)
    return [*found, *_link_faults(knowledge.catalog, knowledge.links)]


def _link_faults(catalog: Catalog, links: Mapping[str, LinkPurpose]) -> Iterator[str]:
    wanted = {
        message.key
        for message in catalog
        for language in Language
        if "link" in placeholders(message.words(language).text)
    }
    for key in sorted(wanted - links.keys()):
        yield f"links.toml/{key}: its text has a {{link}}; say what it opens"
    for key in sorted(links.keys() - wanted):
        yield f"links.toml/{key}: no text of that name has a {{link}}; take the line out"


def _summary(knowledge: Knowledge) -> Iterator[str]:
    yield from lint.summary(knowledge.catalog, knowledge.events)
    for plan in knowledge.protocols.values():
        yield from stories.summary(plan)
