"""Send texts through Twilio, and ask it what became of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.rest import Client
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as LateError

from followup.core.errors import FollowupError
from followup.core.vocabulary import Delivery
from followup.providers.ports import Accepted, NotAccepted, Outcome, Outgoing, Unknown
from followup.providers.twilio_codes import CodeKind, meaning_of
from followup.providers.twilio_http import NeverSentError, PooledHttpClient, ThrottledError
from followup.providers.twilio_webhooks import delivery_of, status_callback_url
from followup.settings import Settings

MOST_VALID_SECONDS = 36_000  #: Twilio's limit and default for ValidityPeriod, 10 h.
_MOST_LISTED = 50


class CarrierSilent(FollowupError):
    """The carrier did not say what became of the text."""

    code = "carrier.silent"


@dataclass(frozen=True)
class CarrierRecord:
    """What the carrier holds about one text."""

    provider_sid: str
    status: str
    delivery: Delivery | None
    error_code: str | None
    body: str
    created_at: datetime | None


class TwilioSender:
    """The road out over Twilio. One per process; its threads share the pool of connections."""

    name = "twilio"

    def __init__(self, settings: Settings) -> None:
        """Keep the account's credentials and open no connection yet."""
        self._settings = settings
        client = Client(
            settings.twilio_account_sid,
            settings.twilio_auth_token.get_secret_value(),
            http_client=PooledHttpClient(
                settings.twilio_api_url, in_flight=settings.in_flight, call_seconds=settings.call_seconds
            ),
            # Given, so that TWILIO_EDGE or TWILIO_REGION of the surroundings cannot move the texts elsewhere.
            environment={"TWILIO_EDGE": ""},
        )
        self._messages = client.messages

    def send(self, outgoing: Outgoing) -> Outcome:
        """Hand one text to Twilio; Unknown wherever it may have been taken."""
        try:
            return _accepted(self._create(outgoing))
        except NeverSentError:
            return NotAccepted(permanent=False, code="connection")
        except ThrottledError as slow:
            return NotAccepted(permanent=False, code="throttled", retry_after=slow.retry_after)
        except (TwilioRestException, TwilioServiceException) as refused:
            return _refusal(refused.status, refused.code)
        except LateError:
            return Unknown("timeout")
        except HTTPError:
            return Unknown("connection_lost")
        except Exception:
            # The request has left us and the answer is no message: a page of a proxy, or half a JSON.
            return Unknown("undecodable")

    def fetch(self, provider_sid: str) -> CarrierRecord:
        """Return what Twilio holds under this sid; CarrierSilent when it does not answer or know it."""
        try:
            return _record(self._messages(provider_sid).fetch())
        except (TwilioException, HTTPError, NeverSentError, ThrottledError, ValueError):
            # Without the cause: its words may hold a number.
            raise CarrierSilent from None

    def list_sent(self, to: str, from_: str, since: datetime) -> list[CarrierRecord]:
        """Return the newest texts (at most 50) from one number to another after `since`; or CarrierSilent.

        The list lags behind by an unknown time: that a text is missing here proves nothing.
        """
        try:
            found = self._messages.list(to=to, from_=from_, date_sent_after=since, limit=_MOST_LISTED)
            return [_record(message) for message in found]
        except (TwilioException, HTTPError, NeverSentError, ThrottledError, ValueError):
            raise CarrierSilent from None

    def _create(self, outgoing: Outgoing) -> Any:
        return self._messages.create(
            to=outgoing.recipient,
            from_=outgoing.sender,
            body=outgoing.body,
            status_callback=status_callback_url(self._settings, outgoing.attempt_token),
            validity_period=max(1, min(outgoing.valid_seconds, MOST_VALID_SECONDS)),
            smart_encoded=True,
        )


def _accepted(message: Any) -> Outcome:
    if not isinstance(message.sid, str) or not message.sid:
        return Unknown("undecodable")
    return Accepted(message.sid, delivery_of(str(message.status)) or Delivery.QUEUED)


def _refusal(status: object, code: object) -> Outcome:
    http, number = _whole(status), _whole(code)
    if http in (401, 403):
        return NotAccepted(permanent=False, code="credentials")
    if number == 20429:
        return NotAccepted(permanent=False, code="throttled")
    if not 400 <= http < 500:
        return Unknown(str(number or http))
    if number == http:
        # No code of Twilio's in it: the page of a proxy, which is no verdict on the text.
        return NotAccepted(permanent=False, code=str(http))
    meaning = meaning_of(str(number))
    return NotAccepted(
        permanent=meaning.is_permanent,
        code="credentials" if meaning.kind is CodeKind.CREDENTIALS else str(number),
        opted_out=meaning.kind is CodeKind.OPTED_OUT,
        invalid_address=meaning.kind is CodeKind.INVALID,
    )


def _whole(number: object) -> int:
    text = str(number)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else 0


def _record(message: Any) -> CarrierRecord:
    status = str(message.status)
    return CarrierRecord(
        provider_sid=message.sid,
        status=status,
        delivery=delivery_of(status),
        error_code=str(message.error_code) if message.error_code else None,
        body=message.body or "",
        created_at=message.date_created,
    )
