"""The seed is kept for the next start: fresh, of the same data and code, and with nobody's own work in it."""

import os
import sqlite3
from contextlib import closing
from datetime import timedelta

from followup.embedded import snapshot


def database(path, word):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE said (word TEXT)")
        connection.execute("INSERT INTO said VALUES (?)", (word,))
        connection.commit()
    return path


def word_in(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT word FROM said").fetchone()[0]


def test_a_seed_is_saved_whole_and_comes_back(tmp_path):
    kept = snapshot.path_in(tmp_path, schema="0001")
    snapshot.save(database(tmp_path / "followup.db", "seeded"), kept)
    (tmp_path / "followup.db").unlink()
    assert snapshot.restore(kept, tmp_path / "followup.db")
    assert word_in(tmp_path / "followup.db") == "seeded"
    assert {entry.name for entry in tmp_path.iterdir()} == {"followup.db", kept.name}


def test_a_database_that_is_there_is_never_overwritten(tmp_path):
    kept = snapshot.path_in(tmp_path, schema="0001")
    snapshot.save(database(tmp_path / "first.db", "seeded"), kept)
    own = database(tmp_path / "followup.db", "my own work")
    assert not snapshot.restore(kept, own)
    assert word_in(own) == "my own work"


def test_an_old_seed_is_dropped(tmp_path):
    kept = snapshot.path_in(tmp_path, schema="0001")
    snapshot.save(database(tmp_path / "first.db", "seeded"), kept)
    long_ago = kept.stat().st_mtime - timedelta(days=4).total_seconds()
    os.utime(kept, (long_ago, long_ago))
    assert not snapshot.restore(kept, tmp_path / "followup.db")
    assert not kept.exists()


def test_another_schema_has_another_seed_and_the_old_one_goes(tmp_path):
    old, new = (snapshot.path_in(tmp_path, schema=schema) for schema in ("0001", "0002"))
    assert old != new
    snapshot.save(database(tmp_path / "first.db", "old"), old)
    snapshot.save(tmp_path / "first.db", new)
    assert (old.exists(), new.exists()) == (False, True)
