"""Every test has a database of its own, on both of the systems that we run on."""

import pytest
from sqlalchemy import inspect, text


@pytest.mark.parametrize("turn", ["first", "second"])
def test_what_one_test_commits_no_other_test_sees(sessions, turn):
    with sessions.begin() as session:
        assert session.execute(text("SELECT count(*) FROM organizations")).scalar() == 0
        name = session.get_bind().dialect.name
        table = "CREATE TABLE left_behind AS SELECT 1 AS x"
        session.execute(text(table))
    assert name in ("sqlite", "postgresql")


def test_the_database_stands_at_the_newest_migration(database_url):
    from followup.store import migrate

    assert migrate.is_current(database_url)


def test_an_empty_database_has_no_tables(empty_database_url):
    from followup.store.session import make_engine

    engine = make_engine(empty_database_url)
    assert inspect(engine).get_table_names() == []
    engine.dispose()


@pytest.mark.parametrize("turn", ["first", "second"])
def test_even_what_the_fast_session_commits_no_other_test_sees(session, turn):
    assert "never_kept" not in inspect(session.connection()).get_table_names()
    session.execute(text("CREATE TABLE never_kept (x int)"))
    session.commit()
    assert "never_kept" in inspect(session.connection()).get_table_names()


def test_a_session_sees_the_same_rows_as_the_factory_beside_it(session, sessions):
    with sessions.begin() as other:
        other.execute(text("CREATE TABLE seen AS SELECT 1 AS x"))
    assert session.execute(text("SELECT x FROM seen")).scalar() == 1
