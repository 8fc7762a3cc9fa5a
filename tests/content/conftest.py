"""Lend the shipped content, and the faults that the law finds in it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from followup.messages import lint
from followup.messages.catalog import Catalog, load_catalog
from followup.messages.events import Events, load_events
from followup.messages.law import load_law
from followup.messages.lint_words import Bench
from followup.protocols import checks
from followup.protocols.definition import PlanDefinition
from followup.protocols.library import load_escalation, load_protocol
from tests.content.planting import DRAFTS


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return load_catalog()


@pytest.fixture(scope="session")
def events() -> Events:
    return load_events()


@pytest.fixture(scope="session")
def plan() -> PlanDefinition:
    return load_protocol("default")


@pytest.fixture(scope="session")
def faults_of(events: Events, plan: PlanDefinition) -> Callable[[Catalog], str]:
    """Return the faults of a catalogue as one string."""
    scheduled = checks.used_messages([plan])
    return lambda catalog: "\n".join(lint.check(catalog, events, scheduled))


@pytest.fixture(scope="session")
def faults_of_text(catalog: Catalog) -> Callable[[Catalog, str], str]:
    """Return the faults that one changed text makes, as one string."""
    bench = Bench.of(load_law(), catalog.wording)

    def faults(changed: Catalog, key: str) -> str:
        found = [
            *lint.message_faults(changed.get(key), changed, bench),
            *lint.catalog_faults(changed, bench.law),
        ]
        return "\n".join(found)

    return faults


@pytest.fixture(scope="session")
def faults_of_plan(catalog: Catalog) -> Callable[[PlanDefinition], str]:
    """Return the faults of a plan as one string."""
    return lambda plan: "\n".join(checks.check(plan, catalog.facts(), load_escalation()))


@pytest.fixture(scope="session")
def draft() -> dict[str, Any]:
    """Return the clinical draft of the texts."""
    return json.loads((DRAFTS / "messages.json").read_text(encoding="utf-8"))
