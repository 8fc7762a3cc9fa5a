"""`followup db`: move the database up and down its migrations."""

import click

from followup.settings import load_settings
from followup.store import migrate


@click.group("db")
def command() -> None:
    """Move the database of this service up and down its migrations."""


@command.command()
@click.argument("revision", default="head")
def upgrade(revision: str) -> None:
    """Bring the database up to REVISION (default: the newest)."""
    migrate.upgrade(load_settings().database_url, revision)
    click.echo(f"The database is at {revision}.")


@command.command()
@click.argument("revision")
def downgrade(revision: str) -> None:
    """Take the database down to REVISION ("base" empties it)."""
    migrate.downgrade(load_settings().database_url, revision)
    click.echo(f"The database is at {revision}.")


@command.command()
@click.option("-m", "--message", required=True, help="What changes, in a few words.")
@click.option("--number", required=True, help="The next number, such as 0002.")
def revision(message: str, number: str) -> None:
    """Write the next migration from the difference between the models and the database."""
    migrate.autogenerate(load_settings().database_url, message, number)
