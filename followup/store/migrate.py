"""Move a database up and down its migrations, from the checkout or from an installed copy."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from followup.store.session import make_engine

_ROOT = Path(__file__).resolve().parents[2]


def _scripts() -> Path:
    checkout, installed = _ROOT / "migrations", _ROOT / "followup" / "_migrations"
    return checkout if checkout.is_dir() else installed


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_scripts()))
    config.attributes["url"] = url
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database up to `revision`."""
    command.upgrade(_config(url), revision)


def downgrade(url: str, revision: str) -> None:
    """Take the database down to `revision` ("base" empties it)."""
    command.downgrade(_config(url), revision)


def is_current(url: str) -> bool:
    """Tell whether the database stands at the newest migration."""
    engine = make_engine(url)
    with engine.connect() as connection:
        at = MigrationContext.configure(connection).get_current_revision()
    engine.dispose()
    return at == ScriptDirectory.from_config(_config(url)).get_current_head()


def newest() -> str:
    """Return the number of the newest migration, from the names of their files: `0001`."""
    return max(one.name[:4] for one in _scripts().joinpath("versions").glob("[0-9]*.py"))


def autogenerate(url: str, message: str, revision: str) -> None:
    """Write the next numbered migration from the difference between the models and `url`."""
    command.revision(_config(url), message=message, rev_id=revision, autogenerate=True)
