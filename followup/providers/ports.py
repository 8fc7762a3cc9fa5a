"""What every carrier looks like from above, and the values that cross the line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from followup.core.vocabulary import Channel, Delivery


@dataclass(frozen=True)
class Outgoing:
    """One text or mail, ready to go. `valid_seconds` is what is left of its window."""

    attempt_token: str  #: Opaque; comes back in the status callback as the first proof of acceptance.
    channel: Channel
    sender: str  #: The clinic's number, or the mail's From.
    recipient: str
    body: str
    valid_seconds: int
    subject: str | None = None
    html: str | None = None
    unsubscribe_url: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Accepted:
    """The carrier has it; only a receipt says that it arrived."""

    provider_sid: str
    delivery: Delivery = Delivery.QUEUED


@dataclass(frozen=True)
class NotAccepted:
    """It is proved that the carrier did not take it: refused connection, 4xx, 429."""

    permanent: bool
    code: str  #: The carrier's error code, or "connection", "throttled".
    retry_after: float | None = None  #: Seconds, where the carrier names them.
    opted_out: bool = False  #: Code 21610: the person has told the carrier STOP.
    invalid_address: bool = False


@dataclass(frozen=True)
class Unknown:
    """Nobody can say whether it was taken: time-out, reset after the request, 5xx. Never resent blindly."""

    code: str


Outcome = Accepted | NotAccepted | Unknown


class Sender(Protocol):
    """A road out. `send` never raises: every end of a call is one of the three outcomes."""

    name: str  #: The provider's name as rows hold it: twilio, smtp, sandbox.

    def send(self, outgoing: Outgoing) -> Outcome:
        """Hand one text over and tell what became of the call."""
        ...


@dataclass(frozen=True)
class InboundMessage:
    """Something that a person wrote to one of our numbers, as the carrier gave it to us."""

    provider: str
    provider_sid: str
    channel: Channel
    sender: str
    recipient: str
    body: str
    raw: bytes
    media_count: int = 0


@dataclass(frozen=True)
class ReceiptUpdate:
    """One status callback. `delivery` is None for a word that we do not know; it is kept all the same."""

    provider: str
    provider_sid: str | None
    attempt_token: str | None
    status: str
    delivery: Delivery | None
    error_code: str | None
