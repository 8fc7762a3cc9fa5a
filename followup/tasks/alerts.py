"""Wake the road up: page again about what nobody has taken."""

from followup.core.vocabulary import Lane
from followup.services import escalation
from followup.tasks.app import celery_app, runtime
from followup.tasks.outbound import ring


@celery_app.task(name="followup.alerts.climb")
def climb() -> None:
    """Take the next step of every alert that is due for one; then ring for the pages."""
    house = runtime()
    if escalation.climb(house.sessions, knowledge=house.knowledge, now=house.clock.now()).paged:
        ring(Lane.STAT)
