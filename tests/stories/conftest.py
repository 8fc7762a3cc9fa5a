from collections.abc import Iterator

import pytest

from tests.world import World, build


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """The whole service with one clinic, on SQLite and on PostgreSQL."""
    made = build(database_url)
    yield made
    made.house.engine.dispose()


@pytest.fixture
def small_world(sqlite_url: str) -> Iterator[World]:
    """The same on SQLite alone, for long stories whose database does not matter."""
    made = build(sqlite_url)
    yield made
    made.house.engine.dispose()
