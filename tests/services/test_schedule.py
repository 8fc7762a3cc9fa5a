"""The calendar of one patient: the right texts, on the right local days, never too many, never at night."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from followup.clinical.timing import local_to_utc
from followup.core.vocabulary import Channel, Course, Fact, Language, Question
from followup.services.knowledge import load_knowledge
from followup.services.schedule import LevelStep, Terms, lay_out

KNOWLEDGE = load_knowledge()
PLAN = KNOWLEDGE.protocols["default"]
NEW_YORK = "America/New_York"
TUESDAY = date(2026, 6, 2)
WORLDS = {Fact.STILL_TAKING: Fact.STOPPED, Fact.STOPPED: Fact.STILL_TAKING}


def steps(*days: int, on: date = TUESDAY) -> tuple[LevelStep, ...]:
    """Return a taper that steps down on these days of the course and ends at 0."""
    return tuple(
        LevelStep(on + timedelta(days=day), Decimal(len(days) - 1 - n)) for n, day in enumerate(days)
    )


def terms(course: Course = Course.SHORT, on: date = TUESDAY, **over) -> Terms:
    """Return the terms of a patient who steps down on the course's default days."""
    default = steps(*PLAN.default_steps.get(course, ()), on=on)
    values = {
        "course": course,
        "discharge_on": on,
        "time_zone": NEW_YORK,
        "language": Language.EN,
        "channel": Channel.SMS,
        "support": True,
        "steps": default,
        "taper_version": 1 if default else None,
        **over,
    }
    return Terms(**values)


def at(day: int, hour: int, minute: int = 0, *, mine: Terms) -> datetime:
    """Return the instant of a wall time on a day of the course."""
    wall = datetime.combine(mine.discharge_on + timedelta(days=day), time(hour, minute))
    return local_to_utc(wall, mine.time_zone)


def laid(mine: Terms, now: datetime | None = None):
    return lay_out(PLAN, mine, catalog=KNOWLEDGE.catalog, now=now or at(0, 9, mine=mine))


def wall(moment: datetime, mine: Terms) -> datetime:
    return moment.astimezone(ZoneInfo(mine.time_zone)).replace(tzinfo=None)


def got(schedule, *facts: Fact):
    """Return the texts of a patient of whom these facts hold."""
    true = Fact.CONSENTED | Fact.SUPPORT_ON | Fact.PILLS_LEFT | Fact.TAPER_ACTIVE
    for fact in facts:
        true |= fact
    return [text for text in schedule.texts if text.requires in true]


def keys(texts) -> list[str]:
    return [text.message_key for text in texts]


# --- how many (content notes: "Days 1-42 and day 0 together"; the answers to YES are one action of them) ---


@pytest.mark.parametrize(
    ("course", "support", "texts"),
    [
        (Course.SHORT, False, 36),
        (Course.SHORT, True, 43),
        (Course.LONG, False, 42),
        (Course.LONG, True, 49),
        (Course.PRN, False, 33),
        (Course.PRN, True, 40),
    ],
)
@pytest.mark.parametrize("weekday", [0, 3, 5])
def test_a_course_holds_as_many_texts_as_the_content_notes_say(course, support, texts, weekday):
    mine = terms(course, TUESDAY + timedelta(days=weekday), support=support)
    schedule = laid(mine)
    assert schedule.left_out == ()
    assert len(got(schedule, Fact.STILL_TAKING)) == texts - 1
    assert keys(got(schedule, Fact.STILL_TAKING)).count("close_end") == 1


@pytest.mark.parametrize(("course", "texts"), [(Course.SHORT, 27), (Course.LONG, 27), (Course.PRN, 26)])
def test_a_patient_who_stops_on_day_4_gets_fewer(course, texts):
    mine = terms(course, support=False)
    schedule = laid(mine)
    before = [one for one in got(schedule, Fact.STILL_TAKING) if (one.local_on - TUESDAY).days <= 4]
    after = [one for one in got(schedule, Fact.STOPPED) if (one.local_on - TUESDAY).days > 4]
    assert len(before) + len(after) == texts - 1


def test_neither_invitation_nor_answers_to_a_yes_are_scheduled():
    planned = {key for text in laid(terms()).texts for key in text.message_keys}
    assert not planned & {"consent_invite", "consent_reminder", "auto_optin", "edu_who_reads"}


# --- steps of a taper ---


