"""Write many rows at once. The only branch by database: COPY, unnest (PostgreSQL) or executemany (SQLite)."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, cast

import psycopg
from psycopg import sql
from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Table,
    Update,
    bindparam,
    column,
    func,
    insert,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from followup.store.base import Base

Source = Callable[[str], ColumnElement[Any]]
_PREFIX = "row_"  # a parameter that is named like a column would be taken for the column's new value


def update_many(
    session: Session,
    statement: Callable[[Source], Update],
    types: Mapping[str, TypeEngine[Any]],
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Run one UPDATE for all rows, in the caller's transaction.

    `statement` is handed a function that stands for a value of the row at hand, by name; `types` names the
    values and their column types; each row holds them all.
    """
    if not rows:
        return
    on_postgresql = session.get_bind().dialect.name == "postgresql"
    built = _built(statement, tuple(types.items()), on_postgresql)
    if on_postgresql:
        session.connection().execute(built, {_PREFIX + name: [row[name] for row in rows] for name in types})
    else:
        session.connection().execute(built, [{_PREFIX + name: row[name] for name in types} for row in rows])


@cache  # building and reading such a statement costs more than running it
def _built(
    statement: Callable[[Source], Update], types: tuple[tuple[str, TypeEngine[Any]], ...], on_postgresql: bool
) -> Update:
    return statement(_unnested(dict(types)) if on_postgresql else _bound(dict(types)))


def _bound(types: Mapping[str, TypeEngine[Any]]) -> Source:
    return lambda name: bindparam(_PREFIX + name, type_=types[name])


def _unnested(types: Mapping[str, TypeEngine[Any]]) -> Source:
    arrays = [bindparam(_PREFIX + name, type_=ARRAY(kind)) for name, kind in types.items()]
    columns = [column(name, kind) for name, kind in types.items()]
    values = func.unnest(*arrays).table_valued(*columns).render_derived("fresh")
    return lambda name: values.c[name]


def insert_many(session: Session, model: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows in the caller's transaction; all name the same columns, and a column they leave out is null.

    COPY on PostgreSQL: a plan's forty texts, or a cohort's, cost a tenth of an INSERT each.
    """
    if not rows:
        return
    connection, table = session.connection(), cast(Table, model.__table__)
    if connection.dialect.name == "postgresql":
        _copy(connection, [table.columns[name] for name in rows[0]], rows)
    else:
        connection.execute(insert(table), list(rows))


def _copy(connection: Connection, columns: Sequence[Column[Any]], rows: Sequence[Mapping[str, Any]]) -> None:
    listed = sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
    command = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(columns[0].table.name), listed)
    names = [column.name for column in columns]
    written = {column.name: write for column in columns if (write := _writer(column, connection.dialect))}
    driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    with driver.cursor() as cursor, cursor.copy(command) as copy:
        for row in rows:
            given = dict(row)
            for name, write in written.items():
                given[name] = write(given[name])
            copy.write_row([given[name] for name in names])


def _writer(column: Column[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    """Return what makes the driver's value of ours (an enum's value, JSON as text); None where it is that."""
    if isinstance(column.type, JSON):
        return json.dumps
    return column.type.dialect_impl(dialect).bind_processor(dialect)
