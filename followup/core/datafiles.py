"""Read packaged TOML files, once each: the only file reader below the store."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from followup.core.errors import ContentError


@cache
def load_bytes(package: str, name: str) -> bytes:
    """Return the raw bytes of a packaged file; ContentError if it is not there."""
    try:
        return files(package).joinpath(name).read_bytes()
    except OSError as gone:
        raise ContentError(f"{package}/{name}: the file is missing from this installation") from gone


@cache
def load_toml(package: str, name: str) -> Mapping[str, Any]:
    """Return a packaged TOML file as plain mappings; ContentError names file and line if it is broken."""
    try:
        return tomllib.loads(load_bytes(package, name).decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as broken:
        raise ContentError(f"{package}/{name}: {broken}") from broken
