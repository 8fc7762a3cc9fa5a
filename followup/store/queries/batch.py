"""Write many rows at once. The only branch by database: COPY, unnest (PostgreSQL) or executemany (SQLite)."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, cast

import psycopg
from psycopg import sql
from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
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

from followup.core.ids import new_id
from followup.store.base import Keyed

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


#: Columns that many rows share, and for each row the columns of its own.
Group = tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]


def insert_many(session: Session, model: type[Keyed], groups: Sequence[Group]) -> None:
    """Add the rows of all groups in the caller's transaction, each with a new id.

    All rows name the same columns, and a column that they leave out is null. COPY on PostgreSQL, where what
    is shared (a patient's columns, and mappings that several groups hold) is written out once.
    """
    if not any(rows for _, rows in groups):
        return
    connection, table = session.connection(), cast(Table, model.__table__)
    if connection.dialect.name == "postgresql":
        _copy(connection, table, groups)
    else:
        merged = [{"id": new_id(), **shared, **row} for shared, rows in groups for row in rows]
        connection.execute(insert(table), merged)


def _copy(connection: Connection, table: Table, groups: Sequence[Group]) -> None:
    shared_names, own_names = next((list(shared), list(rows[0])) for shared, rows in groups if rows)
    listed = sql.SQL(", ").join(map(sql.Identifier, ["id", *shared_names, *own_names]))
    command = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.name), listed)
    of_shared, of_own = _Lines(table, shared_names), _Lines(table, own_names)
    driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    with driver.cursor() as cursor, cursor.copy(command) as copy:
        for shared, rows in groups:
            head = of_shared.part(shared)
            copy.write("".join(f"{new_id()}\t{head}\t{of_own.part(row)}\n" for row in rows))


class _Lines:
    """Write mappings as parts of COPY's text lines, each mapping once however many rows hold it."""

    def __init__(self, table: Table, names: Sequence[str]) -> None:
        self._columns = [(name, isinstance(table.columns[name].type, JSON)) for name in names]
        self._written: dict[int, str] = {}  # by identity: the caller keeps the mappings while we write

    def part(self, row: Mapping[str, Any]) -> str:
        """Return the row's values, tab between them."""
        known = self._written.get(id(row))
        if known is None:
            known = "\t".join(
                _text(json.dumps(row[name]) if is_json else row[name]) for name, is_json in self._columns
            )
            self._written[id(row)] = known
        return known


def _text(value: Any) -> str:
    """Return a value in COPY's text format (PostgreSQL manual, COPY, "Text Format")."""
    if value is None:
        return "\\N"
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        return value.isoformat()
    if isinstance(value, Enum):
        value = value.value
    return str(value).translate(_ESCAPED)


_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
