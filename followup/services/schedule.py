"""Lay a protocol on one patient's calendar: which text, on which day, in which window, under which facts.

Pure arithmetic over values (no session): the preview before enrolment and the rows after consent come from
here, so that staff are shown exactly what the patient will get.
"""

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Any

from followup.clinical import timing
from followup.core.vocabulary import CatchUp, Channel, Course, Fact, Language, Question
from followup.messages.catalog import Catalog
from followup.protocols.calendar import Placed, Step, place
from followup.protocols.definition import Action, PlanDefinition
from followup.services.wording import day_label, units_label

PER_DAY = 2  #: reference 9.3 [J]: scheduled texts a day, replies not counted
FIRST_WEEK = 14  #: reference 9.3 [J]: days 1-7
LATER_WEEK = 10  #: reference 9.3 [J]: days 8-14, 15-21 and so on
EVENING = time(17)  #: the protocol's hour for everything that is no check-in
_STEP_TEXT_HOURS = 3
LAST_DAY = 42  #: the course: six weeks after discharge
_EITHER = Fact.STILL_TAKING | Fact.STOPPED
_WORLDS = (Fact.STILL_TAKING, Fact.STOPPED)  # a patient is in one of them; texts of the other take no room
_TAPER_START = "taper_start"
_NOON = time(13)
_TAPER = 2  # ranks of the protocol: 1 check-in, 2 taper, 3 safety education, 4 the rest
_AFTER_SAFETY = 4  # the word that a taper was approved; the rest comes after it


@dataclass(frozen=True)
class LevelStep:
    """One step of a taper as the calendar needs it: the local day it starts, and the day's most pills."""

    starts_on: date
    max_units: Decimal


@dataclass(frozen=True)
class Terms:
    """One patient's terms: what decides which texts fall on which day.

    Terms are equal when the same calendar follows from them; what has happened since does not count.
    """

    course: Course
    discharge_on: date
    time_zone: str
    language: Language
    channel: Channel
    support: bool
    hide_numbers: bool = False
    steps: tuple[LevelStep, ...] = ()
    taper_version: int | None = None
    #: The taper is approved and the patient has not been told yet.
    announce_taper: bool = field(default=False, compare=False)
    #: Scheduled texts that already went, by local day.
    occupied: Mapping[date, int] = field(default_factory=dict, compare=False)
    #: (action, occurrence) of every text that went or ended unsent: none of them is planned again.
    done: frozenset[tuple[str, str]] = field(default=frozenset(), compare=False)


@dataclass(frozen=True)
class PlannedText:
    """One dated text that a patient would get."""

    action_id: str
    occurrence: str
    kind: str
    message_key: str
    message_keys: tuple[str, ...]
    asks: Question | None
    local_on: date
    window: timing.Window
    requires: Fact
    is_safety: bool
    catch_up: CatchUp
    rank: int
    fields: Mapping[str, str] = field(default_factory=dict)
    step_index: int | None = None  #: Which step of the taper, for a step's own text.

    @cached_property
    def worlds(self) -> tuple[Fact, ...]:
        """Return the worlds in which it could go."""
        return tuple(world for world in _WORLDS if not self.requires & _EITHER & ~world)

    @cached_property
    def is_catch_up(self) -> bool:
        """Tell whether it goes out even when its day has passed: safety education for everybody."""
        return self.is_safety and self.kind == "education" and Fact.STILL_TAKING not in self.requires

    @cached_property
    def columns(self) -> Mapping[str, Any]:
        """Return what a row of it holds beside what its patient's rows share."""
        return {
            "message_key": self.message_key,
            "message_keys": self.message_keys,
            "fields": self.fields,
            "asks": self.asks,
            "requires": int(self.requires),
            "is_safety": self.is_safety,
            "catch_up": self.catch_up,
            "action_id": self.action_id,
            "occurrence": self.occurrence,
            "taper_step_id": None,
            "due_at": self.window.due_at,
            "expires_at": self.window.expires_at,
            "next_attempt_at": self.window.due_at,
        }

    @cached_property
    def key(self) -> tuple[str, str]:
        """Return what tells this text from every other of its plan."""
        return self.action_id, self.occurrence


@dataclass(frozen=True)
class Schedule:
    """What goes out, in order of time, and what the cap leaves out."""

    texts: tuple[PlannedText, ...]
    left_out: tuple[PlannedText, ...]


