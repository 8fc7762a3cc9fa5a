"""Lay a plan on the days of a course: fixed actions, and those that follow each step of an approved taper.

Days count from the anchor, as in the plan; which day is which date, in which zone, is not asked here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from followup.core.vocabulary import Course
from followup.protocols.definition import TAPER_STEP, Action, PlanDefinition

_LINK = "checkin_link"
#: Questions of one check-in by SMS (content decision 3).
MAX_QUESTIONS = 3


@dataclass(frozen=True, slots=True)
class Step:
    """A taper step: the course day on which it starts, and its position (first, next or last)."""

    day: int
    position: str


@dataclass(frozen=True, slots=True)
class Placed:
    """An action on a day, its messages in order; `step` is the index of its taper step, or None."""

    action: Action
    day: int
    messages: tuple[str, ...]
    step: int | None = None

    @property
    def occurrence(self) -> str:
        """Return what tells apart two placings of one action in a plan."""
        return "once" if self.step is None else f"step{self.step + 1}"

    @property
    def order(self) -> tuple[int, int]:
        """Return day and minute for sorting; enrolment and consent come first in their day."""
        return self.day, -1 if self.action.minute is None else self.action.minute


def steps_on(days: Sequence[int], *, ends_at_zero: bool = True) -> tuple[Step, ...]:
    """Return steps for their start days; the last one is `last` only if the taper ends at 0 pills."""
    return tuple(Step(day, _position(index, len(days), ends_at_zero)) for index, day in enumerate(days))


def _position(index: int, count: int, ends_at_zero: bool) -> str:
    if index == count - 1 and ends_at_zero:
        return "last"
    return "first" if index == 0 else "next"


def place(plan: PlanDefinition, course: Course, steps: Sequence[Step] = ()) -> tuple[Placed, ...]:
    """Return every action of a course in order of time, conditions not yet asked.

    With steps (an approved taper) the check-ins that stand for default steps are left out and each step's
    own actions take over; its questions are folded into a check-in of the same day where there is one.
    """
    return _place(plan, course, tuple(steps))


@lru_cache(maxsize=1024)  # most patients share the default steps, and ten thousand may be planned at once
def _place(plan: PlanDefinition, course: Course, steps: tuple[Step, ...]) -> tuple[Placed, ...]:
    mine = [action for action in plan.actions if course in action.courses]
    if not any(action.each for action in mine):
        steps = ()  # a course without tapers keeps its fixed questions
    fixed = [
        _fixed(action) for action in mine if action.each is None and not (steps and action.stands_for_step)
    ]
    placed = fixed
    for one in sorted(_stepwise(mine, steps), key=lambda one: one.order):
        placed = _fold_in(placed, one) if one.action.kind == "checkin" else [*placed, one]
    return tuple(sorted(placed, key=lambda one: (one.order, one.action.rank)))


def _fixed(action: Action) -> Placed:
    return Placed(action, action.day or 0, action.messages)


def _stepwise(actions: Sequence[Action], steps: Sequence[Step]) -> list[Placed]:
    return [
        Placed(action, step.day + action.offset_days, action.messages_for(step.position), index)
        for index, step in enumerate(steps)
        for action in actions
        if action.each == TAPER_STEP and step.position in action.steps
    ]


def _fold_in(placed: list[Placed], guest: Placed) -> list[Placed]:
    """Return the list with a check-in added, or its questions asked by the check-in of that day."""
    for index, host in enumerate(placed):
        if host.day == guest.day and host.action.kind == "checkin":
            return [*placed[:index], _merged(host, guest), *placed[index + 1 :]]
    return [*placed, guest]


def _merged(host: Placed, guest: Placed) -> Placed:
    """Return the host asking for both, on the facts both need; of two steps the later one leads."""
    first, second = (host, guest) if host.step is None else (guest, host)
    action = replace(host.action, when=host.action.when & guest.action.when)
    return replace(host, action=action, messages=fold_questions(first.messages, second.messages))


def fold_questions(host: tuple[str, ...], guest: tuple[str, ...]) -> tuple[str, ...]:
    """Return the host's questions with the guest's missing ones added.

    Behind a link there is room for all; by SMS the host's last questions that the guest lacks give way.
    """
    missing = [key for key in guest if key not in host]
    kept = list(host)
    while _LINK not in kept and len(kept) + len(missing) > MAX_QUESTIONS:
        own = [key for key in kept if key not in guest]
        kept.remove(own[-1])
    return (*kept, *missing)
