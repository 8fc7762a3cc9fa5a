"""Which queues there are, and what beat rings how often, in UTC; what is due is judged by rows alone."""

from enum import StrEnum
from typing import Any

from followup.core.vocabulary import WATCHED_QUEUES, Lane


class Queue(StrEnum):
    """A queue that a worker serves; bulk and upkeep are kept from those that people wait for."""

    STAT = "stat"
    OUTBOUND = "outbound"
    INBOUND = "inbound"
    ALERTS = "alerts"
    UPKEEP = "upkeep"


#: The queue of each task; a drain's also depends on its lane.
ROUTES = {
    "followup.outbound.drain": Queue.OUTBOUND,
    "followup.outbound.fold": Queue.OUTBOUND,
    "followup.outbound.expire": Queue.UPKEEP,
    "followup.inbound.sweep": Queue.INBOUND,
    "followup.alerts.climb": Queue.ALERTS,
    "followup.upkeep.chase": Queue.UPKEEP,
    "followup.upkeep.holds": Queue.UPKEEP,
    "followup.upkeep.tick": Queue.UPKEEP,
}


def queue_of(lane: Lane) -> Queue:
    """Return the queue that drains a lane: bulk never starves a safety reply."""
    return Queue.STAT if lane is Lane.STAT else Queue.OUTBOUND


def beat_table(tick_seconds: float) -> dict[str, dict[str, Any]]:
    """Return beat's table: entry name to Celery's schedule entry; the drains ring every `tick_seconds`."""
    table = {
        f"drain-{lane.value}": _every(
            tick_seconds, "followup.outbound.drain", lane.value, queue=queue_of(lane)
        )
        for lane in Lane
    }
    table |= {
        f"tick-{name}": _every(5, "followup.upkeep.tick", name, queue=Queue(name)) for name in WATCHED_QUEUES
    }
    return table | {
        "fold": _every(2, "followup.outbound.fold"),
        "sweep": _every(5, "followup.inbound.sweep"),
        "climb": _every(5, "followup.alerts.climb"),
        "expire": _every(15, "followup.outbound.expire"),
        "chase": _every(300, "followup.upkeep.chase"),
        "holds": _every(60, "followup.upkeep.holds"),
    }


def _every(seconds: float, task: str, *arguments: str, queue: Queue | None = None) -> dict[str, Any]:
    # A bell that nobody heard in time is dropped: the next says the same, and a pile of them helps nobody.
    options = {"queue": (queue or ROUTES[task]).value, "expires": max(10.0, 2 * seconds)}
    return {"task": task, "schedule": seconds, "args": arguments, "options": options}
