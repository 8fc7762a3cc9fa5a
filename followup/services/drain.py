"""Send what is due: claim, commit, call, record. No transaction is open while a carrier is talking.

One run empties one lane. It claims in batches, renders each text once onto a Communication, hands the texts
to a fixed set of threads, and records the ends in batches; the next claim overlaps with the calls in flight.
"""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from queue import Empty, SimpleQueue
from threading import Event
from typing import Any, Protocol, cast
from uuid import UUID

from sqlalchemy import Engine, insert
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

from followup.core import ids
from followup.core.clock import Clock
from followup.core.vocabulary import (
    Channel,
    CommunicationStatus,
    Direction,
    Lane,
    NotDoneReason,
    RequestStatus,
)
from followup.providers.ports import Accepted, NotAccepted, Outcome, Outgoing, Sender, Unknown
from followup.services import outcomes, rendering
from followup.services.knowledge import Knowledge
from followup.services.outcomes import Result
from followup.services.rendering import Failed, Ready, Voice
from followup.store.models import AccessLink, Communication, CommunicationRequest
from followup.store.queries import outbound
from followup.store.queries.outbound import Claimed
from followup.store.session import Sessions

log = logging.getLogger(__name__)

BATCH = 100
FLUSH_SECONDS = 0.025
#: A text that waited longer than this for its turn asks the gates again.
ASK_AGAIN_SECONDS = 0.5
_RECORD_AGAIN_SECONDS = (0.2, 0.5, 1.0)


class Pace(Voice, Protocol):
    """The settings that a drain works by."""

    @property
    def in_flight(self) -> int:
        """Most calls at one time, this drain."""
        ...

    @property
    def lease_seconds(self) -> int:
        """How long a claim holds."""
        ...

    @property
    def drain_seconds(self) -> float:
        """Longest run of one drain."""
        ...


@dataclass
class DrainReport:
    """What one drain did, in numbers of texts."""

    claimed: int = 0
    accepted: int = 0
    not_accepted: int = 0
    unknown: int = 0
    not_rendered: int = 0

    def count(self, outcome: Outcome) -> None:
        """Add one call's end."""
        if isinstance(outcome, Accepted):
            self.accepted += 1
        elif isinstance(outcome, NotAccepted):
            self.not_accepted += 1
        else:
            self.unknown += 1


def run(
    sessions: Sessions,
    senders: Mapping[Channel, Sender],
    *,
    lane: Lane,
    clock: Clock,
    settings: Pace,
    knowledge: Knowledge,
    seconds: float | None = None,
) -> DrainReport:
    """Send what is due in one lane of all clinics, until nothing is or `seconds` are over.

    Ends with every started call recorded. May run beside other drains: each row is taken by one of them.
    """
    drain = _Drain(sessions, senders, lane, clock, settings, knowledge)
    return drain.run(seconds if seconds is not None else settings.drain_seconds)


@dataclass(frozen=True, slots=True)
class _Call:
    communication_id: UUID
    request: Claimed
    outgoing: Outgoing
    lease_ends: float  #: Of the monotonic clock.


