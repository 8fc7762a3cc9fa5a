"""The schema goes up, down and up again on both databases, and the models say the same as it."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from followup.store import migrate
from followup.store.base import Base
from followup.store.session import make_engine


@pytest.fixture
def opened(empty_database_url):
    engine = make_engine(empty_database_url)
    yield engine
    engine.dispose()


def tables(engine):
    return set(inspect(engine).get_table_names())


def differences(engine):
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, Base.metadata)


def test_up_down_up(empty_database_url, opened):
    migrate.upgrade(empty_database_url)
    first = tables(opened)
    assert first >= set(Base.metadata.tables)
    assert migrate.is_current(empty_database_url)
    migrate.downgrade(empty_database_url, "base")
    assert tables(opened) == {"alembic_version"}
    assert not migrate.is_current(empty_database_url)
    migrate.upgrade(empty_database_url)
    assert tables(opened) == first
    assert migrate.is_current(empty_database_url)


def test_the_models_say_what_the_migrations_made(empty_database_url, opened):
    migrate.upgrade(empty_database_url)
    assert differences(opened) == []


def test_a_database_that_lacks_a_column_is_told_apart(empty_database_url, opened):
    migrate.upgrade(empty_database_url)
    with opened.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE questionnaire_responses DROP COLUMN status")
    assert [one[0] for one in differences(opened)] == ["add_column"]


def test_partial_indexes_keep_their_conditions(empty_database_url, opened):
    migrate.upgrade(empty_database_url)
    found = {one["name"]: one for one in inspect(opened).get_indexes("communication_requests")}
    dialect = opened.dialect.name
    for name in ("uq_communication_requests_planned", "ix_communication_requests_due"):
        assert found[name]["dialect_options"][f"{dialect}_where"] is not None
    assert found["uq_communication_requests_planned"]["unique"]


def test_upgrading_twice_changes_nothing(empty_database_url, opened):
    migrate.upgrade(empty_database_url)
    before = tables(opened)
    migrate.upgrade(empty_database_url)
    assert tables(opened) == before


def test_the_next_migration_is_written_from_the_difference(sqlite_url, tmp_path, monkeypatch):
    import shutil

    from followup.store.migrate import _ROOT

    copy = tmp_path / "checkout"
    shutil.copytree(_ROOT / "migrations", copy / "migrations", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(migrate, "_ROOT", copy)
    migrate.autogenerate(sqlite_url, "nothing new", "9999")
    (written,) = (copy / "migrations" / "versions").glob("9999*.py")
    text = written.read_text(encoding="utf-8")
    assert 'revision: str = "9999"' in text or "revision = '9999'" in text or 'revision = "9999"' in text
    assert "op." not in text.split("def upgrade")[1], "the models and the schema already agree"


def test_an_installed_copy_finds_its_own_migrations(tmp_path, monkeypatch):
    monkeypatch.setattr(migrate, "_ROOT", tmp_path)
    config = migrate._config("sqlite://")
    assert config.get_main_option("script_location") == str(tmp_path / "followup" / "_migrations")
