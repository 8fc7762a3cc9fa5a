"""Go on with a check-in: the next question goes out as the reply to an answer, while its window is open."""

from collections.abc import Sequence
from decimal import Decimal

from followup.clinical.reply import Answer
from followup.core.vocabulary import Channel, Question
from followup.services import answering
from followup.services.hearing import Hearing
from followup.store.models import CommunicationRequest
from followup.store.queries import inbound as queries

LINK = "checkin_link"
#: Asked one at a time, only after a withdrawal answer of 2 or more (event wd_single_2_or_more_by_sms).
WITHDRAWAL_ITEMS = ("ask_wd1", "ask_wd2", "ask_wd3", "ask_wd4", "ask_wd5", "ask_craving")
_ENOUGH = Decimal(2)
_ASK_WITHDRAWAL = "ask_withdrawal"
_THANKS = "checkin_done"


def go_on(hearing: Hearing, answer: Answer) -> CommunicationRequest | None:
    """Write the next question of the open check-in, or its link; None without one, or too late."""
    found = _open_checkin(hearing)
    if found is None or hearing.channel is not Channel.SMS:
        return None
    checkin, asked = found
    key = _next(_texts(hearing, checkin, answer), asked)
    if key is None or _was_said(hearing, [key], checkin):
        return None
    if key == LINK:
        return answering.say(hearing, key)
    question = hearing.knowledge.catalog.get(key).asks
    if question is None:
        return None
    return answering.say(hearing, key, asks=Question(question), message_keys=[key])


def is_done(hearing: Hearing, answer: Answer) -> bool:
    """Tell whether this answer ends the open check-in: nothing follows, and no thanks went before."""
    found = _checkin(hearing)
    if found is None:
        return False
    checkin, asked = found
    is_last = _next(_texts(hearing, checkin, answer), asked) is None or checkin.expires_at <= hearing.now
    return is_last and not _was_said(hearing, hearing.knowledge.events.get(_THANKS).message_keys, checkin)


def thank(hearing: Hearing) -> CommunicationRequest | None:
    """Write the thanks that end a check-in, one and the other text by turns."""
    return answering.say(hearing, answering.in_turn(hearing, _THANKS))


def _open_checkin(hearing: Hearing) -> tuple[CommunicationRequest, str] | None:
    found = _checkin(hearing)
    return found if found and found[0].expires_at > hearing.now else None


def _checkin(hearing: Hearing) -> tuple[CommunicationRequest, str] | None:
    if hearing.patient is None or hearing.asked is None:
        return None
    asked = hearing.asked.request.message_key
    checkin = queries.checkin_of(
        hearing.session, hearing.organization.id, hearing.patient.id, hearing.asked.asked_at
    )
    if checkin is None or checkin.action_id is None:
        return None
    is_own = asked in (*checkin.message_keys, *WITHDRAWAL_ITEMS)
    kind = hearing.knowledge.catalog.get(asked).kind
    is_checkin = kind == "checkin" and asked.startswith("ask_")
    return (checkin, asked) if is_own and is_checkin else None


def _texts(hearing: Hearing, checkin: CommunicationRequest, answer: Answer) -> list[str]:
    keys = [key for key in checkin.message_keys if key not in WITHDRAWAL_ITEMS]
    asks_items = hearing.asked is not None and hearing.asked.request.message_key in WITHDRAWAL_ITEMS
    is_high = answer.question is Question.WITHDRAWAL and (answer.number or 0) >= _ENOUGH
    if _ASK_WITHDRAWAL in keys and (asks_items or is_high):
        place = keys.index(_ASK_WITHDRAWAL) + 1
        keys[place:place] = WITHDRAWAL_ITEMS
    return keys


def _next(keys: Sequence[str], asked: str) -> str | None:
    if asked not in keys:
        return None
    rest = keys[keys.index(asked) + 1 :]
    return rest[0] if rest else None


def _was_said(hearing: Hearing, keys: Sequence[str], checkin: CommunicationRequest) -> bool:
    return queries.was_said(hearing.session, hearing.organization.id, hearing.address, keys, checkin.due_at)
