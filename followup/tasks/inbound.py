"""Wake the road in: understand what is stored and was not understood at once."""

from followup.core.vocabulary import Lane
from followup.services import inbound
from followup.tasks.app import celery_app, runtime
from followup.tasks.outbound import ring


@celery_app.task(name="followup.inbound.sweep")
def sweep() -> None:
    """Understand what the web stored and could not understand; then ring for the answers."""
    house = runtime()
    understood = inbound.sweep(
        house.sessions,
        knowledge=house.knowledge,
        now=house.clock.now(),
        carrier_confirms_keywords=house.settings.twilio_handles_keywords,
    )
    if understood:
        ring(Lane.STAT)
