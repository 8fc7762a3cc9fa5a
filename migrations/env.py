"""Run migrations: time-outs are set first, so that a migration that cannot get its lock gives up, not the clinic."""

from typing import Any

from alembic import context

import followup.store.models  # noqa: F401  every table must be known
from followup.store.base import Amount, Base, UtcDateTime
from followup.store.session import make_engine


def _render(kind: str, thing: Any, autogen: Any) -> str | bool:
    if kind == "type" and isinstance(thing, (Amount, UtcDateTime)):
        autogen.imports.add("from followup.store import base")
        return f"base.{type(thing).__name__}()"
    return False


def _url() -> str:
    if url := context.config.attributes.get("url"):
        return str(url)
    from followup.settings import load_settings  # `alembic` from a shell: the service's own settings

    return load_settings().database_url


def _run() -> None:
    engine = make_engine(_url())
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET lock_timeout = '5s'")
            connection.exec_driver_sql("SET statement_timeout = '10min'")
            connection.commit()
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=engine.dialect.name == "sqlite",
            render_item=_render,
            compare_type=True,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()
    engine.dispose()


_run()
