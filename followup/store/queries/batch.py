"""Record many results at once. The only branch by database: unnest on PostgreSQL, executemany on SQLite."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Update, bindparam, column, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

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
    if session.get_bind().dialect.name == "postgresql":
        session.connection().execute(statement(_unnested(types, rows)))
    else:
        prefixed = [{_PREFIX + name: row[name] for name in types} for row in rows]
        session.connection().execute(statement(_bound(types)), prefixed)


def _bound(types: Mapping[str, TypeEngine[Any]]) -> Source:
    return lambda name: bindparam(_PREFIX + name, type_=types[name])


def _unnested(types: Mapping[str, TypeEngine[Any]], rows: Sequence[Mapping[str, Any]]) -> Source:
    arrays = [
        bindparam(_PREFIX + name, [row[name] for row in rows], type_=ARRAY(kind))
        for name, kind in types.items()
    ]
    columns = [column(name, kind) for name, kind in types.items()]
    values = func.unnest(*arrays).table_valued(*columns).render_derived("fresh")
    return lambda name: values.c[name]
