"""Store what a person wrote, before anything else is done with it."""

import logging
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from followup.core.vocabulary import CommunicationStatus, Direction
from followup.providers.ports import InboundMessage
from followup.services import audit
from followup.store.models import Communication
from followup.store.queries import inbound as queries
from followup.store.session import Sessions

log = logging.getLogger(__name__)

_BROKEN = "\ufffd"


@dataclass(frozen=True)
class Received:
    """Where a text is stored, and whether this call stored it. No id: none of our numbers was written to."""

    communication_id: UUID | None
    is_new: bool


def receive(sessions: Sessions, message: InboundMessage, *, now: datetime) -> Received:
    """Store a text as it came, in one short transaction; a repeat of the same provider id stores nothing.

    A text to a number that no clinic has is nobody's to keep: the audit holds the carrier's id of it.
    """
    try:
        with sessions.begin() as session:
            organization_id = queries.organization_of(session, message.recipient)
            if organization_id is None:
                _note_misdirected(session, message, now)
                return Received(None, False)
            communication = _raw(organization_id, message, now)
            session.add(communication)
    except IntegrityError:
        before = _stored(sessions, message)
        if before is None:
            raise
        return Received(before, False)
    return Received(communication.id, True)


def _raw(organization_id: UUID, message: InboundMessage, now: datetime) -> Communication:
    return Communication(
        organization_id=organization_id,
        direction=Direction.IN,
        status=CommunicationStatus.IN_PROGRESS,
        channel=message.channel,
        provider=message.provider,
        provider_sid=message.provider_sid,
        sender=message.sender,
        recipient=message.recipient,
        body=storable(message.body),
        raw=message.raw,
        media_count=message.media_count,
        received_at=now,
        created_at=now,
    )


def storable(body: str) -> str:
    """Return the words without what no database keeps in text: NUL, half a surrogate pair.

    The bytes as they came are in `raw`.
    """
    return body.replace("\x00", _BROKEN).encode("utf-8", "replace").decode("utf-8")


def _stored(sessions: Sessions, message: InboundMessage) -> UUID | None:
    with sessions.begin() as session:
        return session.scalar(
            select(Communication.id).where(
                Communication.provider == message.provider, Communication.provider_sid == message.provider_sid
            )
        )


def _note_misdirected(session: Session, message: InboundMessage, now: datetime) -> None:
    log.warning("inbound %s was sent to a number that no clinic has", message.provider_sid)
    audit.record(
        session, None, "inbound.misdirected", now=now, provider=message.provider, sid=message.provider_sid
    )