@pytest.mark.parametrize("course", [Course.SHORT, Course.LONG])
def test_a_step_is_texted_at_17_of_the_evening_before_with_its_level_and_date(course):
    mine = terms(course)
    texts = [text for text in laid(mine).texts if text.step_index is not None]
    assert keys(texts) == ["taper_first", "taper_next", "taper_next", "taper_last"]
    for text, step in zip(texts, mine.steps, strict=True):
        assert wall(text.window.due_at, mine) == datetime.combine(
            step.starts_on - timedelta(days=1), time(17)
        )
        assert text.fields["n"] == str(step.max_units)
        assert str(step.starts_on.day) in text.fields["step_date"]
        assert text.requires == Fact.CONSENTED | Fact.STILL_TAKING | Fact.TAPER_ACTIVE
    assert [text.occurrence for text in texts] == ["v1.1", "v1.2", "v1.3", "v1.4"]


def test_the_withdrawal_questions_follow_the_step_a_day_and_three_days_later():
    mine = terms(Course.LONG, steps=steps(9, 17, 23))
    asking = {
        text.local_on for text in got(laid(mine), Fact.STILL_TAKING) if "ask_withdrawal" in text.message_keys
    }
    for step in mine.steps:
        assert step.starts_on + timedelta(days=1) in asking
        assert step.starts_on + timedelta(days=3) in asking


def test_questions_that_stand_for_default_steps_give_way_to_the_approved_ones():
    with_steps = laid(terms(Course.LONG, steps=steps(12, 20, 28)))
    without = laid(terms(Course.LONG, steps=(), taper_version=None))
    assert {"C9", "C11"} <= {text.action_id for text in without.texts}
    assert not {"C9", "C11"} & {text.action_id for text in with_steps.texts}


def test_a_taper_that_does_not_end_at_zero_has_no_last_text():
    mine = terms(
        Course.LONG, steps=tuple(replace(one, max_units=one.max_units + 2) for one in steps(8, 15, 22))
    )
    assert keys(text for text in laid(mine).texts if text.step_index is not None) == [
        "taper_first",
        "taper_next",
        "taper_next",
    ]


def test_without_a_taper_no_text_speaks_of_steps():
    mine = terms(steps=(), taper_version=None)
    assert not [text for text in laid(mine).texts if text.kind == "taper"]


def test_an_as_needed_course_has_no_steps_even_if_some_are_given():
    mine = terms(Course.PRN, steps=steps(8, 15), taper_version=1)
    assert not [text for text in laid(mine).texts if text.step_index is not None]


def test_hidden_numbers_stay_hidden():
    mine = terms(hide_numbers=True)
    texts = [text for text in laid(mine).texts if text.step_index is not None]
    assert set(keys(texts)) == {"taper_hidden"}


def test_the_approval_is_told_once_before_the_first_step():
    mine = terms(announce_taper=True)
    schedule = laid(mine)
    (told,) = [text for text in schedule.texts if text.message_key == "taper_start"]
    assert told.local_on == TUESDAY
    assert Fact.TAPER_ACTIVE in told.requires
    assert "taper_start" not in keys(schedule.left_out)


def test_the_word_of_approval_waits_for_a_day_with_room():
    mine = terms(Course.LONG, announce_taper=True, occupied={TUESDAY: 2})
    (told,) = [text for text in laid(mine, at(0, 18, mine=mine)).texts if text.message_key == "taper_start"]
    assert TUESDAY < told.local_on < mine.steps[0].starts_on


def test_there_is_no_word_of_approval_when_the_first_step_begins_today():
    mine = terms(announce_taper=True)
    schedule = laid(mine, at(5, 8, mine=mine))
    assert "taper_start" not in keys(schedule.texts) + keys(schedule.left_out)


# --- a late start, and a plan made anew ---


def test_a_late_start_begins_at_todays_day():
    mine = terms(steps=(), taper_version=None)
    texts = laid(mine, at(9, 8, mine=mine)).texts
    assert min(text.local_on for text in texts) == TUESDAY + timedelta(days=9)
    assert not {"C7", "K1S"} & {
        text.action_id for text in texts if text.local_on < TUESDAY + timedelta(days=9)
    }


def test_a_late_start_brings_the_safety_texts_first_one_an_evening():
    mine = terms(steps=(), taper_version=None, support=False)
    missed = ["edu_too_much", "edu_no_mix", "edu_rescue_spray", "edu_storage"]
    texts = [
        text for text in laid(mine, at(5, 8, mine=mine)).texts if text.kind == "education" and text.is_safety
    ]
    everyone = [text for text in texts if Fact.STILL_TAKING not in text.requires]
    assert keys(everyone) == [*missed, "edu_when_to_call", "edu_mood", "edu_tolerance"]
    days = [(text.local_on - TUESDAY).days for text in everyone]
    assert days == [5, 6, 7, 8, 9, 11, 13]
    assert {wall(text.window.due_at, mine).time() for text in everyone} == {time(17)}


