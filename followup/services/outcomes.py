"""Record what became of calls: many at once, each row only as far as its state allows.

Three outcomes, not two: accepted, not accepted, unknown. Only what is proved not to have been taken is
tried again.
"""

import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Update, case, func, or_, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from followup.core.errors import FollowupError
from followup.core.vocabulary import (
    CommunicationStatus,
    NotDoneReason,
    RequestOrigin,
    RequestStatus,
    SuppressionReason,
)
from followup.providers.ports import Accepted, NotAccepted, Outcome, Unknown
from followup.services import alerts, suppression
from followup.services.knowledge import Knowledge
from followup.store.models import Communication, CommunicationRequest
from followup.store.queries import batch
from followup.store.queries.batch import Source
from followup.store.queries.outbound import Claimed

#: After so many failed tries of a safety answer, the people on the alert are told that it did not arrive.
TELL_AFTER = 3
BACK_OFF = timedelta(seconds=5)
LONGEST_BACK_OFF = timedelta(minutes=5)
CREDENTIALS_BACK_OFF = timedelta(seconds=60)

log = logging.getLogger(__name__)

_COMMUNICATION = Communication.__table__.c
_REQUEST = CommunicationRequest.__table__.c
_COMMUNICATION_TYPES = {
    name: _COMMUNICATION[name].type
    for name in (
        "id",
        "status",
        "provider_sid",
        "sent_at",
        "delivery",
        "delivery_rank",
        "error_code",
        "reason",
    )
}
_REQUEST_TYPES = {
    name: _REQUEST[name].type for name in ("id", "attempt", "status", "next_attempt_at", "ended_reason")
}


@dataclass(frozen=True, slots=True)
class Result:
    """One call's end: which communication, for which claimed request, what became of it and when."""

    communication_id: UUID
    request: Claimed
    outcome: Outcome
    at: datetime


def record(session: Session, results: Sequence[Result], *, knowledge: Knowledge, now: datetime) -> None:
    """Write the ends of many calls; join the caller's transaction.

    A communication that a receipt has already completed stays so; a request is touched only by the attempt
    that holds it.
    """
    ends = [(result, _end(result, now)) for result in results]
    batch.update_many(session, _set_communication, _COMMUNICATION_TYPES, [_said(*end) for end in ends])
    batch.update_many(session, _set_request, _REQUEST_TYPES, [_asked(*end) for end in ends])
    for result in results:
        if isinstance(result.outcome, NotAccepted):
            _follow_up(session, result, result.outcome, knowledge, now)


def _follow_up(
    session: Session, result: Result, outcome: NotAccepted, knowledge: Knowledge, now: datetime
) -> None:
    """Do what a refusal asks for; should that fail, the ends of the other calls are kept all the same."""
    try:
        with session.begin_nested():
            if outcome.permanent:
                _refused(session, result.communication_id, outcome, knowledge, now)
            if outcome.permanent or result.request.attempt == TELL_AFTER:
                _say_if_safety(session, result, now)
    except (SQLAlchemyError, FollowupError):
        log.exception("could not follow up the refusal of communication %s", result.communication_id)


def _say_if_safety(session: Session, result: Result, now: datetime) -> None:
    if result.request.origin is RequestOrigin.SAFETY:
        alerts.reply_failed(session, session.get_one(Communication, result.communication_id), now=now)


def fail(session: Session, sent: Communication, *, knowledge: Knowledge, now: datetime) -> None:
    """Tell staff that a text could not be written at all."""
    suppression.ask_staff(session, sent, "text_not_sent", knowledge=knowledge, now=now)


@dataclass(frozen=True, slots=True)
class _End:
    request_status: RequestStatus
    communication_status: CommunicationStatus
    reason: NotDoneReason | None = None
    next_attempt_at: datetime | None = None


def _end(result: Result, now: datetime) -> _End:
    outcome = result.outcome
    if isinstance(outcome, Accepted):
        return _End(RequestStatus.COMPLETED, CommunicationStatus.COMPLETED)
    if isinstance(outcome, Unknown):
        return _End(RequestStatus.IN_PROGRESS, CommunicationStatus.UNKNOWN)
    if outcome.permanent:
        reason = NotDoneReason.INVALID_ADDRESS if outcome.invalid_address else NotDoneReason.REFUSED
        reason = NotDoneReason.SUPPRESSED if outcome.opted_out else reason
        return _End(RequestStatus.COMPLETED, CommunicationStatus.NOT_DONE, reason)
    return _later(result.request, outcome, now)


