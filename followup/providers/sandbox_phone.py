"""Be the phone in somebody's hand: post what it sends to our own door, signed as the carrier signs."""

import http.client
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from followup.core.errors import FollowupError
from followup.core.ids import new_id
from followup.providers.twilio_webhooks import INBOUND_PATH, sign, webhook_tokens
from followup.settings import Carrier, Settings

_SECONDS = 30.0
_FORM = "application/x-www-form-urlencoded"


class NotDelivered(FollowupError):
    """The service did not take the text."""

    code = "sandbox.not_delivered"
    safe_for_staff = True


def text(
    settings: Settings,
    *,
    sender: str,
    recipient: str,
    body: str,
    sid: str | None = None,
    photos: int = 0,
    to: str | None = None,
) -> int:
    """Send one text by the real road, over HTTP to `to` (else our own address); return the HTTP status.

    NotDelivered when nobody answers, or when texts come by a real carrier: its signature is not ours to make.
    """
    if settings.carrier is not Carrier.SANDBOX:
        raise NotDelivered("Texts come by a real carrier here; only the sandbox can be played.")
    home = settings.public_url.rstrip("/")
    form = _form(sender, recipient, body, sid or f"SM{new_id().hex}", photos)
    headers = {
        "Content-Type": _FORM,
        "X-Twilio-Signature": sign(home + INBOUND_PATH, form, webhook_tokens(settings)[0]),
    }
    return _post((to or home).rstrip("/"), urlencode(form).encode(), headers)


def _form(sender: str, recipient: str, body: str, sid: str, photos: int) -> dict[str, str]:
    form = {
        "AccountSid": "ACsandbox",
        "ApiVersion": "2010-04-01",
        "Body": body,
        "From": sender,
        "MessageSid": sid,
        "NumMedia": str(photos),
        "NumSegments": "1",
        "SmsMessageSid": sid,
        "SmsSid": sid,
        "SmsStatus": "received",
        "To": recipient,
    }
    for number in range(photos):
        form[f"MediaContentType{number}"] = "image/jpeg"
        form[f"MediaUrl{number}"] = f"https://sandbox.invalid/{sid}/{number}"
    return form


def _post(to: str, body: bytes, headers: Mapping[str, str]) -> int:
    address = urlsplit(to)
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = kind(address.hostname or "", address.port, timeout=_SECONDS)
    try:
        connection.request("POST", INBOUND_PATH, body, dict(headers))
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (OSError, http.client.HTTPException) as unheard:
        raise NotDelivered("The service does not answer at its address.") from unheard
    finally:
        connection.close()
