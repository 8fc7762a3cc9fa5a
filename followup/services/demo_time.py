"""Move the demo's clock: through every instant at which something is due, in order, leaving nothing out."""

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from sqlalchemy import Engine, update

from followup.core.clock import SystemClock
from followup.core.errors import Conflict
from followup.core.vocabulary import WATCHED_QUEUES, Channel
from followup.providers.ports import Sender
from followup.services import heartbeat, sweeping
from followup.services.knowledge import Knowledge
from followup.services.sweeping import Manners
from followup.store.demo_clock import OFFSET_KEY, DemoClock
from followup.store.models import ServiceState
from followup.store.queries import demo_time as queries
from followup.store.session import Sessions

#: Longest move of one press: most check-ins come daily, and a quiet phone must not run through the six weeks.
FARTHEST = timedelta(days=3)
_MOMENT = timedelta(seconds=1)
_SETTLE_SECONDS = 3.0
_POLL_SECONDS = 0.02

#: Two people who skip at once would leave each other's instants out.
_moving = threading.Lock()


@dataclass(frozen=True)
class Phone:
    """Whose phone is looked at: the clinic, and every address that reaches this person."""

    organization_id: UUID
    addresses: Collection[str]
    is_staff: bool


@dataclass(frozen=True)
class Skipped:
    """How far the clock moved, and whether the phone got something new."""

    moved: timedelta
    has_news: bool


@dataclass(frozen=True)
class Parts:
    """What a round of work needs."""

    sessions: Sessions
    senders: Mapping[Channel, Sender]
    settings: Manners
    knowledge: Knowledge


def skip_to_next(parts: Parts, phone: Phone) -> Skipped:
    """Move until the phone got something new, at most three days; Conflict while another skip is running."""
    return _skip(parts, phone, FARTHEST, stops_at_news=True)


def skip_by(parts: Parts, phone: Phone, length: timedelta) -> Skipped:
    """Move by a length of time, doing on the way what falls due; Conflict while another skip is running."""
    return _skip(parts, phone, min(length, FARTHEST), stops_at_news=False)


def _skip(parts: Parts, phone: Phone, length: timedelta, *, stops_at_news: bool) -> Skipped:
    if not _moving.acquire(blocking=False):
        raise Conflict("The clock is being moved already. Look again in a moment.")
    try:
        return _Journey(parts, phone).go(length, stops_at_news=stops_at_news)
    finally:
        _moving.release()


class _Journey:
    """One press of the button."""

    def __init__(self, parts: Parts, phone: Phone) -> None:
        self.parts = parts
        self.phone = phone
        self.engine = cast(Engine, parts.sessions.kw["bind"])
        self.wall = SystemClock()

    def go(self, length: timedelta, *, stops_at_news: bool) -> Skipped:
        self.work()  # what is due already comes first
        start = at = self.now()
        before = self.arrivals()
        while not (stops_at_news and self.arrivals() > before):
            due = self.next_instant(at)
            if due is None or due > start + length:
                break
            self.move_to(due)
            self.work()
            at = max(due, self.now())
        has_news = self.arrivals() > before
        if not (stops_at_news and has_news):
            self.move_to(start + length)
            self.work()
            has_news = self.arrivals() > before
        return Skipped(max(timedelta(), self.now() - start), has_news)

    def now(self) -> datetime:
        return DemoClock(self.engine).now()

    def next_instant(self, after: datetime) -> datetime | None:
        # A patient's phone does not wait for every repeated page to staff: those are caught up on the way.
        pages_of = self.phone.organization_id if self.phone.is_staff else None
        with self.parts.sessions.begin() as session:
            return queries.next_instant(session, after=after, pages_of=pages_of)

    def arrivals(self) -> int:
        with self.parts.sessions.begin() as session:
            return queries.arrivals(session, self.phone.organization_id, self.phone.addresses)

    def move_to(self, instant: datetime) -> None:
        """Set the offset so that it is just past `instant`; the clock never goes back."""
        step = instant + _MOMENT - self.now()
        if step <= timedelta():
            return
        with self.parts.sessions.begin() as session:
            state = session.get(ServiceState, OFFSET_KEY)
            offset = (state.number or 0) if state else 0
            whole = timedelta(seconds=int(step.total_seconds()) + 1)
            session.merge(
                ServiceState(key=OFFSET_KEY, number=offset + int(whole.total_seconds()), at=self.wall.now())
            )
            # The beat was heard as many seconds ago as before: it is the clock that moved.
            for key in map(heartbeat.key_of, WATCHED_QUEUES):
                beat = session.get(ServiceState, key)
                if beat is not None and beat.at is not None:
                    session.execute(
                        update(ServiceState).where(ServiceState.key == key).values(at=beat.at + whole)
                    )

    def work(self) -> None:
        """Do one round of everything, and wait for what the workers have in hand."""
        self.settle()
        sweeping.once(
            self.parts.sessions,
            self.parts.senders,
            clock=DemoClock(self.engine),
            settings=self.parts.settings,
            knowledge=self.parts.knowledge,
        )
        self.settle()

    def settle(self) -> None:
        """Wait until nothing is being sent: a lease must not run out because the clock jumped."""
        ends = self.wall.monotonic() + _SETTLE_SECONDS
        while self.is_under_way() and self.wall.monotonic() < ends:
            threading.Event().wait(_POLL_SECONDS)

    def is_under_way(self) -> bool:
        with self.parts.sessions.begin() as session:
            return queries.is_under_way(session)
