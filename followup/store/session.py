"""Open the database: engine, session factory, and the one-statement transaction."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import Connection, Engine, Executable, Row, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

Sessions = sessionmaker[Session]
UnitOfWork = AbstractContextManager[Session]

_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=NORMAL",
    "PRAGMA busy_timeout=30000",
    "PRAGMA foreign_keys=ON",
)


def make_engine(url: str, *, pool_size: int = 10) -> Engine:
    """Return an engine for PostgreSQL (psycopg 3) or SQLite (WAL, BEGIN IMMEDIATE)."""
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(
            url,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_pre_ping=True,
            hide_parameters=True,
            # The claim's cost estimate would have it compiled anew each time: ten times the work of a run.
            connect_args={"options": "-c jit=off"},
        )
    engine = create_engine(url, hide_parameters=True)  # parameters are numbers and words of patients
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    # The driver's own transactions begin too late (at the first write): two readers that both go on to
    # write then lose an update. We begin ourselves, and take the write lock at once.
    connection.isolation_level = None
    for pragma in _SQLITE_PRAGMAS:
        connection.execute(pragma)


def _begin_sqlite(connection: Connection) -> None:
    reads_only = connection.get_execution_options().get("reads_only", False)
    connection.exec_driver_sql("BEGIN DEFERRED" if reads_only else "BEGIN IMMEDIATE")


def session_factory(engine: Engine) -> Sessions:
    """Return the factory of units of work: `with sessions.begin() as session: ...`."""
    return sessionmaker(engine, expire_on_commit=False)


def autocommitted(engine: Engine, statement: Executable, parameters: Any = None) -> Sequence[Row[Any]]:
    """Run one statement in a transaction of its own; its rows are fetched and the connection is given back.

    The only way to a one-statement transaction. PostgreSQL: AUTOCOMMIT, one round trip. SQLite: begin,
    execute, commit; an AUTOCOMMIT connection beside our BEGIN IMMEDIATE hook would keep the file locked.
    """
    if engine.dialect.name == "sqlite":
        with engine.begin() as connection:
            result = connection.execute(statement, parameters)
            return result.fetchall() if result.returns_rows else []
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        result = connection.execute(statement, parameters)
        return result.fetchall() if result.returns_rows else []
