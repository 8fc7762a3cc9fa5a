import csv
from pathlib import Path
from typing import Any

import pytest

from followup.clinical.rulebook import FILES, Rulebook
from followup.core.datafiles import load_toml

GOLDEN = Path(__file__).parents[1] / "golden"


def golden(name: str) -> list[dict[str, str]]:
    with (GOLDEN / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def tables() -> dict[str, Any]:
    return {name: load_toml("followup.clinical", f"data/{name}") for name in FILES}


@pytest.fixture(scope="session")
def rules() -> Rulebook:
    return Rulebook.from_tables(tables())
