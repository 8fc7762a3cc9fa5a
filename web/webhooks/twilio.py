"""Take the carrier's webhooks: store first, understand at once, answer 200 whatever understanding did."""

import logging
from urllib.parse import parse_qsl

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from followup.core.errors import MalformedWebhook, SignatureInvalid
from followup.providers.twilio_webhooks import INBOUND_PATH, STATUS_PATH, parse_inbound, parse_status
from followup.runtime import Runtime
from followup.services import inbound, receipts
from followup.tasks.outbound import ring
from web.access import public
from web.house import current_house
from web.security import csrf, limiter

log = logging.getLogger(__name__)
bp = Blueprint("twilio", __name__)
csrf.exempt(bp)
limiter.exempt(bp)

LARGEST_BODY = 64 * 1024  # bytes; the longest text a carrier passes on is 1600 characters
_FORM = "application/x-www-form-urlencoded"
_SIGNATURE = "X-Twilio-Signature"
_EMPTY_TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response/>'


@bp.before_request
def cap_the_body() -> None:
    """Read no more than any real webhook holds; more is 413."""
    request.max_content_length = LARGEST_BODY


@bp.errorhandler(SignatureInvalid)
def refuse_forged(_error: SignatureInvalid) -> ResponseReturnValue:
    """Answer 403 and say nothing more to whoever is not the carrier."""
    log.warning("webhook.forged path=%s", request.path)
    return "", 403


@bp.errorhandler(MalformedWebhook)
def refuse_malformed(error: MalformedWebhook) -> ResponseReturnValue:
    """Answer 400 to what cannot be read without guessing."""
    log.warning("webhook.malformed path=%s why=%s", request.path, error)
    return "", 400


@bp.post(INBOUND_PATH)
@public("carrier webhook; authenticated by signature")
def receive_sms() -> ResponseReturnValue:
    """Store the text first, understand it at once, answer 200 whatever understanding did."""
    house = current_house()
    raw = request.get_data()
    message = parse_inbound(
        _pairs(raw),
        raw,
        signature=request.headers.get(_SIGNATURE),
        url=_address(house),
        settings=house.settings,
    )
    received = inbound.receive(house.sessions, message, now=house.clock.now())
    if received.communication_id is None:
        log.warning("webhook.unknown_recipient")
    else:
        understand(house, received)
    return Response(_EMPTY_TWIML, content_type="text/xml; charset=utf-8")


@bp.post(STATUS_PATH)
@public("carrier webhook; authenticated by signature")
def receive_status() -> ResponseReturnValue:
    """Append one status callback; a worker folds it into the text's delivery."""
    house = current_house()
    update = parse_status(
        _pairs(request.get_data()),
        signature=request.headers.get(_SIGNATURE),
        url=_address(house),
        settings=house.settings,
    )
    receipts.append(house.sessions, update, now=house.clock.now())
    return "", 204


def understand(house: Runtime, received: inbound.Received) -> inbound.Processed | None:
    """Understand a stored text now; a failure is noted without its words, and the sweep tries again."""
    if received.communication_id is None:
        return None
    try:
        processed = inbound.process(
            house.sessions,
            received.communication_id,
            knowledge=house.knowledge,
            now=house.clock.now(),
            carrier_confirms_keywords=house.settings.twilio_handles_keywords,
        )
    except Exception as failure:
        # Whatever it was: the text is stored, the carrier gets its 200, the sweep tries again. A traceback
        # could hold the patient's words, so only the kind of failure is written down.
        log.error(
            "inbound.not_understood communication=%s error=%s",
            received.communication_id,
            type(failure).__name__,
        )
        return None
    for lane in processed.lanes:
        ring(lane)
    return processed


def _address(house: Runtime) -> str:
    """Return the address that the carrier signed: the configured one, never one from headers."""
    return house.settings.public_url.rstrip("/") + request.full_path.rstrip("?")


def _pairs(raw: bytes) -> list[tuple[str, str]]:
    """Return the form's pairs in order, doubled keys and all; MalformedWebhook if it is no form in UTF-8."""
    if request.mimetype != _FORM:
        raise MalformedWebhook("The body is not a form.")
    try:
        return parse_qsl(raw.decode("utf-8"), keep_blank_values=True, errors="strict")
    except (UnicodeError, ValueError) as broken:
        raise MalformedWebhook("The form cannot be decoded.") from broken