@dataclass
class _Drain:
    sessions: Sessions
    senders: Mapping[Channel, Sender]
    lane: Lane
    clock: Clock
    settings: Pace
    knowledge: Knowledge
    report: DrainReport = field(default_factory=DrainReport)
    results: SimpleQueue[Result] = field(default_factory=SimpleQueue)
    waiting: int = 0  #: Calls that were handed to the threads and whose end has not been recorded.
    more: bool = True  #: The latest claim was full, so there may be more.

    def run(self, seconds: float) -> DrainReport:
        ends = self.clock.monotonic() + seconds
        calls = self.take()
        if not self.report.claimed:
            return self.report
        with ThreadPoolExecutor(self.settings.in_flight, thread_name_prefix="sender") as threads:
            while True:
                self.submit(threads, calls)
                # One batch waits behind the calls in flight: no thread idles while we claim and record.
                may_take = self.more and self.waiting <= self.settings.in_flight
                calls = self.take_if_possible() if may_take and self.clock.monotonic() < ends else []
                if not calls and not self.waiting:
                    return self.report
                if not calls:
                    self.flush()

    @property
    def most(self) -> int:
        """Claim no more than can be called at once, so that a claimed text waits for one call at the most."""
        return min(BATCH, self.settings.in_flight)

    def take_if_possible(self) -> list[_Call]:
        # What is in flight must still be recorded when the next claim fails: its leases will show it.
        try:
            return self.take()
        except SQLAlchemyError:
            log.exception("drain of %s could not claim", self.lane)
            self.more = False
            return []

    def submit(self, threads: ThreadPoolExecutor, calls: Sequence[_Call]) -> None:
        self.waiting += len(calls)
        for call in calls:
            threads.submit(self.call, call)

    def take(self) -> list[_Call]:
        """Claim one batch and write its words; two short transactions, both over before any call."""
        now, lease = self.clock.now(), self.settings.lease_seconds
        lease_ends = self.clock.monotonic() + lease
        claimed = outbound.take(
            _engine(self.sessions),
            self.lane,
            now=now,
            limit=self.most,
            lease_until=now + timedelta(seconds=lease),
        )
        self.more = len(claimed) == self.most
        self.report.claimed += len(claimed)
        if not claimed:
            return []
        with self.sessions.begin() as session:
            return self.write(session, claimed, lease_ends)

    def write(self, session: Session, claimed: Sequence[Claimed], lease_ends: float) -> list[_Call]:
        now = self.clock.now()
        made = rendering.render_batch(
            session, claimed, voice=self.settings, knowledge=self.knowledge, now=now
        )
        ready = [one for one in made if isinstance(one, Ready)]
        calls = [self.prepare(one, lease_ends) for one in ready]
        if calls:
            session.execute(
                insert(Communication), [self.row(one, call) for one, call in zip(ready, calls, strict=True)]
            )
        if links := [link for one in ready for link in one.links]:
            session.execute(insert(AccessLink), links)
        for one in made:
            if isinstance(one, Failed):
                self.give_up(session, one)
        return calls

    def prepare(self, ready: Ready, lease_ends: float) -> _Call:
        request, now = ready.request, self.clock.now()
        outgoing = Outgoing(
            attempt_token=ids.attempt_token(),
            channel=request.channel,
            sender=ready.sender,
            recipient=request.address,
            body=ready.rendered.text,
            valid_seconds=max(1, int((request.expires_at - now).total_seconds())),
            subject=ready.rendered.subject,
            html=ready.rendered.html,
            unsubscribe_url=ready.unsubscribe_url,
        )
        return _Call(ids.new_id(), request, outgoing, lease_ends)

    def row(self, ready: Ready, call: _Call) -> dict[str, Any]:
        return {
            **self.of_request(ready.request),
            "id": call.communication_id,
            "status": CommunicationStatus.IN_PROGRESS,
            "sender": ready.sender,
            "subject": ready.rendered.subject,
            "body": ready.rendered.text,
            "asks": ready.request.asks,
            "attempt_token": call.outgoing.attempt_token,
            "segments": ready.rendered.segments,
        }

    def of_request(self, request: Claimed) -> dict[str, Any]:
        sender = self.senders.get(request.channel)
        return {
            "created_at": self.clock.now(),
            "organization_id": request.organization_id,
            "direction": Direction.OUT,
            "channel": request.channel,
            "request_id": request.id,
            "patient_id": request.patient_id,
            "staff_id": request.staff_id,
            "provider": sender.name if sender else "none",
            "recipient": request.address,
            "attempt": request.attempt,
        }

    def give_up(self, session: Session, failed: Failed) -> None:
        """End a request whose words could not be made, and tell staff; the rest of the batch goes on."""
        log.error("request %s could not be rendered: %s", failed.request.id, failed.why)
        self.report.not_rendered += 1
        reason = NotDoneReason.RENDER_FAILED
        sent = Communication(
            **self.of_request(failed.request),
            status=CommunicationStatus.NOT_DONE,
            body="",
            reason=reason.value,
        )
        session.add(sent)
        request = session.get_one(CommunicationRequest, failed.request.id)
        request.status, request.ended_reason, request.lease_until = (
            RequestStatus.COMPLETED,
            reason.value,
            None,
        )
        session.flush()
        outcomes.fail(session, sent, knowledge=self.knowledge, now=self.clock.now())

    def call(self, call: _Call) -> None:
        """Run on a sender thread: one call, one result, whatever happens."""
        try:
            outcome = self.send(call)
        except Exception:
            # A sender never raises; if one does, nobody can say how far it came.
            log.exception("sender failed on communication %s", call.communication_id)
            outcome = Unknown("sender_failed")
        self.results.put(Result(call.communication_id, call.request, outcome, self.clock.now()))

    def send(self, call: _Call) -> Outcome:
        now = self.clock.monotonic()
        if now >= call.lease_ends:
            # A worker that was frozen must not send late: by now somebody may have counted this text as lost.
            return Unknown("lease")
        if self.is_too_late(call, now):
            return NotAccepted(permanent=False, code="too_late")
        sender = self.senders.get(call.request.channel)
        if sender is None:
            return NotAccepted(permanent=False, code="no_sender")
        return sender.send(call.outgoing)

    def is_too_late(self, call: _Call, now: float) -> bool:
        """Tell whether the text may no longer start: while it waited its window closed, or a STOP came."""
        if call.request.expires_at <= self.clock.now():
            return True
        waited = now - (call.lease_ends - self.settings.lease_seconds)
        return waited > ASK_AGAIN_SECONDS and not outbound.still_allowed(
            _engine(self.sessions), call.request.id
        )

    def flush(self) -> None:
        """Wait for ends of calls, gather for 25 ms or 100 rows, and record them in one transaction."""
        try:
            gathered = [self.results.get(timeout=1)]
        except Empty:
            return
        until = self.clock.monotonic() + FLUSH_SECONDS
        while len(gathered) < min(BATCH, self.waiting) and (left := until - self.clock.monotonic()) > 0:
            try:
                gathered.append(self.results.get(timeout=left))
            except Empty:
                break
        self.waiting -= len(gathered)
        self.record(gathered)
        for result in gathered:
            self.report.count(result.outcome)

    def record(self, gathered: Sequence[Result]) -> None:
        # Recording twice changes nothing, and not recording makes texts unknown that are not: so a short
        # failure of the database is waited out. After that the leases run out, and a receipt may still tell.
        for pause in _RECORD_AGAIN_SECONDS:
            try:
                return self.record_once(gathered)
            except OperationalError:
                log.warning("could not record %d ends of calls; again in %s s", len(gathered), pause)
                Event().wait(pause)
        return self.record_once(gathered)

    def record_once(self, gathered: Sequence[Result]) -> None:
        with self.sessions.begin() as session:
            outcomes.record(session, gathered, knowledge=self.knowledge, now=self.clock.now())


def _engine(sessions: Sessions) -> Engine:
    return cast(Engine, sessions.kw["bind"])
