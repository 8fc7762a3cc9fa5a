"""Two writers lose nothing, and a one-statement transaction gives everything back."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from followup.core.clock import SystemClock
from followup.store.demo_clock import OFFSET_KEY, DemoClock
from followup.store.models import ServiceState
from followup.store.session import autocommitted, make_engine

WRITERS, TIMES = 4, 10


@pytest.fixture
def counter(sessions):
    with sessions.begin() as session:
        session.add(ServiceState(key="count", number=0))
    return lambda: stored(sessions, "count")


def stored(sessions, key):
    with sessions() as session:
        return session.scalar(select(ServiceState.number).where(ServiceState.key == key))


def test_writers_that_read_first_lose_nothing(sessions, counter):
    def raise_by_hand():
        for _ in range(TIMES):
            with sessions.begin() as session:
                row = session.get_one(ServiceState, "count", with_for_update=True)
                row.number += 1

    with ThreadPoolExecutor(WRITERS) as pool:
        for done in [pool.submit(raise_by_hand) for _ in range(WRITERS)]:
            done.result()
    assert counter() == WRITERS * TIMES


def test_a_unit_of_work_that_raises_leaves_nothing(sessions, counter):
    def half_a_change():
        with sessions.begin() as session:
            session.get_one(ServiceState, "count").number = 5
            session.flush()
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        half_a_change()
    assert counter() == 0


def test_what_was_written_is_still_readable_after_the_commit(sessions, counter):
    with sessions.begin() as session:
        row = session.get_one(ServiceState, "count")
    assert row.number == counter()


def raised():
    return update(ServiceState).values(number=ServiceState.number + 1).returning(ServiceState.number)


def test_one_statement_is_committed_and_its_rows_are_given(engine, sessions, counter):
    assert [row.number for row in autocommitted(engine, raised())] == [1]
    assert counter() == 1


def test_a_statement_without_rows_gives_none(engine, sessions):
    added = insert(ServiceState)
    assert autocommitted(engine, added, [{"key": "a", "number": 1}, {"key": "b", "number": 2}]) == []
    assert (stored(sessions, "a"), stored(sessions, "b")) == (1, 2)


def test_one_statement_gives_connection_and_lock_back(engine, sessions, counter):
    autocommitted(engine, raised())
    assert engine.pool.checkedout() == 0
    began = time.monotonic()
    with sessions.begin() as session:
        session.get_one(ServiceState, "count").number += 1
    assert time.monotonic() - began < 5, "the file was still locked"
    assert counter() == 2


def test_a_statement_that_fails_gives_them_back_too(engine, sessions, counter):
    again = insert(ServiceState).values(key="count", number=9)
    with pytest.raises(IntegrityError):
        autocommitted(engine, again)
    assert engine.pool.checkedout() == 0
    assert [row.number for row in autocommitted(engine, raised())] == [1]


def test_sqlite_takes_the_write_lock_at_the_first_statement(sqlite_url):
    engine = make_engine(sqlite_url)
    order: list[str] = []

    def second():
        with engine.begin() as connection:
            connection.execute(select(func.count()).select_from(ServiceState))
            order.append("second")

    with engine.begin() as connection:
        connection.execute(select(func.count()).select_from(ServiceState))
        other = threading.Thread(target=second)
        other.start()
        time.sleep(0.2)
        order.append("first")
    other.join(10)
    engine.dispose()
    assert order == ["first", "second"]


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("foreign_keys", 1), ("busy_timeout", 30000), ("synchronous", 1)],
)
def test_sqlite_is_opened_as_the_service_needs_it(sqlite_url, pragma, value):
    engine = make_engine(sqlite_url)
    with engine.connect() as connection:
        assert connection.execute(text(f"PRAGMA {pragma}")).scalar_one() == value
    engine.dispose()


def test_the_demos_clock_is_moved_on_by_the_stored_seconds(engine, sessions):
    behind = SystemClock().now()
    assert abs((DemoClock(engine).now() - behind).total_seconds()) < 60
    with sessions.begin() as session:
        session.add(ServiceState(key=OFFSET_KEY, number=86_400))
    assert 86_400 <= (DemoClock(engine).now() - behind).total_seconds() < 86_460


def test_the_demos_clock_reads_its_row_at_most_five_times_a_second(engine, sessions):
    clock = DemoClock(engine)
    before = clock.now()
    with sessions.begin() as session:
        session.add(ServiceState(key=OFFSET_KEY, number=86_400))
    clock._read_at = clock.monotonic()
    assert (clock.now() - before).total_seconds() < 60
    clock._read_at -= 0.2
    assert (clock.now() - before).total_seconds() > 86_000


def test_the_demos_clock_can_be_asked_in_the_middle_of_a_write(engine, sessions, counter):
    with sessions.begin() as session:
        session.get_one(ServiceState, "count").number = 7
        session.flush()
        began = time.monotonic()
        assert DemoClock(engine).now()
        assert time.monotonic() - began < 5
    assert counter() == 7