def _later(request: Claimed, outcome: NotAccepted, now: datetime) -> _End:
    # As often as its window allows. What is still unsent when the window closes is ended by `expiry`, which
    # knows what to do about it: move it, or ask a person.
    again = min(now + back_off(request.attempt, outcome), request.expires_at)
    return _End(RequestStatus.ACTIVE, CommunicationStatus.NOT_DONE, None, again)


def back_off(attempt: int, outcome: NotAccepted) -> timedelta:
    """Return how long to wait after try number `attempt`: 10 s, doubled up to 5 min, less up to half.

    Chance keeps a crowd of texts from coming back all at once. The carrier's own wish is the least.
    """
    if outcome.code == "credentials":
        return CREDENTIALS_BACK_OFF
    longest = min(LONGEST_BACK_OFF, BACK_OFF * float(2 ** min(attempt, 10)))
    wait = longest * (0.5 + secrets.randbelow(501) / 1000)
    return max(wait, timedelta(seconds=outcome.retry_after or 0))


def _said(result: Result, end: _End) -> Mapping[str, Any]:
    accepted = result.outcome if isinstance(result.outcome, Accepted) else None
    return {
        "id": result.communication_id,
        "status": end.communication_status,
        "provider_sid": accepted.provider_sid if accepted else None,
        "sent_at": result.at,
        "delivery": accepted.delivery if accepted else None,
        "delivery_rank": accepted.delivery.rank if accepted else -1,
        "error_code": None if accepted else _code(result.outcome),
        "reason": end.reason.value if end.reason else None,
    }


def _code(outcome: Outcome) -> str | None:
    return None if isinstance(outcome, Accepted) else outcome.code[:16]


def _asked(result: Result, end: _End) -> Mapping[str, Any]:
    return {
        "id": result.request.id,
        "attempt": result.request.attempt,
        "status": end.request_status,
        "next_attempt_at": end.next_attempt_at,
        "ended_reason": end.reason.value if end.reason else None,
    }


def _set_communication(fresh: Source) -> Update:
    # A callback may have been faster than the answer to the call: what it said of the delivery stays.
    is_news = fresh("delivery_rank") > _COMMUNICATION.delivery_rank
    return (
        update(Communication.__table__)  # type: ignore[arg-type]
        .where(_COMMUNICATION.id == fresh("id"), _is_open())
        .values(
            status=fresh("status"),
            provider_sid=func.coalesce(fresh("provider_sid"), _COMMUNICATION.provider_sid),
            sent_at=fresh("sent_at"),
            delivery=case((is_news, fresh("delivery")), else_=_COMMUNICATION.delivery),
            delivery_rank=case((is_news, fresh("delivery_rank")), else_=_COMMUNICATION.delivery_rank),
            error_code=func.coalesce(fresh("error_code"), _COMMUNICATION.error_code),
            reason=fresh("reason"),
        )
    )


def _is_open() -> ColumnElement[bool]:
    # No IN: a list cannot be bound in an executemany.
    status = _COMMUNICATION.status
    return or_(status == CommunicationStatus.IN_PROGRESS, status == CommunicationStatus.UNKNOWN)


def _set_request(fresh: Source) -> Update:
    return (
        update(CommunicationRequest.__table__)  # type: ignore[arg-type]
        .where(
            _REQUEST.id == fresh("id"),
            _REQUEST.attempt == fresh("attempt"),
            _REQUEST.status == RequestStatus.IN_PROGRESS,
        )
        .values(
            status=fresh("status"),
            lease_until=None,
            next_attempt_at=func.coalesce(fresh("next_attempt_at"), _REQUEST.next_attempt_at),
            ended_reason=fresh("ended_reason"),
        )
    )


def _refused(
    session: Session, communication_id: UUID, outcome: NotAccepted, knowledge: Knowledge, now: datetime
) -> None:
    sent = session.get_one(Communication, communication_id)
    if outcome.opted_out:
        suppression.suppress(session, sent, SuppressionReason.OPTED_OUT, knowledge=knowledge, now=now)
    elif outcome.invalid_address:
        suppression.suppress(session, sent, SuppressionReason.INVALID, knowledge=knowledge, now=now)
    else:
        suppression.ask_staff(session, sent, "text_refused", knowledge=knowledge, now=now)
