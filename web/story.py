"""Say what happened in the words of the interface guide: delivery, evidence, waiting, alerts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from markupsafe import Markup, escape

from followup.core.datafiles import load_toml
from followup.core.vocabulary import (
    AlertEventKind,
    AlertKind,
    CommunicationStatus,
    Delivery,
    RequestStatus,
    Tier,
)
from followup.services import paging
from followup.store.queries.worklist import Words

from .words import span

UNKNOWN_WORDS = "We do not know if it arrived. Not sent again."
#: What a text also was; said only where nothing else is to say.
_ASIDE = frozenset({"numeric", "ok", "help", "start", "stop", "question", "unintelligible"})
REPLY_FAILED = "The safety text could not be delivered. Call."


def staff_word(table: str, key: str) -> str:
    """Return what staff pages say for a word of the program's own; the word itself where no line says."""
    words: Mapping[str, str] = load_toml("web", "staff_words.toml")[table]
    return words.get(key) or key.replace("_", " ").replace("-", " ")


def at_tier(words: Iterable[Words], tier: Tier) -> list[str]:
    """Return the flags of the texts that made an alert what it is; of all where none is that grave."""
    told = list(words)
    grave = [flag for one in told if one.tier is tier for flag in one.flags]
    return grave or [flag for one in told for flag in one.flags]


def about(flags: Iterable[str]) -> str:
    """Return "words about breathing and a fall", or empty when nothing says what they are about."""
    order = list(load_toml("web", "staff_words.toml")["flags"])  # The taxonomy's: the gravest first.
    known = sorted(dict.fromkeys(flags), key=lambda flag: order.index(flag) if flag in order else len(order))
    told = [staff_word("flags", flag) for flag in known if flag not in _ASIDE] or [
        staff_word("flags", flag) for flag in known
    ]
    return f"words about {listed(told)}" if told else ""


def listed(parts: Sequence[str]) -> str:
    """Return "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]])) if parts else ""


def marked(body: str, evidence: Iterable[Mapping[str, Any]]) -> Markup:
    """Return the patient's words with the spans that counted marked; everything of the patient is escaped."""
    spans = sorted(
        (int(one["start"]), int(one["end"])) for one in evidence if "start" in one and "end" in one
    )
    inside = [False] * len(body)
    for start, end in spans:
        for index in range(max(0, start), min(end, len(body))):
            inside[index] = True
    edges = [0, *(i for i in range(1, len(body)) if inside[i] != inside[i - 1]), len(body)]
    out = Markup()
    for start, end in pairwise(edges):
        piece = escape(body[start:end])
        out += Markup("<mark>{}</mark>").format(piece) if inside[start] else piece
    return out


@dataclass(frozen=True)
class State:
    """What became of one text: a sign's name, and the words that carry the meaning."""

    kind: str
    words: str


def delivery(
    status: CommunicationStatus | None, came: Delivery | None, error_code: str | None, reason: str | None
) -> State:
    """Return what became of one attempt. Silence and not delivered are never the same words."""
    if status is CommunicationStatus.UNKNOWN:
        return State("unknown", UNKNOWN_WORDS)
    if status is CommunicationStatus.NOT_DONE:
        return State("failed", f"Not sent: {_why(error_code, reason)}.")
    if status is not CommunicationStatus.COMPLETED:
        return State("sending", "Sending")
    if came is Delivery.DELIVERED:
        return State("delivered", "Delivered")
    if came in {Delivery.UNDELIVERED, Delivery.FAILED}:
        return State("failed", f"Could not deliver: {_why(error_code, reason)}.")
    return State("sent", "Sent, no receipt yet")


def _why(error_code: str | None, reason: str | None) -> str:
    codes: Mapping[str, Mapping[str, str]] = load_toml("followup.providers", "twilio_codes.toml")
    if said := codes.get(error_code or "", {}).get("reason", ""):
        # Its first sentence, to stand behind a colon.
        first = said.partition(".")[0]
        return first[0].lower() + first[1:]
    return staff_word("not_sent", reason) if reason else "the carrier gave no reason"


def page_state(
    request: RequestStatus,
    status: CommunicationStatus | None,
    came: Delivery | None,
    error_code: str | None,
    reason: str | None,
) -> State:
    """Return what became of a page to staff, also of one that was never tried."""
    if status is not None:
        return delivery(status, came, error_code, reason)
    if request is RequestStatus.ACTIVE:
        return State("planned", "Waiting to go")
    if request is RequestStatus.REVOKED:
        return State("planned", "Not needed: someone has it")
    return (
        State("failed", "Not sent: its time passed.")
        if request is RequestStatus.EXPIRED
        else State("sending", "Sending")
    )


@dataclass(frozen=True)
class Wait:
    """How long somebody has waited, as the clock shows it: text, percent of the ring, plain, soon or late."""

    text: str
    percent: int
    state: str = ""


def wait(tier: Tier, since: datetime, now: datetime) -> Wait:
    """Return the clock of an alert that nobody has; the limit is its next page (5 and 30 minutes)."""
    waited = max(0.0, (now - since).total_seconds())
    limit = paging.REPEAT_MINUTES.get(tier, 0) * 60
    if not limit:
        return Wait(f"waits {span(waited)}", 0)
    if waited >= limit:
        return Wait(f"{span(max(60, waited - limit))} late", 100, "late")
    state = "soon" if waited >= 0.75 * limit else ""
    return Wait(f"{span(limit - waited)} left", int(100 * waited / limit), state)


_EVENTS: Mapping[AlertEventKind, str] = {
    AlertEventKind.TRIGGERED: "Alert {code} raised.",
    AlertEventKind.FLAG_ADDED: "Added to alert {code}.",
    AlertEventKind.RAISED: "Alert {code} became {tier}.",
    AlertEventKind.PAGED: "{people} paged about alert {code}.",
    AlertEventKind.ACKNOWLEDGED: "{who} has alert {code}.",
    AlertEventKind.PASSED_ON: "{who} passed alert {code} on.",
    AlertEventKind.TAKEN_OVER: "{who} took alert {code} over.",
    AlertEventKind.NOTE: "{who} added a note to alert {code}.",
    AlertEventKind.RESOLVED: "{who} closed alert {code}: {outcome}.",
}


def event(
    kind: AlertEventKind,
    *,
    code: str,
    who: str | None,
    detail: Mapping[str, Any],
    is_task: bool = False,
    task: str = "",
) -> str:
    """Return one sentence for one thing that happened to an alert."""
    if is_task and kind is AlertEventKind.TRIGGERED:
        return f"Task for staff: {staff_word('tasks', task)}"
    if "safety_reply" in detail:
        return REPLY_FAILED
    people = int(detail.get("people", 0))
    return _EVENTS[kind].format(
        code=code,
        who=who or "Followup",
        tier=detail.get("tier", "more serious"),
        people="One person was" if people == 1 else f"{people or 'No'} people were",
        outcome=staff_word("outcomes", str(detail.get("outcome", ""))).lower(),
    )


def why(kind: AlertKind, task: str, flags: Iterable[str], *, has_words: bool) -> str:
    """Return the line under an alert's words: what they are about, or what is asked of staff."""
    if kind is AlertKind.STAFF_TASK:
        return staff_word("tasks", task)
    if kind is AlertKind.UNKNOWN_SENDER:
        return "From a number of none of your patients."
    if kind is AlertKind.SHARED_PHONE:
        return "From a phone that several patients share. A person must say whose it is."
    told = about(flags)
    if told:
        return told[0].upper() + told[1:] + "."
    return "We could not read this. A person must." if has_words else ""
