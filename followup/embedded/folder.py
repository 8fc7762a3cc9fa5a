"""The demo's data folder: who runs in it, and the settings that its processes share."""

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_LOCK = "demo.lock"
SNAPSHOT = "seed-"  #: How the names of seeded databases begin; nobody's own data is in them.
_SETTINGS = "settings.json"


def default_path() -> Path:
    """Return where the demo keeps its data: the user's state folder (XDG), never the checkout."""
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return Path(state) / "followup-demo"


@dataclass
class Folder:
    """A data folder that this process holds alone."""

    path: Path
    _lock: IO[str]

    @classmethod
    def hold(cls, path: Path) -> "Folder | str":
        """Take the folder; a string says where the demo that already holds it answers."""
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (path / _LOCK).open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            return lock.read().strip() or "another terminal"
        return cls(path, lock)

    def announce(self, url: str) -> None:
        """Write down where we answer, for the one who comes second."""
        self._lock.seek(0)
        self._lock.truncate()
        self._lock.write(url)
        self._lock.flush()

    def wipe(self) -> None:
        """Empty the folder, all but the lock and the seed that the next start begins from."""
        for entry in self.path.iterdir():
            if entry.name == _LOCK or entry.name.startswith(SNAPSHOT):
                continue
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)

    def settings(self, *, url: str, redis_url: str) -> dict[str, str]:
        """Return the environment of the demo's processes and keep it, readable by this user only.

        The secret key survives a restart with --keep, so that links that were sent still open.
        """
        before = read_settings(self.path) or {}
        values = {
            "FOLLOWUP_ENVIRONMENT": "demo",
            "FOLLOWUP_CARRIER": "sandbox",
            "FOLLOWUP_DATABASE_URL": f"sqlite:///{self.path / 'followup.db'}",
            "FOLLOWUP_REDIS_URL": redis_url,
            "FOLLOWUP_PUBLIC_URL": url,
            "FOLLOWUP_SECRET_KEY": before.get("FOLLOWUP_SECRET_KEY") or secrets.token_hex(32),
            "FOLLOWUP_TWILIO_HANDLES_KEYWORDS": "false",
            "FOLLOWUP_TICK_SECONDS": "1",
            "FOLLOWUP_LOG_LEVEL": "WARNING",
            "FOLLOWUP_IN_FLIGHT": "8",
            "FOLLOWUP_MAIL_FROM": "care@riverside.example",
        }
        target = self.path / _SETTINGS
        target.touch(mode=0o600)
        target.write_text(json.dumps(values, indent=1))
        return values


def read_settings(path: Path) -> Mapping[str, str] | None:
    """Return the settings that a demo left in its folder; None if none ran there."""
    try:
        found: Any = json.loads((path / _SETTINGS).read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
