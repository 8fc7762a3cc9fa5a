"""Look at the service itself, for its probes; no clinic's data."""

from datetime import datetime

from sqlalchemy import Connection, select

from followup.store.models import ServiceState
from followup.store.queries.staff import BEAT_KEY


def beat_at(connection: Connection) -> datetime | None:
    """Return when beat last ticked, in real time; None if it never did."""
    return connection.scalar(select(ServiceState.at).where(ServiceState.key == BEAT_KEY))
