"""`followup check-content`: hold every text and plan of this installation against the law of content."""

import sys

import click

from followup.messages import lint
from followup.messages.catalog import load_catalog
from followup.messages.events import load_events
from followup.protocols import checks
from followup.protocols.library import load_escalation, load_protocol, names


@click.command("check-content")
def command() -> None:
    """Check texts, links, events, plans and escalation; print each fault with file and key, exit 1 if any."""
    catalog, events = load_catalog(), load_events()
    faults = list(lint.check(catalog, events))
    for name in names():
        faults += checks.check(load_protocol(name), catalog.facts(), load_escalation())
    for fault in faults:
        click.echo(fault, err=True)
    for line in (*lint.summary(catalog), *(checks.summary(load_protocol(name)) for name in names())):
        click.echo(line)
    click.echo(f"{len(faults)} faults" if faults else "PASS")
    sys.exit(1 if faults else 0)
