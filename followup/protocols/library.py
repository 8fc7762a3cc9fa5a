"""Find, load and version the shipped protocol files."""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from followup.core.datafiles import load_bytes, load_toml
from followup.core.errors import ContentError
from followup.core.vocabulary import Tier
from followup.protocols.definition import EscalationPolicy, PlanDefinition, plan_from, policy_from

PACKAGE = "followup.protocols"
_ESCALATION = "escalation"

Escalation = Mapping[Tier, EscalationPolicy]


@cache
def names() -> tuple[str, ...]:
    """Return the names of the shipped protocols, sorted."""
    found = (
        entry.name.removesuffix(".toml") for entry in files(PACKAGE).iterdir() if entry.name.endswith(".toml")
    )
    return tuple(sorted(name for name in found if name != _ESCALATION))


@cache
def load_protocol(name: str) -> PlanDefinition:
    """Return a protocol by name, with the SHA-256 of its file; ContentError if unknown or broken."""
    if name not in names():
        raise ContentError(f"unknown protocol: {name}")
    file = f"{name}.toml"
    digest = hashlib.sha256(load_bytes(PACKAGE, file)).hexdigest()
    return plan_from(name, load_toml(PACKAGE, file), digest)


@cache
def load_escalation() -> Escalation:
    """Return the escalation policy of every tier; ContentError names a broken one."""
    raw = load_toml(PACKAGE, f"{_ESCALATION}.toml")
    policies = (policy_from(tier, one) for tier, one in raw["policy"].items())
    return MappingProxyType({policy.tier: policy for policy in policies})
