"""A small clinic to write to: one nurse, one patient, and short words for what came of a text."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from followup.core.vocabulary import Audience, Channel, RequestOrigin, RequestStatus
from followup.providers.ports import InboundMessage
from followup.services import inbound
from followup.services.hearing import Processed
from followup.services.knowledge import Knowledge, load_knowledge
from followup.store.models import (
    Alert,
    CarePlan,
    Communication,
    CommunicationRequest,
    ContactPoint,
    Organization,
    Patient,
    SenderNumber,
    StaffUser,
)
from tests import factories
from tests.factories import NOW

#: The same Tuesday, 23:30 in New York: the clinic is closed, and texts that we start may not go.
NIGHT = datetime.fromisoformat("2026-06-03T03:30:00+00:00")


@dataclass
class Road:
    """A clinic with one nurse and one patient who has said yes."""

    sessions: sessionmaker[Session]
    clinic: Organization
    number: str
    nurse: StaffUser
    patient: Patient
    plan: CarePlan
    phone: str
    knowledge: Knowledge = field(default_factory=load_knowledge)
    _sids: Iterator[int] = field(default_factory=lambda: count(1))

    def message(
        self, body: str, *, sender: str | None = None, sid: str | None = None, **over: Any
    ) -> InboundMessage:
        """Return a text to the clinic's number, from the patient's phone unless told otherwise."""
        values = {
            "provider": "twilio",
            "provider_sid": sid or f"SM{next(self._sids):032d}",
            "channel": Channel.SMS,
            "sender": sender or self.phone,
            "recipient": self.number,
            "body": body,
            "raw": body.encode("utf-8", "surrogatepass"),
            **over,
        }
        return InboundMessage(**values)

    def text(
        self, body: str, *, sender: str | None = None, now: datetime = NOW, confirms: bool = True, **over: Any
    ) -> Processed:
        """Receive and understand a text."""
        received = inbound.receive(self.sessions, self.message(body, sender=sender, **over), now=now)
        assert received.communication_id is not None
        return inbound.process(
            self.sessions,
            received.communication_id,
            knowledge=self.knowledge,
            now=now,
            carrier_confirms_keywords=confirms,
        )

    def requests(self, *conditions: Any) -> list[CommunicationRequest]:
        """Return what was written to be sent, in order."""
        with self.sessions() as session:
            kept = CommunicationRequest.status != RequestStatus.REVOKED
            found = select(CommunicationRequest).where(kept, *conditions)
            order = (CommunicationRequest.due_at, CommunicationRequest.channel.desc())
            return list(session.scalars(found.order_by(*order)))

    def answers(self, address: str | None = None) -> list[str]:
        """Return the keys of what was said back to a phone (default: the patient's)."""
        to = CommunicationRequest.address == (address or self.phone)
        return [
            row.message_key for row in self.requests(to, CommunicationRequest.in_reply_to_id.is_not(None))
        ]

    def pages(self) -> list[CommunicationRequest]:
        """Return the pages to staff."""
        return self.requests(
            CommunicationRequest.audience == Audience.STAFF, CommunicationRequest.origin == RequestOrigin.PAGE
        )

    def alerts(self) -> list[Alert]:
        """Return the alerts, oldest first."""
        with self.sessions() as session:
            return list(session.scalars(select(Alert).order_by(Alert.created_at, Alert.id)))

    def heard(self) -> list[Communication]:
        """Return what came in, oldest first."""
        with self.sessions() as session:
            found = select(Communication).where(Communication.received_at.is_not(None))
            return list(session.scalars(found.order_by(Communication.received_at, Communication.id)))

    def fresh_plan(self) -> CarePlan:
        """Return the patient's plan as it stands now."""
        with self.sessions() as session:
            return session.get_one(CarePlan, self.plan.id)

    def ask(self, *keys: str, asks: Any, **over: Any) -> CommunicationRequest:
        """Send the patient a check-in five minutes ago; return its row."""
        with self.sessions.begin() as session:
            return factories.asked(session, self.plan, self.phone, *keys, asks=asks, **over)


def build(sessions: sessionmaker[Session]) -> Road:
    """Fill an empty database with the small clinic."""
    with sessions.begin() as session:
        clinic = factories.organization(session)
        number = session.scalars(
            select(SenderNumber.e164).where(SenderNumber.organization_id == clinic.id)
        ).one()
        nurse = factories.staff(session, clinic)
        person, plan, road = factories.enrolled(session, clinic)
        factories.prescription(session, person)
    return Road(sessions, clinic, number, nurse, person, plan, _value(road))


def _value(road: ContactPoint) -> str:
    return road.value
