"""What a plan is: actions with a day, a time, a window, texts and conditions; and the escalation ladders."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from followup.core.errors import ContentError
from followup.core.vocabulary import CatchUp, Channel, Course, Fact, Priority, Tier

#: Kinds of action.
KINDS = ("consent", "education", "checkin", "taper", "support", "disposal", "close")
#: Where a step stands in its taper.
POSITIONS = ("first", "next", "last")
#: The words of `at` that are no clock time: when the patient is enrolled, and when they have said yes.
AT_WORDS = ("enrol", "after_yes")
TAPER_STEP = "taper_step"

_ACTION_KEYS = frozenset({
    "id", "kind", "day", "at", "window_hours", "messages", "courses", "when", "catch_up", "why", "safety",
    "stands_for_step", "each", "offset_days", "steps", "variants", "morning",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Morning:
    """When staff may release the morning text of a step whose evening text was missed: HH:MM and hours."""

    at: str
    window_hours: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing to send: on a `day` of the course, or `offset_days` from the start of each taper step."""

    id: str
    kind: str
    at: str
    window_hours: float
    messages: tuple[str, ...]
    courses: tuple[Course, ...]
    when: Fact
    catch_up: CatchUp
    why: str
    day: int | None = None
    each: str | None = None
    offset_days: int = 0
    steps: tuple[str, ...] = POSITIONS
    variants: Mapping[str, str] | None = None
    morning: Morning | None = None
    safety: bool = False
    stands_for_step: bool = False

    @property
    def minute(self) -> int | None:
        """Return minutes after local midnight, or None for `enrol` and `after_yes`."""
        if self.at in AT_WORDS:
            return None
        hours, minutes = self.at.split(":")
        return int(hours) * 60 + int(minutes)

    @property
    def rank(self) -> int:
        """Return the place in the daily cap: check-in 1, taper 2, safety education 3, rest 4."""
        by_kind = {"checkin": 1, "taper": 2}
        return by_kind.get(self.kind, 3 if self.safety and self.kind == "education" else 4)

    def messages_for(self, position: str | None) -> tuple[str, ...]:
        """Return the message keys, in order, for a step at a position (None: not a step action)."""
        if self.variants is None or position is None:
            return self.messages
        return tuple(key for at, key in self.variants.items() if at == position)

    @property
    def all_messages(self) -> tuple[str, ...]:
        """Return every message key the action can send."""
        return self.messages + tuple((self.variants or {}).values())


@dataclass(frozen=True, slots=True, eq=False)
class PlanDefinition:
    """A protocol file: its name, version and digest (SHA-256 of the file) are stored with every plan made."""

    name: str
    title: str
    version: int
    digest: str
    anchor: str
    actions: tuple[Action, ...]
    default_steps: Mapping[Course, tuple[int, ...]]

    def action(self, action_id: str) -> Action:
        """Return an action by id; ContentError if there is none."""
        for action in self.actions:
            if action.id == action_id:
                return action
        raise ContentError(f"{self.name}.toml: no action {action_id}")


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """One rung: after `delay_minutes` from the alert, tell the targets by these channels."""

    number: int
    delay_minutes: int
    targets: str
    channels: tuple[Channel, ...]


@dataclass(frozen=True, slots=True)
class EscalationPolicy:
    """Who is told about an alert of a tier; no steps means that it only waits in the worklist."""

    tier: Tier
    priority: Priority
    steps: tuple[EscalationStep, ...]
    why: str


def _facts(names: list[str]) -> Fact:
    """Return the facts that must hold; all but an open invitation need the patient's yes, said or not."""
    facts = Fact(0)
    for name in names:
        facts |= Fact[name.upper()]
    return facts if Fact.CONSENT_PENDING in facts else facts | Fact.CONSENTED


def _optional(raw: Mapping[str, Any]) -> dict[str, Any]:
    given = {key: raw[key] for key in ("day", "each", "offset_days", "variants", "safety") if key in raw}
    if "steps" in raw:
        given["steps"] = tuple(raw["steps"])
    if "morning" in raw:
        given["morning"] = Morning(**raw["morning"])
    return {**given, "stands_for_step": raw.get("stands_for_step", False)}


def _action(raw: Mapping[str, Any]) -> Action:
    if unknown := sorted(set(raw) - _ACTION_KEYS):
        raise ValueError(f"unknown keys: {', '.join(unknown)}")
    return Action(
        id=raw["id"],
        kind=raw["kind"],
        at=raw["at"],
        window_hours=float(raw["window_hours"]),
        messages=tuple(raw.get("messages", ())),
        courses=tuple(Course(one) for one in raw["courses"]),
        when=_facts(raw["when"]),
        catch_up=CatchUp(raw["catch_up"]),
        why=raw["why"],
        **_optional(raw),
    )


def action_from(raw: Mapping[str, Any], file: str) -> Action:
    """Build an action from its table; ContentError names file, action and what is wrong."""
    where = f"{file}: action {raw.get('id', '(without id)')}"
    try:
        return _action(raw)
    except KeyError as missing:
        raise ContentError(f"{where}: {missing.args[0]} is missing or not a known word") from missing
    except (ValueError, TypeError) as wrong:
        raise ContentError(f"{where}: {wrong}") from wrong


def plan_from(name: str, raw: Mapping[str, Any], digest: str) -> PlanDefinition:
    """Build a plan from the mapping of its file; ContentError names the file and action at fault."""
    file = f"{name}.toml"
    try:
        return PlanDefinition(
            name=name,
            title=raw["title"],
            version=raw["version"],
            digest=digest,
            anchor=raw["anchor"],
            actions=tuple(action_from(one, file) for one in raw["action"]),
            default_steps={Course(key): tuple(days) for key, days in raw.get("default_steps", {}).items()},
        )
    except KeyError as missing:
        raise ContentError(f"{file}: {missing.args[0]} is missing") from missing
    except ValueError as wrong:
        raise ContentError(f"{file}: {wrong}") from wrong


def _step(number: int, raw: Mapping[str, Any]) -> EscalationStep:
    channels = tuple(Channel(one) for one in raw["channels"])
    return EscalationStep(number, raw["delay_minutes"], raw["targets"], channels)


def policy_from(tier: str, raw: Mapping[str, Any]) -> EscalationPolicy:
    """Build the policy of a tier from its table; ContentError names the tier and what is wrong."""
    try:
        steps = tuple(_step(number, one) for number, one in enumerate(raw.get("step", ()), start=1))
        return EscalationPolicy(Tier(tier), Priority(raw["priority"]), steps, raw["why"])
    except KeyError as missing:
        raise ContentError(f"escalation.toml: {tier}: {missing.args[0]} is missing") from missing
    except ValueError as wrong:
        raise ContentError(f"escalation.toml: {tier}: {wrong}") from wrong