def test_a_safety_text_that_meets_a_step_goes_on_the_next_free_evening():
    mine = terms(steps=steps(6, 8, 10))  # evening of day 5: the step; day 5 is that of edu_when_to_call
    schedule = laid(mine)
    moved = next(text for text in schedule.texts if text.message_key == "edu_when_to_call")
    assert (moved.local_on - TUESDAY).days == 6
    assert "edu_when_to_call" not in keys(schedule.left_out)


def test_a_safety_text_that_finds_no_evening_any_more_is_listed_as_left_out():
    mine = terms(steps=(), taper_version=None)
    schedule = laid(mine, at(42, 9, mine=mine))
    assert {"edu_no_mix", "edu_tolerance"} <= set(keys(schedule.left_out))
    assert "edu_too_much" in keys(schedule.texts)


def test_what_went_is_not_planned_again_and_pushes_nothing_on():
    mine = terms(steps=(), taper_version=None)
    first = laid(mine)
    noon = at(4, 12, mine=mine)
    gone = [text for text in first.texts if text.window.due_at < noon]
    later = replace(
        mine,
        done=frozenset(text.key for text in gone),
        occupied=Counter(text.local_on for text in gone),
    )
    again = laid(later, noon)
    assert again.texts == tuple(text for text in first.texts if text not in gone)
    assert again.left_out == ()


def test_texts_of_day_0_that_went_take_no_room_of_the_first_week():
    mine = terms()
    first = laid(mine)
    gone = [text for text in first.texts if text.local_on == TUESDAY]
    assert len(gone) == 2
    later = replace(mine, done=frozenset(text.key for text in gone), occupied={TUESDAY: 2})
    assert laid(later, at(1, 9, mine=mine)).texts == tuple(text for text in first.texts if text not in gone)


# --- channels and languages ---


def test_a_check_in_by_mail_is_a_link_to_its_questions():
    texts = [text for text in laid(terms(channel=Channel.EMAIL)).texts if text.kind == "checkin"]
    assert texts
    for text in texts:
        assert text.message_key == "checkin_link_only"
        assert any(key.startswith("ask_") for key in text.message_keys[1:])


def test_a_check_in_by_text_begins_with_its_first_question():
    texts = [text for text in laid(terms()).texts if text.kind == "checkin"]
    assert {text.asks for text in texts} == {Question.PAIN, Question.WITHDRAWAL}


def test_dates_are_written_in_the_patients_language():
    steps_in = {
        language: next(text for text in laid(terms(language=language)).texts if text.step_index == 0)
        for language in Language
    }
    assert steps_in[Language.EN].fields["step_date"] == "Sun, Jun 7"
    assert steps_in[Language.ES].fields["step_date"] == "dom 7 jun"


# --- the cap ---


def count_by(texts, world: Fact, of):
    return Counter(of(text) for text in texts if not text.requires & WORLDS[world])


