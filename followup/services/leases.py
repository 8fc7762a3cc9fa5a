"""Find what a drain took and never reported: it is unknown, or waits again where it cannot have gone."""

from dataclasses import dataclass
from datetime import datetime

from followup.core.vocabulary import CommunicationStatus, RequestStatus
from followup.store.queries import outbound
from followup.store.session import Sessions

_BATCH = 500


@dataclass(frozen=True)
class LostLeases:
    """How many attempts became unknown, and how many requests, taken but never written, wait again."""

    unknown: int
    released: int


def mark_lost_leases(sessions: Sessions, now: datetime) -> LostLeases:
    """Mark the attempts of leases that ran out as unknown; their requests stay in progress, never resent.

    A request without a Communication of its attempt cannot have gone: that row is committed before any call.
    It waits again.
    """
    unknown = released = 0
    with sessions.begin() as session:
        lost = outbound.lease_ran_out(session, now=now, limit=_BATCH)
        attempts = outbound.attempts(session, [request.id for request in lost])
        for request in lost:
            request.lease_until = None
            attempt = attempts.get((request.id, request.attempt))
            if attempt is None:
                request.status, released = RequestStatus.ACTIVE, released + 1
            elif attempt.status is CommunicationStatus.IN_PROGRESS:
                attempt.status, unknown = CommunicationStatus.UNKNOWN, unknown + 1
    return LostLeases(unknown, released)
