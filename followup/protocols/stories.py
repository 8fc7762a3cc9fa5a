"""Play a plan for imagined patients: every course, stopping early or not, with or without support texts.

The law: at most two texts a day, four hours apart, no question while another is open, nothing taught twice,
and what keeps people safe reaches everyone in time. Steps are the plan's `default_steps`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

from followup.core.vocabulary import Course, Fact
from followup.protocols.calendar import Placed, place, steps_on
from followup.protocols.definition import PlanDefinition

MessageFacts = Mapping[str, Mapping[str, Any]]

LAST_DAY = 42
#: Scheduled texts a day, after day 0; hours between two of them; texts in days 1-7 and in each later week.
MAX_PER_DAY, APART_MINUTES, FIRST_WEEK, LATER_WEEKS = 2, 240, 14, 10
#: Days on which an imagined patient stops; None takes to the end.
STOP_DAYS = (None, 0, 3, 4, 6, 7, 9, 10, 14, 21, 29)
#: What must reach every consenting patient, and the last day for it (reference 7.3; taxonomy).
REACH_BY: Mapping[str, int] = {
    "edu_too_much": 0,
    "edu_no_mix": 3,
    "edu_rescue_spray": 3,
    "edu_storage": 3,
    "edu_when_to_call": 5,
    "edu_mood": 11,
    "edu_tolerance": 14,
    "close_end": 42,
}
#: Days of the published check-ins (mission P1, P5, P8): each course asks about pain on them.
CHECKIN_DAYS = (4, 7, 14, 21, 28, 42)
#: Days after a step starts on which withdrawal is asked about: +24 h and +72 h (reference 2.2).
AFTER_STEP_DAYS = (1, 3)


@dataclass(frozen=True, slots=True)
class Story:
    """One imagined patient."""

    course: Course
    support: bool
    stops_on: int | None
    pills_left: bool

    def facts(self, day: int) -> Fact:
        """Return what is true of the patient on a day."""
        taking = self.stops_on is None or day <= self.stops_on
        facts = Fact.CONSENTED | (Fact.STILL_TAKING | Fact.TAPER_ACTIVE if taking else Fact.STOPPED)
        facts |= Fact.SUPPORT_ON if self.support else Fact(0)
        return facts | (Fact.PILLS_LEFT if self.pills_left else Fact(0))

    def __str__(self) -> str:
        """Return the story in words, for a fault."""
        stop = "takes to the end" if self.stops_on is None else f"stops on day {self.stops_on}"
        return f"{self.course}, {stop}"


def all_stories() -> Iterator[Story]:
    """Yield every imagined patient."""
    for course, support, stop, left in product(Course, (False, True), STOP_DAYS, (False, True)):
        yield Story(course, support, stop, left)


def placed_for(plan: PlanDefinition, course: Course, *, tapered: bool = True) -> tuple[Placed, ...]:
    """Return the plan laid out on the default steps of a course, or without any taper."""
    return place(plan, course, steps_on(plan.default_steps.get(course, ())) if tapered else ())


def received(placed: Sequence[Placed], story: Story) -> list[Placed]:
    """Return what a patient gets, in order."""
    return [one for one in placed if one.action.when in story.facts(one.day)]


def story_faults(plan: PlanDefinition, known: MessageFacts) -> list[str]:
    """Return every fault that some imagined patient would meet."""
    faults: list[str] = []
    for course, tapered in product(Course, (True, False)):
        placed = placed_for(plan, course, tapered=tapered)
        faults += course_faults(plan, course, placed)
        for story in all_stories():
            if story.course is course:
                faults += (
                    f"{plan.name}.toml: {story}: {fault}" for fault in _day_faults(placed, story, known)
                )
    return list(dict.fromkeys(faults))


def _day_faults(placed: Sequence[Placed], story: Story, known: MessageFacts) -> Iterator[str]:
    got = received(placed, story)
    days: dict[int, list[Placed]] = {}
    for one in got:
        days.setdefault(one.day, []).append(one)
    for day, sent in days.items():
        if day > 0:
            yield from _one_day(day, sent, known)
    yield from _week_faults(days)
    yield from _taught_twice(got)
    if story.support:
        yield from _support_order(got)


def _one_day(day: int, sent: Sequence[Placed], known: MessageFacts) -> Iterator[str]:
    names = " and ".join(one.action.id for one in sent)
    if len(sent) > MAX_PER_DAY:
        yield f"day {day}: {names}: over {MAX_PER_DAY} texts a day; move one"
    for one, after in pairwise(sent):
        gap = after.order[1] - one.order[1]
        if gap < APART_MINUTES:
            yield f"day {day}: {names}: under 4 hours apart; move one"
        asks = known[one.messages[0]]["asks"] and known[after.messages[0]]["asks"]
        if asks and gap < one.action.window_hours * 60:
            yield f"day {day}: {names}: two questions open at once; shorten a window or move one"


def _week_faults(days: Mapping[int, Sequence[Placed]]) -> Iterator[str]:
    for first in range(1, LAST_DAY, 7):
        count = sum(len(days.get(day, ())) for day in range(first, first + 7))
        most = FIRST_WEEK if first == 1 else LATER_WEEKS
        if count > most:
            yield f"days {first}-{first + 6}: {count} texts, over {most} a week; leave some out"


def _taught_twice(got: Sequence[Placed]) -> Iterator[str]:
    taught = Counter(
        key for one in got if one.action.kind in ("education", "support") for key in one.messages
    )
    for key, count in taught.items():
        if count > 1:
            yield f"{key} comes {count} times; once is enough"


def _support_order(got: Sequence[Placed]) -> Iterator[str]:
    series = [key for one in got for key in one.messages if key.startswith("support_k")]
    if series != sorted(set(series)) or len(series) != 6:
        yield "support texts must be support_k1 to support_k6, in order"


def course_faults(plan: PlanDefinition, course: Course, placed: Sequence[Placed]) -> Iterator[str]:
    """Yield what a course lacks: safety texts in time, published check-ins, questions around each step."""
    where = f"{plan.name}.toml: {course}:"
    for key, last in REACH_BY.items():
        if not any(key in one.messages and one.day <= last and _for_everyone(one) for one in placed):
            yield f"{where} {key} must reach everyone by day {last}"
    asked = {one.day for one in placed if one.action.kind == "checkin" and "ask_pain" in one.messages}
    for day in CHECKIN_DAYS:
        if day not in asked:
            yield f"{where} no check-in on day {day}; add one"
    yield from (f"{where} {fault}" for fault in _step_faults(placed))


def _for_everyone(one: Placed) -> bool:
    return one.action.when == Fact.CONSENTED


def _step_faults(placed: Sequence[Placed]) -> Iterator[str]:
    checkins = [one for one in placed if one.action.kind == "checkin"]
    for text in (one for one in placed if one.action.kind == "taper"):
        if not any(one.day == text.day and one.order < text.order for one in checkins):
            yield f"day {text.day}: no check-in that could hold the step"
        for days in AFTER_STEP_DAYS:
            day = text.day - text.action.offset_days + days
            if not any(one.day == day and "ask_withdrawal" in one.messages for one in checkins):
                yield f"no withdrawal question on day {day}, {24 * days} h after a step starts"


def summary(plan: PlanDefinition) -> list[str]:
    """Return how many texts each course gets, as lines for a person to read."""
    return [_course_line(plan, course) for course in Course]


def _course_line(plan: PlanDefinition, course: Course) -> str:
    def count(support: bool, stop: int | None, first: int = 0, last: int = LAST_DAY) -> int:
        got = received(placed_for(plan, course), Story(course, support, stop, pills_left=True))
        return sum(first <= one.day <= last for one in got)

    return (
        f"{course:5} taking to the end: {count(False, None)} texts, {count(True, None)} with support; "
        f"stopped on day 4: {count(False, 4)} / {count(True, 4)}; "
        f"days 1-7: {count(True, None, 1, 7)}, days 8-14: {count(True, None, 8, 14)}"
    )
