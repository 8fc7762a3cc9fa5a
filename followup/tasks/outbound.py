"""Wake the road out: drain a lane, fold receipts, end what is too late; and ring the bell from anywhere."""

import logging

from kombu.pools import producers

from followup.core.vocabulary import Lane
from followup.services import drain, expiry, leases, receipts
from followup.tasks.app import celery_app, runtime
from followup.tasks.schedule import queue_of

log = logging.getLogger(__name__)


@celery_app.task(name="followup.outbound.drain")
def drain_lane(lane: str) -> None:
    """Send what is due in one lane; the rows say what, this task only wakes up."""
    house = runtime()
    drain.run(
        house.sessions,
        house.senders,
        lane=Lane(lane),
        clock=house.clock,
        settings=house.settings,
        knowledge=house.knowledge,
    )


@celery_app.task(name="followup.outbound.fold")
def fold() -> None:
    """Apply what carriers have reported."""
    house = runtime()
    receipts.fold(house.sessions, knowledge=house.knowledge, now=house.clock.now())


@celery_app.task(name="followup.outbound.expire")
def expire() -> None:
    """End what was not sent in its time, and mark what a lost drain had taken."""
    house = runtime()
    leases.mark_lost_leases(house.sessions, house.clock.now())
    expiry.expire(house.sessions, knowledge=house.knowledge, now=house.clock.now())


def ring(lane: Lane) -> None:
    """Ask for a drain of one lane, after the commit that made it due.

    Never raises: a bell that is not heard costs one tick, never a text. Fast, also without a broker.
    """
    try:
        # A pool for each broker's address, shared by all threads; the address is read as late as this.
        with producers[celery_app.connection_for_write()].acquire(block=True, timeout=1) as producer:
            drain_lane.apply_async((lane.value,), queue=queue_of(lane).value, expires=60, producer=producer)
    except Exception as unheard:
        log.warning("nobody hears the bell of lane %s (%s)", lane.value, type(unheard).__name__)
