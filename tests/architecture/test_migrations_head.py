"""Migrations are one line of numbers; HEAD names the last, and two branches that add one collide there."""

from alembic.config import Config
from alembic.script import ScriptDirectory

from tests.support.tree import ROOT


def test_head_names_the_newest_migration():
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    (newest,) = ScriptDirectory.from_config(config).get_heads()
    assert (ROOT / "migrations" / "HEAD").read_text() == f"{newest}\n"


def test_migrations_are_numbered_without_a_gap():
    names = sorted(path.name for path in (ROOT / "migrations" / "versions").glob("*.py"))
    assert [name.split("_")[0] for name in names] == [f"{number:04d}" for number in range(1, len(names) + 1)]