def lay_out(plan: PlanDefinition, terms: Terms, *, catalog: Catalog, now: datetime) -> Schedule:
    """Return the patient's schedule from `now` on.

    A start after day 0 begins at today's day; safety texts whose day has passed come first, one an evening,
    and push the later ones on. The cap is kept for each world (still taking pills, or stopped) on its own.
    """
    calendar = _calendar(plan, terms, catalog)
    dated = [text for text in calendar if text.window.expires_at > now or text.is_catch_up]
    wanted = [text for text in (*dated, *_announcement(terms, now)) if text.key not in terms.done]
    last = terms.discharge_on + timedelta(days=LAST_DAY)
    late = [text for text in wanted if text.local_on > last]  # after the notice that nobody texts any more
    placed, lost = _safety_in_turn([text for text in wanted if text.local_on <= last], terms, now)
    schedule = _capped(placed, terms)
    return replace(schedule, left_out=(*schedule.left_out, *lost, *late))


@lru_cache(
    maxsize=2_048
)  # patients of one day, course and zone share it, and thousands may be planned at once
def _calendar(plan: PlanDefinition, terms: Terms, catalog: Catalog) -> tuple[PlannedText, ...]:
    days = [
        Step((step.starts_on - terms.discharge_on).days, _position(n, terms))
        for n, step in enumerate(terms.steps)
    ]
    return tuple(
        _text(placed, terms, catalog)
        for placed in place(plan, terms.course, days)
        if _is_scheduled(placed.action, terms)
    )


def _is_scheduled(action: Action, terms: Terms) -> bool:
    """Tell whether an action is ours to date.

    Not the invitation, not the answers to a yes, support only if wanted.
    """
    if action.minute is None or Fact.CONSENT_PENDING in action.when:
        return False
    return terms.support or Fact.SUPPORT_ON not in action.when


def _position(index: int, terms: Terms) -> str:
    if index == len(terms.steps) - 1 and terms.steps[index].max_units == 0:
        return "last"
    return "first" if index == 0 else "next"


def _text(placed: Placed, terms: Terms, catalog: Catalog) -> PlannedText:
    action, on = placed.action, terms.discharge_on + timedelta(days=placed.day)
    is_step_text = placed.step is not None and action.kind == "taper"
    keys = _keys(placed.messages, terms, catalog, by_link=action.kind == "checkin")
    occurrence = placed.occurrence if placed.step is None else f"v{terms.taper_version}.{placed.step + 1}"
    asks = catalog.get(keys[0]).asks
    return PlannedText(
        action_id=action.id,
        occurrence=occurrence,
        kind=action.kind,
        message_key=keys[0],
        message_keys=keys,
        asks=Question(asks) if asks else None,
        local_on=on,
        window=timing.due(on, _wall(action), int(action.window_hours), terms.time_zone),
        requires=action.when,
        is_safety=action.safety,
        catch_up=action.catch_up,
        rank=action.rank if action.rank < _AFTER_SAFETY else _AFTER_SAFETY + 1,
        fields=_fields(keys, terms, catalog, placed.step if is_step_text else None),
        step_index=placed.step if is_step_text else None,
    )


