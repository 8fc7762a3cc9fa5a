"""`followup sweep`: the work of the workers in one plain process, for when Celery or Redis is gone."""

import logging
from pathlib import Path

import click
from sqlalchemy.exc import SQLAlchemyError

from followup import logs
from followup.embedded.ending import Ending
from followup.runtime import Runtime, build_runtime
from followup.services import heartbeat, sweeping

log = logging.getLogger(__name__)


@click.command("sweep")
@click.option("--once", is_flag=True, help="Do one round now, whatever beat says, and end.")
@click.option(
    "--alive",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to touch whenever the database could be asked: what a health check looks at.",
)
def command(once: bool, alive: Path | None) -> None:
    """Send, understand and page without Celery or Redis.

    Idle while beat's ticks through the workers are fresh; takes over when they are old. Ends on Ctrl-C.
    """
    house = build_runtime()
    logs.configure(house.settings.log_level)
    if once:
        failed = round_of(house)
        raise SystemExit(1 if failed else 0)
    ending = Ending()
    while not ending.wait(house.settings.tick_seconds):
        try:
            if is_needed(house):
                round_of(house)
            if alive is not None:
                alive.touch()
        except SQLAlchemyError:
            log.exception("sweep: the database cannot be asked")


def is_needed(house: Runtime) -> bool:
    """Tell whether some worker has not been heard of for too long."""
    with house.session() as session:
        return not heartbeat.is_fresh(
            session,
            now=house.clock.now(),
            stale_seconds=house.settings.sweep_stale_seconds,
        )


def round_of(house: Runtime) -> list[str]:
    """Do one round and return the names of the parts that failed."""
    return sweeping.once(
        house.sessions,
        house.senders,
        clock=house.clock,
        settings=house.settings,
        knowledge=house.knowledge,
    )
