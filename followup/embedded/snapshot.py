"""Keep the seeded database beside the demo's data: the next start need not live through the past again."""

import hashlib
import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from followup import __version__
from followup.core.clock import SystemClock
from followup.core.datafiles import load_bytes
from followup.embedded.folder import SNAPSHOT

_GOOD_FOR = timedelta(days=3)  # older, and the patients would have grown too old for what the demo shows
_MADE_FROM = (
    ("followup.embedded", "people.toml"),
    ("followup.protocols", "default.toml"),
    ("followup.clinical.data", "opioids.toml"),
)


def path_in(folder: Path, *, schema: str) -> Path:
    """Return where the snapshot lies that this version of code, data and schema would make."""
    digest = hashlib.sha256(f"{__version__} {schema}".encode())
    for package, name in _MADE_FROM:
        digest.update(load_bytes(package, name))
    return folder / f"{SNAPSHOT}{digest.hexdigest()[:12]}.db"


def restore(snapshot: Path, database: Path) -> bool:
    """Copy a fresh snapshot to where the database is to be; False if there is none, or one is there."""
    if database.exists() or not snapshot.exists():
        return False
    if SystemClock().now().timestamp() - snapshot.stat().st_mtime > _GOOD_FOR.total_seconds():
        snapshot.unlink()
        return False
    shutil.copyfile(snapshot, database)
    return True


def save(database: Path, snapshot: Path) -> None:
    """Write the snapshot of a database whole or not at all, and drop those of other versions."""
    for old in snapshot.parent.glob(f"{SNAPSHOT}*"):
        old.unlink()
    half = snapshot.with_suffix(".half")
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("VACUUM INTO ?", (str(half),))
    half.rename(snapshot)
