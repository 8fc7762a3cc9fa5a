"""Answer a person's own text with a fixed text of the catalogue, within the limits of `events.toml`."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from followup.core.vocabulary import Lane, Question, RequestOrigin
from followup.messages.events import Event, Per
from followup.services import planning
from followup.services.hearing import Hearing
from followup.services.knowledge import Knowledge
from followup.store.models import CommunicationRequest
from followup.store.queries import inbound as queries

MOST_REPLIES = 5  #: automatic replies an hour to one number (issue 2, item 6)
MOST_SAFETY = 20  #: safety texts an hour to one number (issue 2, item 6)
_HOUR = timedelta(hours=1)
#: Two answers to one text go one after the other, or a phone may show the next question above the answer.
_APART = timedelta(seconds=2)
#: A check-in's text that asks nothing itself; it does not count, as the check-in's questions do not.
_OF_CHECKIN = ("checkin_link",)
#: One hourly answer for both: which of the two goes out is a matter of the clinic's hours.
_TOGETHER = (("tier_routine", "tier_routine_office_closed"),)
#: How a person who has just said STOP is told so, and one whose number was wrong.
_CONFIRMS = frozenset(("auto_optout", "auto_optout_danger", "auto_wrong_number"))
#: What a blocked address still gets: the answer to its own HELP, and to a START that we cannot follow.
_PAST_BLOCK = _CONFIRMS | {"auto_help", "auto_start_refused"}


def say(
    hearing: Hearing,
    message_key: str,
    *,
    event: str | None = None,
    origin: RequestOrigin = RequestOrigin.REPLY,
    fields: Mapping[str, str] | None = None,
    asks: Question | None = None,
    message_keys: Sequence[str] | None = None,
) -> CommunicationRequest | None:
    """Write the answer and remember to ring; None where a limit, a block, or an earlier answer forbids it.

    `event` names the limit that holds. A safety text is only bound by its own hourly limit.
    """
    if hearing.is_blocked and message_key not in _PAST_BLOCK:
        return None
    if event is not None and is_spent(hearing, event):
        return None
    is_counted = asks is None and message_key not in (*_OF_CHECKIN, *_CONFIRMS)
    if is_counted and _is_flooded(hearing, origin):
        return None
    request = planning.reply(
        hearing.session,
        organization=hearing.organization,
        patient=hearing.patient,
        channel=hearing.channel,
        address=hearing.address,
        language=hearing.language,
        message_key=message_key,
        in_reply_to=hearing.communication,
        origin=origin,
        now=hearing.now,
        fields=fields,
        asks=asks,
        message_keys=message_keys,
        care_plan=hearing.care_plan,
        due_at=hearing.now + _APART * hearing.said,
    )
    if request is not None:
        hearing.lanes.add(Lane.STAT)
        hearing.said += 1
    return request


def safety(
    hearing: Hearing, message_key: str, *, fields: Mapping[str, str] | None = None
) -> CommunicationRequest | None:
    """Write the fixed answer to danger words: at any hour, whatever else is broken."""
    return say(hearing, message_key, origin=RequestOrigin.SAFETY, fields=fields)


def worded(hearing: Hearing, message_key: str) -> str:
    """Return the text or, after hours and where somebody is on call, its closed variant."""
    variant = hearing.knowledge.catalog.get(message_key).closed_variant
    if variant and hearing.organization.oncall_phone and not hearing.is_open_hours:
        return variant
    return message_key


def is_spent(hearing: Hearing, event: str) -> bool:
    """Tell whether the person had the texts of an event as often as its limit allows."""
    limit = hearing.knowledge.events.get(event).limit
    if limit.times is None or limit.per in (Per.EVENT, Per.CHECKIN, Per.HOLD, Per.VERSION):
        return False
    since = hearing.now - timedelta(hours=limit.per_hours) if limit.per_hours else None
    said = queries.count_said(
        hearing.session, hearing.organization.id, hearing.address, _keys(hearing.knowledge, event), since
    )
    return said >= limit.times


def in_turn(hearing: Hearing, event: str) -> str:
    """Return the event's next text: each time another, from the first again after the last."""
    keys = hearing.knowledge.events.get(event).message_keys
    said = queries.count_said(hearing.session, hearing.organization.id, hearing.address, keys, None)
    return keys[said % len(keys)]


def _keys(knowledge: Knowledge, name: str) -> list[str]:
    names = next((group for group in _TOGETHER if name in group), (name,))
    events: list[Event] = [knowledge.events.get(one) for one in names]
    return [key for event in events for key in event.message_keys]


def _is_flooded(hearing: Hearing, origin: RequestOrigin) -> bool:
    most = MOST_SAFETY if origin is RequestOrigin.SAFETY else MOST_REPLIES
    said = queries.count_replies(
        hearing.session,
        hearing.organization.id,
        hearing.address,
        origin,
        hearing.now - _HOUR,
        not_counted=_OF_CHECKIN,
    )
    return said >= most
