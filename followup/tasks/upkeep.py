"""Wake the small rounds: unanswered invitations, held tapers, and the proof that workers live."""

from followup.services import course_end, heartbeat, invitations, once, taper
from followup.tasks.app import celery_app, runtime


@celery_app.task(name="followup.upkeep.chase")
def chase() -> None:
    """Ask staff about invitations that nobody answered, end courses that are over, forget unsaved forms."""
    house = runtime()
    now = house.clock.now()
    invitations.chase(house.sessions, knowledge=house.knowledge, now=now)
    course_end.complete(house.sessions, now=now)
    once.forget_old(house.sessions, now=now)


@celery_app.task(name="followup.upkeep.holds")
def holds() -> None:
    """Hold the tapers that a new danger forbids."""
    house = runtime()
    taper.enforce_holds(house.sessions, knowledge=house.knowledge, now=house.clock.now())


@celery_app.task(name="followup.upkeep.tick")
def tick(queue: str) -> None:
    """Write down that a bell rung by beat was heard in this queue."""
    house = runtime()
    heartbeat.tick(house.sessions, queue, now=house.clock.now())