def assert_capped(schedule, mine: Terms) -> None:
    """Assert the cap in the world of those who take pills and in the world of those who stopped."""
    for world in WORLDS:
        days = count_by(schedule.texts, world, lambda text: text.local_on)
        for on, already in mine.occupied.items():
            days[on] += already
        assert max(days.values(), default=0) <= 2
        weeks: Counter[int] = Counter()
        for on, texts in days.items():
            if on > mine.discharge_on:
                weeks[((on - mine.discharge_on).days - 1) // 7] += texts
        assert weeks[0] <= 14
        assert all(texts <= 10 for week, texts in weeks.items() if week)
        minutes = count_by(schedule.texts, world, lambda text: text.window.due_at)
        assert max(minutes.values(), default=0) <= 1


@st.composite
def tapers(draw):
    """Draw steps that a clinician might write: any first day, any lengths, falling levels, to 0 or not."""
    first = draw(st.integers(1, 38))
    lengths = draw(st.lists(st.integers(1, 9), min_size=1, max_size=8))
    low = draw(st.sampled_from([Decimal(0), Decimal("0.5"), Decimal(2)]))
    starts = [first + sum(lengths[:n]) for n in range(len(lengths) + 1)]
    found = [
        LevelStep(TUESDAY + timedelta(days=day), low + len(starts) - 1 - n) for n, day in enumerate(starts)
    ]
    return tuple(found)


@settings(max_examples=60)
@given(
    course=st.sampled_from([Course.SHORT, Course.LONG]),
    taper=tapers(),
    support=st.booleans(),
    announce=st.booleans(),
    channel=st.sampled_from([Channel.SMS, Channel.EMAIL]),
    zone=st.sampled_from([NEW_YORK, "America/Phoenix", "Australia/Lord_Howe", "Pacific/Honolulu"]),
    day=st.integers(-1, 41),
    hour=st.integers(0, 23),
    went=st.dictionaries(st.integers(0, 40), st.integers(1, 2), max_size=6),
)
def test_no_taper_and_no_start_break_the_cap_or_the_hours(
    course, taper, support, announce, channel, zone, day, hour, went
):
    mine = terms(
        course,
        steps=taper,
        support=support,
        announce_taper=announce,
        channel=channel,
        time_zone=zone,
        occupied={TUESDAY + timedelta(days=on): texts for on, texts in went.items() if on <= day},
    )
    now = at(day, hour, mine=mine)
    schedule = laid(mine, now)
    assert_capped(schedule, mine)
    assert_inside_hours(schedule, mine)
    assert all(text.window.expires_at > now for text in schedule.texts)
    planned = [text.key for text in schedule.texts]
    assert len(planned) == len(set(planned))
    assert not set(planned) & {text.key for text in schedule.left_out}
    for text in schedule.texts:
        if text.step_index is not None:
            evening = taper[text.step_index].starts_on - timedelta(days=1)
            assert wall(text.window.due_at, mine) == datetime.combine(evening, time(17))


def test_a_full_day_keeps_the_check_in_and_the_step_and_lists_what_it_leaves_out():
    mine = terms(Course.SHORT, steps=steps(10, 13, 16))  # evening of day 9: step, and support_k1
    schedule = laid(mine)
    on = TUESDAY + timedelta(days=9)
    assert "K1S" in {text.action_id for text in schedule.left_out if text.local_on == on}
    assert "step_text" in {text.action_id for text in schedule.texts if text.local_on == on}


# --- hours, zones, and clocks that change ---


def assert_inside_hours(schedule, mine: Terms) -> None:
    for text in (*schedule.texts, *schedule.left_out):
        begins, ends = (wall(one, mine) for one in (text.window.due_at, text.window.expires_at))
        assert begins.date() == text.local_on == ends.date()
        assert time(12 if begins.weekday() == 6 else 9) <= begins.time() < ends.time() <= time(20)


CHANGES = {
    "America/New_York": [date(2026, 3, 8), date(2026, 11, 1)],
    "Australia/Lord_Howe": [date(2026, 4, 5), date(2026, 10, 4)],
    "America/Phoenix": [date(2026, 3, 8), date(2026, 11, 1)],  # never changes its clocks
}


@pytest.mark.parametrize(
    ("zone", "change"), [(zone, change) for zone, changes in CHANGES.items() for change in changes]
)
@pytest.mark.parametrize("days_before", [1, 9, 20])
@pytest.mark.parametrize("course", [*Course])
def test_every_text_keeps_its_local_day_and_hour_when_the_clocks_change(zone, change, days_before, course):
    on = change - timedelta(days=days_before)
    mine = terms(course, on, time_zone=zone)
    schedule = laid(mine)
    assert_inside_hours(schedule, mine)
    assert schedule.left_out == ()
    plain = laid(terms(course, on, time_zone="UTC"))
    assert [(text.key, text.local_on, wall(text.window.due_at, mine)) for text in schedule.texts] == [
        (text.key, text.local_on, text.window.due_at.replace(tzinfo=None)) for text in plain.texts
    ]


@pytest.mark.parametrize("zone", CHANGES)
def test_each_check_in_comes_once_on_its_own_local_date(zone):
    for change in CHANGES[zone]:
        mine = terms(Course.PRN, change - timedelta(days=5), time_zone=zone, support=False)
        days = [
            (text.local_on - mine.discharge_on).days
            for text in got(laid(mine), Fact.STILL_TAKING)
            if text.kind == "checkin"
        ]
        assert days[:7] == [1, 2, 3, 4, 5, 6, 7]
        assert len(days) == len(set(days))


def test_a_plan_does_not_depend_on_the_zone_that_now_is_told_in():
    mine = terms()
    now = at(3, 10, mine=mine)
    assert laid(mine, now) == laid(mine, now.astimezone(ZoneInfo("Asia/Kathmandu")))
    assert now.tzinfo is UTC
