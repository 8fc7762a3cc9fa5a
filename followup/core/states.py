"""Say which moves between states are allowed, and check each one against its table."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

from followup.core.errors import InvalidTransition
from followup.core.vocabulary import (
    AlertStatus,
    CarePlanStatus,
    CommunicationStatus,
    RequestStatus,
    TaperStatus,
)

S = TypeVar("S", bound=StrEnum)
Moves = Mapping[S, frozenset[S]]

#: active -> in-progress -> completed; in-progress -> active is a retry.
REQUEST_MOVES: Mapping[RequestStatus, frozenset[RequestStatus]] = {
    RequestStatus.ACTIVE: frozenset(
        {RequestStatus.IN_PROGRESS, RequestStatus.REVOKED, RequestStatus.EXPIRED, RequestStatus.ON_HOLD}
    ),
    RequestStatus.IN_PROGRESS: frozenset(
        {RequestStatus.COMPLETED, RequestStatus.ACTIVE, RequestStatus.EXPIRED}
    ),
    RequestStatus.ON_HOLD: frozenset({RequestStatus.ACTIVE, RequestStatus.REVOKED, RequestStatus.EXPIRED}),
}
#: in-progress -> completed(sid) | not-done(reason) | unknown; unknown -> completed | not-done.
COMMUNICATION_MOVES: Mapping[CommunicationStatus, frozenset[CommunicationStatus]] = {
    CommunicationStatus.IN_PROGRESS: frozenset(
        {CommunicationStatus.COMPLETED, CommunicationStatus.NOT_DONE, CommunicationStatus.UNKNOWN}
    ),
    CommunicationStatus.UNKNOWN: frozenset({CommunicationStatus.COMPLETED, CommunicationStatus.NOT_DONE}),
}
#: triggered -> acknowledged -> resolved; new danger brings an acknowledged alert back to triggered.
ALERT_MOVES: Mapping[AlertStatus, frozenset[AlertStatus]] = {
    AlertStatus.TRIGGERED: frozenset({AlertStatus.ACKNOWLEDGED, AlertStatus.RESOLVED}),
    AlertStatus.ACKNOWLEDGED: frozenset({AlertStatus.RESOLVED, AlertStatus.TRIGGERED}),
}
#: A draft becomes active with the patient's yes.
CARE_PLAN_MOVES: Mapping[CarePlanStatus, frozenset[CarePlanStatus]] = {
    CarePlanStatus.DRAFT: frozenset({CarePlanStatus.ACTIVE, CarePlanStatus.REVOKED, CarePlanStatus.ON_HOLD}),
    CarePlanStatus.ACTIVE: frozenset(
        {CarePlanStatus.ON_HOLD, CarePlanStatus.COMPLETED, CarePlanStatus.REVOKED}
    ),
    CarePlanStatus.ON_HOLD: frozenset(
        {CarePlanStatus.ACTIVE, CarePlanStatus.REVOKED, CarePlanStatus.COMPLETED, CarePlanStatus.DRAFT}
    ),
}
#: Any change is a new version; a draft is approved once, by a prescriber.
TAPER_MOVES: Mapping[TaperStatus, frozenset[TaperStatus]] = {
    TaperStatus.DRAFT: frozenset({TaperStatus.APPROVED, TaperStatus.SUPERSEDED}),
    TaperStatus.APPROVED: frozenset({TaperStatus.ON_HOLD, TaperStatus.SUPERSEDED, TaperStatus.ENDED}),
    TaperStatus.ON_HOLD: frozenset({TaperStatus.APPROVED, TaperStatus.SUPERSEDED, TaperStatus.ENDED}),
}


def may_move(moves: Moves[S], old: S, new: S) -> bool:
    """Tell whether the table allows `old` to become `new`."""
    return new in moves.get(old, frozenset())


def move(thing: Any, new: S, moves: Moves[S]) -> None:
    """Set `thing.status` to `new`, or raise InvalidTransition in words."""
    old: S = thing.status
    if not may_move(moves, old, new):
        raise InvalidTransition(f"{type(thing).__name__} is {old.value}; it cannot become {new.value}.")
    thing.status = new
