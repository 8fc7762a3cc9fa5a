"""Say what a machine must have: a lack is skipped aloud, or fails where FOLLOWUP_REQUIRE names it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.servers import MissingPart

PARTS = ("postgres", "redis", "browser", "prism")


def required_parts() -> frozenset[str]:
    """Read the comma-separated FOLLOWUP_REQUIRE; an unknown name is an error, as it would require nothing."""
    named = frozenset(name for name in os.environ.get("FOLLOWUP_REQUIRE", "").split(",") if name)
    if unknown := named - set(PARTS):
        raise ValueError(f"FOLLOWUP_REQUIRE names {sorted(unknown)}; known are {', '.join(PARTS)}")
    return named


@contextmanager
def part(name: str) -> Iterator[None]:
    """Skip, or fail where `name` is required, when the block finds this machine lacking."""
    try:
        yield
    except MissingPart as missing:
        if name in required_parts():
            pytest.fail(f"required here, but missing: {missing}", pytrace=False)
        pytest.skip(f"missing on this machine: {missing}")
