"""Answer the machines that ask whether we live and whether we can work. No secrets, no data."""

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError

from followup.runtime import Runtime
from followup.store import migrate
from followup.store.queries import health

from .access import public
from .house import current_house

bp = Blueprint("health", __name__)

#: Beat ticks every two seconds; after this long nobody sends or pages (seconds).
OLDEST_BEAT = 60


@bp.get("/healthz")
@public("liveness; says only that the process answers")
def alive() -> ResponseReturnValue:
    """Say that this process answers."""
    return jsonify(status="ok")


@bp.get("/readyz")
@public("readiness; three words and no data")
def ready() -> ResponseReturnValue:
    """Say whether the database answers, its tables are current, beat ticks; 503 when no page can be served.

    A late beat is said but is no reason to take the web away: pages and webhooks work without it.
    """
    try:
        checks, beat = _look(current_house())
    except SQLAlchemyError:
        checks, beat = {"database": False, "migrations": False}, "unknown"
    fit = all(checks.values())
    said = {name: "ok" if good else "failed" for name, good in checks.items()}
    return jsonify(status="ready" if fit else "not ready", beat=beat, **said), 200 if fit else 503


def _look(house: Runtime) -> tuple[dict[str, bool], str]:
    with house.engine.connect() as connection:
        at = health.beat_at(connection)
    checks = {"database": True, "migrations": migrate.is_current(house.settings.database_url)}
    if at is None:
        return checks, "never"
    # Beat writes the time of the house, which a demo may have skipped forward.
    age = (house.clock.now() - at).total_seconds()
    return checks, "ok" if age <= OLDEST_BEAT else "late"
