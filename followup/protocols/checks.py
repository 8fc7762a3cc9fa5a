"""Law for plans: what a protocol file and the escalation ladders must keep before they ship.

What the law must know of the texts is handed in as plain data (`Catalog.facts()`): plans never read messages.
Ported from the clinical draft's checker; each fault says where, what is wrong and what to do.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations

from followup.core.vocabulary import CatchUp, Channel, Course, Fact, Tier
from followup.protocols.calendar import MAX_QUESTIONS
from followup.protocols.definition import (
    KINDS,
    POSITIONS,
    TAPER_STEP,
    Action,
    EscalationPolicy,
    PlanDefinition,
)
from followup.protocols.stories import LAST_DAY, MessageFacts, story_faults

#: Texts go out between these minutes of the patient's day (issue: 09:00-20:00).
OPENS, CLOSES = 9 * 60, 20 * 60
#: Two actions for one patient closer than this, in minutes, are a fault.
APART = 60
#: Kinds whose missed texts may only be treated in one way (content decision 4).
CATCH_UP: Mapping[str, CatchUp] = {
    "taper": CatchUp.ASK_STAFF,
    "checkin": CatchUp.SKIP,
    "support": CatchUp.SKIP,
    "disposal": CatchUp.SKIP,
}
#: Targets that an escalation step may name.
TARGETS = ("receives_pages",)
_EXCLUDE = (
    (Fact.STILL_TAKING, Fact.STOPPED),
    (Fact.CONSENT_PENDING, Fact.CONSENTED),
)


def check(
    definition: PlanDefinition,
    message_facts: MessageFacts,
    escalation: Mapping[Tier, EscalationPolicy],
) -> list[str]:
    """Return every fault of a plan and of the escalation ladders; an empty list is lawful."""
    faults = list(plan_faults(definition, message_facts))
    if not faults:  # only a plan whose actions are sound can be played
        faults += collision_faults(definition)
        faults += story_faults(definition, message_facts)
    return list(dict.fromkeys(faults + list(escalation_faults(escalation))))


def plan_faults(plan: PlanDefinition, known: MessageFacts) -> Iterator[str]:
    """Yield the faults of a plan's head and of each action."""
    file = f"{plan.name}.toml"
    if plan.anchor != "discharge_on":
        yield f"{file}: anchor {plan.anchor} is unknown; use discharge_on"
    if plan.version < 1:
        yield f"{file}: version {plan.version}; count versions from 1"
    ids = [action.id for action in plan.actions]
    for twice in sorted({one for one in ids if ids.count(one) > 1}):
        yield f"{file}: action {twice}: the id is used twice; give each action its own"
    for action in plan.actions:
        for fault in action_faults(action, known):
            yield f"{file}: action {action.id}: {fault}"


def collision_faults(plan: PlanDefinition) -> Iterator[str]:
    """Yield the pairs of actions that could reach one patient within an hour."""
    for one, other in combinations(plan.actions, 2):
        if collide(one, other):
            names = f"{one.id} and {other.id}"
            yield f"{plan.name}.toml: actions {names} may reach one patient within an hour; move one"


def action_faults(action: Action, known: MessageFacts) -> Iterator[str]:
    """Yield what is wrong with one action."""
    yield from _head_faults(action)
    yield from _time_faults(action)
    unknown = [key for key in action.all_messages if key not in known]
    if unknown:
        yield f"unknown message {', '.join(unknown)}; use a key of the catalogue"
    elif not action.all_messages:
        yield "no message; name at least one"
    else:
        yield from _message_faults(action, known)


def _head_faults(action: Action) -> Iterator[str]:
    if action.kind not in KINDS:
        yield f"kind {action.kind} is unknown; use one of {', '.join(KINDS)}"
    if not action.why.strip():
        yield "why is empty; say why the text goes out then"
    if not action.courses:
        yield "no course; name at least one"
    wanted = CATCH_UP.get(action.kind, action.catch_up)
    if action.catch_up is not wanted:
        yield f"catch_up {action.catch_up} does not fit {action.kind}; use {wanted}"
    if action.safety != (action.kind == "education" and action.catch_up is CatchUp.SEND_LATE):
        yield "safety marks education that is sent late, all of it and nothing else"


def _time_faults(action: Action) -> Iterator[str]:
    if action.each is None:
        yield from _fixed_faults(action)
    elif action.each != TAPER_STEP:
        yield f"each {action.each} is unknown; use {TAPER_STEP}"
    elif action.day is not None or not action.steps or not set(action.steps) <= set(POSITIONS):
        yield f"an action of each step has no day, and steps out of {', '.join(POSITIONS)}"
    if not re.fullmatch(r"enrol|after_yes|([01]\d|2[0-3]):[0-5]\d", action.at):
        yield f"at {action.at} is no time; use HH:MM, enrol or after_yes"
    elif not _in_window(action.minute, action.window_hours):
        yield "the window reaches outside 09:00-20:00; shorten it or move the text"
    elif action.minute is None and action.day != 0:
        yield f"at {action.at} is only for day 0"
    if action.morning and not _in_window(_minute(action.morning.at), action.morning.window_hours):
        yield "the morning window reaches outside 09:00-20:00; shorten it or move it"


def _fixed_faults(action: Action) -> Iterator[str]:
    if action.day is None or not 0 <= action.day <= LAST_DAY:
        yield f"day {action.day} is not within 0-{LAST_DAY}"
    if action.offset_days or action.morning or action.variants or action.steps != POSITIONS:
        yield f'offset_days, steps, variants and morning belong to each = "{TAPER_STEP}"'


