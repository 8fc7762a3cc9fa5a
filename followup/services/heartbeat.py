"""Write down that beat, broker and workers are alive, and tell when they last were."""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from followup.core.vocabulary import WATCHED_QUEUES
from followup.store.models import ServiceState
from followup.store.session import Sessions

#: The queue of people's answers and pages has the plain key; the others add their name.
BEAT_KEY = "beat"
_PLAIN = "stat"


def key_of(queue: str) -> str:
    """Return the key of `service_state` that holds the latest tick through a queue."""
    return BEAT_KEY if queue == _PLAIN else f"{BEAT_KEY}-{queue}"


def tick(sessions: Sessions, queue: str, *, now: datetime) -> None:
    """Note that a bell of beat was heard by the worker of `queue`."""
    with sessions.begin() as session:
        session.merge(ServiceState(key=key_of(queue), number=None, at=now))


def is_fresh(session: Session, *, now: datetime, stale_seconds: float) -> bool:
    """Tell whether every watched queue was served within the last `stale_seconds`."""
    keys = [key_of(queue) for queue in WATCHED_QUEUES]
    found = select(ServiceState.key).where(
        ServiceState.key.in_(keys), ServiceState.at >= now - timedelta(seconds=stale_seconds)
    )
    return set(session.scalars(found)) == set(keys)
