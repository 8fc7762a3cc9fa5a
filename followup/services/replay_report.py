"""Judge a replay: what was stored, answered and alerted, what nobody can explain, and how long it took."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from followup.core.vocabulary import Direction, RequestStatus, Tier
from followup.store.models import Alert, AlertEvent, Communication, CommunicationRequest

_BATCH = 200
_UNDER_WAY = (RequestStatus.ACTIVE, RequestStatus.IN_PROGRESS)
#: Words of `handling` that promise an answer or an alert, and explain nothing by themselves.
_PROMISES = (None, "", "answered", "alerted")


@dataclass
class Report:
    """The end of a replay; `seconds` are from a stored text to its alert's row, one per alerted text."""

    posted: int = 0
    refused: int = 0  #: Posted, and not taken with 200.
    stored: int = 0
    understood: int = 0
    answered: int = 0
    alerted: Counter[str] = field(default_factory=Counter)
    silent: Counter[str] = field(default_factory=Counter)  #: Neither, by the reason that the service gives.
    unsent: int = 0  #: Answers and pages that no carrier has taken.
    unexplained: list[str] = field(default_factory=list)  #: MessageSids.
    seconds: list[float] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """Return how many replies are not stored and understood, or whose answer did not go."""
        return self.posted - self.understood + self.unsent

    @property
    def is_good(self) -> bool:
        """Tell whether nothing was lost and everything is explained."""
        return not (self.lost or self.refused or self.unexplained)

    def percentile(self, part: float) -> float | None:
        """Return the seconds within which that part of the alerts stood; None without alerts."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else None


def waiting(engine: Engine, sids: Sequence[str]) -> int:
    """Count replies that are not understood yet, and answers and pages that have not gone; takes no lock."""
    with engine.connect().execution_options(reads_only=True) as connection, Session(connection) as session:
        return sum(_waiting(session, part) for part in _parts(sids))


def stored(engine: Engine, sids: Sequence[str]) -> int:
    """Count the rows that these MessageSids have."""
    with engine.connect().execution_options(reads_only=True) as connection, Session(connection) as session:
        return sum(len(_heard(session, part)) for part in _parts(sids))


def judge(engine: Engine, sids: Sequence[str], *, posted: int, refused: int) -> Report:
    """Return what became of the replies with these MessageSids."""
    report = Report(posted=posted, refused=refused)
    with engine.connect().execution_options(reads_only=True) as connection, Session(connection) as session:
        for part in _parts(sids):
            _judge(session, part, report)
    return report


def _parts(sids: Sequence[str]) -> list[Sequence[str]]:
    return [sids[first : first + _BATCH] for first in range(0, len(sids), _BATCH)]


def _heard(session: Session, sids: Sequence[str]) -> Sequence[Communication]:
    return session.scalars(
        select(Communication).where(
            Communication.direction == Direction.IN, Communication.provider_sid.in_(sids)
        )
    ).all()


def _waiting(session: Session, sids: Sequence[str]) -> int:
    heard = _heard(session, sids)
    answers = _answers(session, [one.id for one in heard])
    pages = _pages(session, [alert.id for _, alert in _alerts(session, heard)])
    written = [*answers, *pages]
    return sum(one.processed_at is None for one in heard) + sum(one.status in _UNDER_WAY for one in written)


def _answers(session: Session, heard: Sequence[UUID]) -> Sequence[CommunicationRequest]:
    found = select(CommunicationRequest).where(CommunicationRequest.in_reply_to_id.in_(heard))
    return session.scalars(found).all()


def _pages(session: Session, alerts: Sequence[UUID]) -> Sequence[CommunicationRequest]:
    found = select(CommunicationRequest).where(
        CommunicationRequest.alert_id.in_(alerts),
        CommunicationRequest.page_step.is_not(None),
        CommunicationRequest.page_round == 1,  # later rounds come every few minutes until a person answers
    )
    return session.scalars(found).all()


def _alerts(session: Session, heard: Sequence[Communication]) -> list[tuple[AlertEvent, Alert]]:
    found = (
        select(AlertEvent, Alert)
        .join(Alert, Alert.id == AlertEvent.alert_id)
        .where(AlertEvent.communication_id.in_([one.id for one in heard]))
        .order_by(AlertEvent.id.desc())
    )
    return [(event, alert) for event, alert in session.execute(found)]


def _judge(session: Session, sids: Sequence[str], report: Report) -> None:
    heard = _heard(session, sids)
    answers = _answers(session, [one.id for one in heard])
    answered = {one.in_reply_to_id for one in answers}
    events = {event.communication_id: (event, alert) for event, alert in _alerts(session, heard)}
    pages = _pages(session, [alert.id for _, alert in events.values()])
    report.stored += len(heard)
    report.unsent += sum(one.status is not RequestStatus.COMPLETED for one in answers)
    report.unsent += sum(one.status in _UNDER_WAY for one in pages)
    for one in heard:
        _judge_one(one, one.id in answered, events.get(one.id), report)


def _judge_one(heard: Communication, is_answered: bool, raised: Any, report: Report) -> None:
    if heard.processed_at is None:
        return
    report.understood += 1
    report.answered += is_answered
    if raised is not None:
        event, alert = raised
        report.alerted[alert.tier.value] += 1
        report.seconds.append(_seconds_between(heard.id, event.id))
    elif heard.tier not in (None, Tier.NONE):
        report.unexplained.append(heard.provider_sid or "")
        return
    if is_answered or raised is not None:
        return
    if heard.handling in _PROMISES:
        report.unexplained.append(heard.provider_sid or "")
    else:
        report.silent[str(heard.handling)] += 1


def _seconds_between(first: UUID, second: UUID) -> float:
    # Keys hold the millisecond of their birth on the machine's clock (UUID version 7), which no skip moves.
    return max(0, (second.int >> 80) - (first.int >> 80)) / 1000