def _wall(action: Action) -> time:
    minute = action.minute or 0
    return time(minute // 60, minute % 60)


def _keys(keys: Sequence[str], terms: Terms, catalog: Catalog, *, by_link: bool) -> tuple[str, ...]:
    if by_link and terms.channel is Channel.EMAIL:
        return ("checkin_link_only", *keys)
    first = catalog.get(keys[0])
    if terms.hide_numbers and first.hidden_variant:
        return (first.hidden_variant, *keys[1:])
    return tuple(keys)


def _fields(keys: Sequence[str], terms: Terms, catalog: Catalog, step: int | None) -> dict[str, str]:
    """Return the values of the places that the plan itself fills: a step's level and date, the last day."""
    asked = {name for key in keys for name in catalog.get(key).fields}
    filled: dict[str, str] = {}
    if "end_date" in asked:
        filled["end_date"] = day_label(terms.discharge_on + timedelta(days=LAST_DAY), terms.language)
    if step is not None:
        level = terms.steps[step]
        filled |= {"n": units_label(level.max_units), "step_date": day_label(level.starts_on, terms.language)}
    return filled


def _announcement(terms: Terms, now: datetime) -> Iterator[PlannedText]:
    """Yield the text that says a plan was made (event plan_approved), once for each day that it could go on.

    The cap keeps the first day with room, before the evening of the first step.
    """
    if not terms.announce_taper:
        return
    opens = timing.next_opening(now, terms.time_zone)
    on = timing.local_date(opens, terms.time_zone)
    while on < terms.steps[0].starts_on:
        yield PlannedText(
            action_id=_TAPER_START,
            occurrence=f"v{terms.taper_version}",
            kind="taper",
            message_key=_TAPER_START,
            message_keys=(_TAPER_START,),
            asks=None,
            local_on=on,
            window=timing.next_window(opens, _STEP_TEXT_HOURS, terms.time_zone),
            requires=Fact.CONSENTED | Fact.TAPER_ACTIVE,
            is_safety=False,
            catch_up=CatchUp.SKIP,
            rank=_AFTER_SAFETY,
        )
        on += timedelta(days=1)
        opens = timing.due(on, _NOON, _STEP_TEXT_HOURS, terms.time_zone).due_at


def _safety_in_turn(
    texts: list[PlannedText], terms: Terms, now: datetime
) -> tuple[list[PlannedText], list[PlannedText]]:
    """Return the texts with the safety education in a queue, and what of it finds no evening any more.

    Missed ones first, one an evening, never beside the text of a step: that one would take its minute.
    """
    safety = [text for text in texts if text.is_catch_up]
    queue = deque(text for text in safety if text.window.expires_at <= now)
    taken = {text.local_on for text in texts if text.rank == _TAPER and text.window.expires_at > now}
    today = timing.local_date(now, terms.time_zone)
    placed = [text for text in texts if not text.is_catch_up]
    for day in range((terms.discharge_on + timedelta(days=LAST_DAY) - today).days + 1):
        on = today + timedelta(days=day)
        queue.extend(text for text in safety if text.local_on == on and text.window.expires_at > now)
        window = timing.due(on, EVENING, _STEP_TEXT_HOURS, terms.time_zone)
        if queue and on not in taken and window.expires_at > now:
            text = queue.popleft()
            placed.append(text if text.local_on == on else replace(text, local_on=on, window=window))
    return placed, list(queue)


class _Room:
    """Count what is taken, in each world on its own.

    Texts a day, texts a week, and the minutes they go at.
    """

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._days: Counter[tuple[Fact, date]] = Counter()
        self._weeks: Counter[tuple[Fact, int]] = Counter()
        self._minutes: set[tuple[Fact, datetime]] = set()
        for on, count in terms.occupied.items():
            for world in _WORLDS:
                self._days[world, on] += count
                self._weeks[world, self._week(on)] += count * (on > self._terms.discharge_on)

    def take(self, text: PlannedText) -> bool:
        """Take the text's place; False if there is none in a world where it could go."""
        on, minute = text.local_on, text.window.due_at
        week, counts = self._week(on), on > self._terms.discharge_on
        most = LATER_WEEK if week else FIRST_WEEK
        for world in text.worlds:
            full = self._days[world, on] >= PER_DAY or (counts and self._weeks[world, week] >= most)
            if full or (world, minute) in self._minutes:
                return False
        for world in text.worlds:
            self._days[world, on] += 1
            self._weeks[world, week] += counts
            self._minutes.add((world, minute))
        return True

    def _week(self, on: date) -> int:
        """Return 0 for days 1-7 of the course, 1 for days 8-14, and so on; day 0 is counted apart."""
        return max(0, (on - self._terms.discharge_on).days - 1) // 7


def _capped(texts: list[PlannedText], terms: Terms) -> Schedule:
    room = _Room(terms)
    kept: dict[tuple[str, str], PlannedText] = {}
    left_out: dict[tuple[str, str], PlannedText] = {}
    for text in sorted(texts, key=lambda one: (one.rank, one.window.due_at)):
        if text.key in kept or not room.take(text):
            left_out.setdefault(text.key, text)
        else:
            kept[text.key] = text
    lost = [text for key, text in left_out.items() if key not in kept]
    return Schedule(tuple(sorted(kept.values(), key=_by_time)), tuple(sorted(lost, key=_by_time)))


def _by_time(text: PlannedText) -> tuple[datetime, int]:
    return text.window.due_at, text.rank
