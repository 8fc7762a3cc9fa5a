"""Read what the carrier posts to us, once its signature holds; sign what the sandbox posts in its place."""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qs, urlsplit

from twilio.request_validator import RequestValidator

from followup.core.errors import MalformedWebhook, SignatureInvalid
from followup.core.vocabulary import Channel, Delivery
from followup.providers.ports import InboundMessage, ReceiptUpdate
from followup.settings import Carrier, Settings

INBOUND_PATH = "/webhooks/twilio/inbound"
STATUS_PATH = "/webhooks/twilio/status"

# What the columns hold; the carrier's own ids have 34 characters, our tokens 16.
_SID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,24}")
_ADDRESS_CHARACTERS = 254
_STATUS_CHARACTERS = 24
_CODE_CHARACTERS = 16

#: The carrier's words (Twilio's description, message_enum_status) in ours; others are kept and move nothing.
_DELIVERY = {
    "accepted": Delivery.QUEUED,
    "scheduled": Delivery.QUEUED,
    "queued": Delivery.QUEUED,
    "sending": Delivery.QUEUED,
    "sent": Delivery.SENT,
    "partially_delivered": Delivery.SENT,
    "delivered": Delivery.DELIVERED,
    "read": Delivery.DELIVERED,
    "undelivered": Delivery.UNDELIVERED,
    "failed": Delivery.FAILED,
    "canceled": Delivery.FAILED,
}

Form = Iterable[tuple[str, str]]


def delivery_of(status: str) -> Delivery | None:
    """Return our word for a carrier's status; None for one that says nothing about delivery."""
    return _DELIVERY.get(status)


def status_callback_url(settings: Settings, attempt_token: str) -> str:
    """Return where the carrier reports on one attempt; the token is opaque and names nobody."""
    return f"{settings.public_url.rstrip('/')}{STATUS_PATH}?a={attempt_token}"


def webhook_tokens(settings: Settings) -> tuple[str, ...]:
    """Return the secrets that may have signed a webhook, the present one first; none means: trust nothing."""
    if settings.carrier is Carrier.SANDBOX:
        key = settings.secret_key.get_secret_value().encode()
        return (hmac.new(key, b"followup sandbox webhooks", hashlib.sha256).hexdigest(),)
    tokens = (settings.twilio_auth_token, settings.twilio_auth_token_old)
    return tuple(token.get_secret_value() for token in tokens if token.get_secret_value())


def sign(url: str, form: Mapping[str, str], token: str) -> str:
    """Return the X-Twilio-Signature for a form that is posted to `url` (in full, with its query)."""
    return str(RequestValidator(token).compute_signature(url, dict(form)))


def parse_inbound(
    form: Form, raw: bytes, *, signature: str | None, url: str, settings: Settings
) -> InboundMessage:
    """Return the text that somebody sent us; SignatureInvalid or MalformedWebhook if it cannot be trusted.

    `form` is the decoded body, `raw` its bytes, `url` the configured public address with the full path.
    """
    fields = _trusted(form, signature=signature, url=url, settings=settings)
    return InboundMessage(
        provider=settings.carrier.value,
        provider_sid=_sid(fields),
        channel=Channel.SMS,
        sender=_address(fields, "From"),
        recipient=_address(fields, "To"),
        # PostgreSQL's text holds no NUL; `raw` still does.
        body=fields.get("Body", "").replace("\x00", "\ufffd"),
        raw=raw,
        media_count=_media_count(fields.get("NumMedia", "")),
    )


def parse_status(form: Form, *, signature: str | None, url: str, settings: Settings) -> ReceiptUpdate:
    """Return one status callback; SignatureInvalid or MalformedWebhook if it cannot be trusted.

    `url` is the configured public address with the request's full path: its query holds the attempt's token.
    """
    fields = _trusted(form, signature=signature, url=url, settings=settings)
    status = fields.get("MessageStatus") or fields.get("SmsStatus")
    if not status or "\x00" in status:
        raise MalformedWebhook("There is no MessageStatus.")
    return ReceiptUpdate(
        provider=settings.carrier.value,
        provider_sid=_sid(fields),
        attempt_token=_attempt_token(url),
        status=status[:_STATUS_CHARACTERS],
        delivery=delivery_of(status),
        error_code=_error_code(fields.get("ErrorCode", "")),
    )


def _trusted(form: Form, *, signature: str | None, url: str, settings: Settings) -> dict[str, str]:
    fields: dict[str, str] = {}
    for key, value in form:
        if key in fields:
            # The signature does not say which of the two the carrier meant.
            raise MalformedWebhook("A key of the form is there twice.")
        fields[key] = value
    if not signature or not any(_holds(url, fields, signature, token) for token in webhook_tokens(settings)):
        raise SignatureInvalid
    return fields


def _holds(url: str, fields: dict[str, str], signature: str, token: str) -> bool:
    try:
        return bool(RequestValidator(token).validate(url, fields, signature))
    except ValueError:  # an address or a form that cannot be encoded was never signed
        return False


def _sid(fields: Mapping[str, str]) -> str:
    sid = fields.get("MessageSid") or fields.get("SmsSid") or ""
    if not _SID.fullmatch(sid):
        raise MalformedWebhook("There is no usable MessageSid.")
    return sid


def _address(fields: Mapping[str, str], name: str) -> str:
    address = fields.get(name, "").strip()
    if not address or len(address) > _ADDRESS_CHARACTERS or not address.isprintable():
        raise MalformedWebhook(f"There is no usable {name}.")
    return address


def _media_count(number: str) -> int:
    if not number.strip():
        return 0
    # A count that cannot be read is one attachment: then a person looks.
    return int(number) if re.fullmatch(r"[0-9]{1,3}", number.strip()) else 1


def _attempt_token(url: str) -> str | None:
    token = parse_qs(urlsplit(url).query).get("a", [""])[0]
    return token if _TOKEN.fullmatch(token) else None


def _error_code(code: str) -> str | None:
    return code[:_CODE_CHARACTERS] if code.isascii() and code.isalnum() and code != "0" else None