def _minute(at: str) -> int:
    return int(at[:2]) * 60 + int(at[3:])


def _in_window(minute: int | None, hours: float) -> bool:
    if minute is None:
        return hours > 0
    return minute >= OPENS and hours > 0 and minute + hours * 60 <= CLOSES


def _message_faults(action: Action, known: MessageFacts) -> Iterator[str]:
    for key in action.all_messages:
        facts = known[key]
        if facts["default_off"] or facts["fragment"] or facts["audience"] != "patient":
            yield f"{key} may not be scheduled: it is off by default, a fragment, or not for patients"
    if action.stands_for_step and not _may_stand(action):
        yield "stands_for_step is for check-ins of one day that ask about withdrawal"
    by_kind = {"taper": _taper_faults, "checkin": _checkin_faults}
    if action.kind in by_kind:
        yield from by_kind[action.kind](action, known)
    elif action.kind not in ("consent", "education") and len(action.messages) != 1:
        yield f"a {action.kind} action sends one text"
    if action.kind == "support" and Fact.SUPPORT_ON not in action.when:
        yield "a support text needs support_on in when"


def _may_stand(action: Action) -> bool:
    return action.kind == "checkin" and action.each is None and "ask_withdrawal" in action.messages


def _taper_faults(action: Action, known: MessageFacts) -> Iterator[str]:
    if action.when & (needed := Fact.TAPER_ACTIVE | Fact.STILL_TAKING) != needed:
        yield "a step text needs still_taking and taper_active in when"
    if action.each != TAPER_STEP or set(action.variants or {}) != set(POSITIONS) or action.messages:
        yield "a step text is sent for each taper_step, with variants first, next and last"
    if action.offset_days != -1:
        yield "a step text goes out on the evening before: offset_days = -1"
    if action.morning is None or any(not known[key]["today_variant"] for key in action.all_messages):
        yield "a step text needs a morning, and a today_variant of each of its texts"
    if any(known[key]["asks"] != "taper" for key in action.all_messages):
        yield "a step text asks taper"
    if Course.PRN in action.courses:
        yield "PRN gets no taper"


def _checkin_faults(action: Action, known: MessageFacts) -> Iterator[str]:
    asks = [known[key]["asks"] for key in action.messages if known[key]["asks"]]
    if not known[action.messages[0]]["asks"]:
        yield "the first text of a check-in must ask"
    for twice in sorted({one for one in asks if asks.count(one) > 1}):
        yield f"{twice} is asked twice; ask it once"
    for key in action.messages:
        if not (known[key]["asks"] or key == "checkin_link" or key.startswith("ask_peg")):
            yield f"{key} is no question; a check-in holds questions only"
    yield from _room_faults(action.messages, known)


def _room_faults(keys: tuple[str, ...], known: MessageFacts) -> Iterator[str]:
    cut = keys.index("checkin_link") if "checkin_link" in keys else len(keys)
    if cut > MAX_QUESTIONS or (cut < len(keys) and cut != 1):
        yield f"at most {MAX_QUESTIONS} questions by SMS, or 1 and the link"
    for channel, part in ((Channel.SMS, keys[:cut]), (Channel.WEB, keys[cut + 1 :])):
        if strangers := [key for key in part if channel not in known[key]["channels"]]:
            yield f"{', '.join(strangers)} does not go by {channel}; move it"


def collide(one: Action, other: Action) -> bool:
    """Say whether two fixed actions could reach one patient within an hour of each other."""
    if one.day is None or one.day != other.day or one.minute is None or other.minute is None:
        return False
    near = abs(one.minute - other.minute) < APART
    return near and bool(set(one.courses) & set(other.courses)) and not exclude(one.when, other.when)


def exclude(one: Fact, other: Fact) -> bool:
    """Say whether two conditions can never both hold."""
    return any((a in one and b in other) or (b in one and a in other) for a, b in _EXCLUDE)


def escalation_faults(escalation: Mapping[Tier, EscalationPolicy]) -> Iterator[str]:
    """Yield what is wrong with the ladders: each tier needs one, and danger pages at once by both roads."""
    for tier in (Tier.EMERGENCY, Tier.URGENT, Tier.ROUTINE):
        policy = escalation.get(tier)
        if policy is None:
            yield f"escalation.toml: no policy for {tier}; add one"
            continue
        for fault in _policy_faults(policy):
            yield f"escalation.toml: {tier}: {fault}"


def _policy_faults(policy: EscalationPolicy) -> Iterator[str]:
    yield from (f"targets {one.targets} is unknown" for one in policy.steps if one.targets not in TARGETS)
    delays = [step.delay_minutes for step in policy.steps]
    if delays != sorted(delays):
        yield "steps must come in the order of their delays"
    if policy.tier is Tier.ROUTINE:
        return
    first = policy.steps[0] if policy.steps else None
    if first is None or first.delay_minutes != 0 or {*first.channels} != {Channel.SMS, Channel.EMAIL}:
        yield "step 1 must page at once, by sms and email"


def used_messages(plans: Iterable[PlanDefinition]) -> frozenset[str]:
    """Return every message key that some plan can send; hand it to `messages.lint.check` as `scheduled`."""
    return frozenset(key for plan in plans for action in plan.actions for key in action.all_messages)
