"""Which queues there are, and what beat rings how often, in UTC; what is due is judged by rows alone."""

from enum import StrEnum
from typing import Any

from followup.core.vocabulary import Lane


class Queue(StrEnum):
    """A queue that a worker serves; bulk and upkeep are kept from those that people wait for."""

    STAT = "stat"
    OUTBOUND = "outbound"
    INBOUND = "inbound"
    ALERTS = "alerts"
    UPKEEP = "upkeep"


#: Queues whose worker must prove that it lives: the tick that beat sends through each is written down.
WATCHED = (Queue.STAT, Queue.OUTBOUND)


def queue_of(lane: Lane) -> Queue:
    """Return the queue that drains a lane: bulk never starves a safety reply."""
    return Queue.STAT if lane is Lane.STAT else Queue.OUTBOUND


def beat_table(tick_seconds: float) -> dict[str, dict[str, Any]]:
    """Return beat's table: entry name to Celery's schedule entry; the drains ring every `tick_seconds`."""
    table = {
        f"drain-{lane.value}": _every(tick_seconds, "followup.outbound.drain", queue_of(lane), lane.value)
        for lane in Lane
    }
    table |= {
        f"tick-{queue.value}": _every(5, "followup.upkeep.tick", queue, queue.value) for queue in WATCHED
    }
    return table | {
        "fold": _every(2, "followup.outbound.fold", Queue.OUTBOUND),
        "sweep": _every(5, "followup.inbound.sweep", Queue.INBOUND),
        "climb": _every(5, "followup.alerts.climb", Queue.ALERTS),
        "expire": _every(15, "followup.outbound.expire", Queue.UPKEEP),
        "chase": _every(300, "followup.upkeep.chase", Queue.UPKEEP),
        "holds": _every(60, "followup.upkeep.holds", Queue.UPKEEP),
    }


def _every(seconds: float, task: str, queue: Queue, *arguments: str) -> dict[str, Any]:
    # A bell that nobody heard in time is dropped: the next one says the same, and a pile of them helps nobody.
    options = {"queue": queue.value, "expires": max(10.0, 2 * seconds)}
    return {"task": task, "schedule": seconds, "args": arguments, "options": options}
