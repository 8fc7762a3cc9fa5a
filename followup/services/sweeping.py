"""Do in one plain process what the workers do: the same drains, sweeps and climbs, without a broker."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from followup.core.clock import Clock
from followup.core.vocabulary import Channel, Lane
from followup.providers.ports import Sender
from followup.services import (
    course_end,
    drain,
    escalation,
    expiry,
    inbound,
    invitations,
    leases,
    receipts,
    taper,
)
from followup.services import once as forms
from followup.services.drain import Pace
from followup.services.knowledge import Knowledge
from followup.store.session import Sessions

log = logging.getLogger(__name__)

#: Bulk gives way this often, so that an answer to danger words waits no longer behind it.
BULK_SECONDS = 2.0


class Manners(Pace, Protocol):
    """The settings that a round works by."""

    @property
    def twilio_handles_keywords(self) -> bool:
        """Whether the carrier answers STOP, START and HELP itself."""
        ...


def once(
    sessions: Sessions,
    senders: Mapping[Channel, Sender],
    *,
    clock: Clock,
    settings: Manners,
    knowledge: Knowledge,
) -> list[str]:
    """Do one round, what people wait for first, then bulk and upkeep; return the parts that failed.

    A part that fails is logged and stops no other.
    """

    def send(lane: Lane) -> object:
        return drain.run(
            sessions,
            senders,
            lane=lane,
            clock=clock,
            settings=settings,
            knowledge=knowledge,
            seconds=BULK_SECONDS,
        )

    def at_once(work: Callable[..., Any]) -> Callable[[], object]:
        return lambda: work(sessions, knowledge=knowledge, now=clock.now())

    parts: dict[str, Callable[[], object]] = {
        "inbound": at_once(
            partial(inbound.sweep, carrier_confirms_keywords=settings.twilio_handles_keywords)
        ),
        "alerts": at_once(escalation.climb),
        **{lane.value: lambda lane=lane: send(lane) for lane in Lane},  # type: ignore[misc]
        "receipts": at_once(receipts.fold),
        "leases": lambda: leases.mark_lost_leases(sessions, clock.now()),
        "expiry": at_once(expiry.expire),
        "invitations": at_once(invitations.chase),
        "holds": at_once(taper.enforce_holds),
        "endings": lambda: course_end.complete(sessions, now=clock.now()),
        "drafts": lambda: forms.forget_old(sessions, now=clock.now()),
    }
    return [name for name, part in parts.items() if not _did(name, part)]


def _did(name: str, part: Callable[[], object]) -> bool:
    try:
        part()
    except Exception:
        log.exception("sweep: %s failed", name)
        return False
    return True
