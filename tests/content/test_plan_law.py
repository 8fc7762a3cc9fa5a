"""The law for plans: each kind of fault is planted once, and caught by file and action."""

from dataclasses import replace

import pytest

from followup.core.vocabulary import CatchUp, Channel, Course, Fact, Tier
from followup.protocols import checks
from followup.protocols.definition import EscalationStep, Morning
from followup.protocols.library import load_escalation

SHORT, LONG, PRN = Course


def changed(plan, action_id, **changes):
    """Return the plan with one action changed."""
    actions = tuple(replace(one, **changes) if one.id == action_id else one for one in plan.actions)
    return replace(plan, actions=actions)


def added(plan, like, **changes):
    """Return the plan with a changed copy of an action added."""
    return replace(plan, actions=(*plan.actions, replace(plan.action(like), **changes)))


ACTIONS = {
    "an unknown kind": ("E1", {"kind": "surprise"}, "action E1: kind surprise is unknown"),
    "no why": ("E1", {"why": ""}, "action E1: why is empty"),
    "no course": ("E1", {"courses": ()}, "action E1: no course"),
    "a check-in sent late": (
        "C1",
        {"catch_up": CatchUp.SEND_LATE},
        "catch_up send_late does not fit checkin; use skip",
    ),
    "a step that is sent late": ("step_text", {"catch_up": CatchUp.SEND_LATE}, "use ask_staff"),
    "safety education without the mark": ("E1", {"safety": False}, "action E1: safety marks education"),
    "a safety mark on support": ("K1", {"safety": True}, "action K1: safety marks education"),
    "a repeat of something else": ("step_text", {"each": "monday"}, "each monday is unknown"),
    "a step action with a day": ("step_text", {"day": 4}, "an action of each step has no day"),
    "a step action of no step": ("step_plus_24h", {"steps": ()}, "an action of each step has no day"),
    "a step action of a strange step": (
        "step_plus_24h",
        {"steps": ("fifth",)},
        "steps out of first, next, last",
    ),
    "a time that is none": ("E1", {"at": "25:00"}, "action E1: at 25:00 is no time"),
    "a text before nine": ("E1", {"at": "08:30"}, "action E1: the window reaches outside 09:00-20:00"),
    "a window past eight": ("E1", {"window_hours": 4.0}, "action E1: the window reaches outside 09:00-20:00"),
    "an empty window": ("E0", {"window_hours": 0.0}, "action E0: the window reaches outside 09:00-20:00"),
    "an enrolment text on day 3": ("W0", {"day": 3}, "action W0: at enrol is only for day 0"),
    "a morning in the night": (
        "step_text",
        {"morning": Morning("06:00", 3)},
        "the morning window reaches outside",
    ),
    "a day past the end": ("E1", {"day": 43}, "action E1: day 43 is not within 0-42"),
    "no day": ("E1", {"day": None}, "action E1: day None is not within 0-42"),
    "a fixed action with an offset": (
        "E1",
        {"offset_days": 1},
        "action E1: offset_days, steps, variants and morning",
    ),
    "an unknown text": ("E1", {"messages": ("edu_nothing",)}, "action E1: unknown message edu_nothing"),
    "no text": ("E1", {"messages": ()}, "action E1: no message"),
    "a text that is off by default": ("E1", {"messages": ("edu_naloxone_named",)}, "may not be scheduled"),
    "a fragment": ("E1", {"messages": ("label_pain",)}, "label_pain may not be scheduled"),
    "a text to staff": ("E1", {"messages": ("staff_page_urgent",)}, "staff_page_urgent may not be scheduled"),
    "education that stands for a step": ("E1", {"stands_for_step": True}, "stands_for_step is for check-ins"),
    "a step question that stands for a step": (
        "step_plus_24h",
        {"stands_for_step": True},
        "stands_for_step is for",
    ),
    "a check-in without the question": ("C1", {"stands_for_step": True}, "stands_for_step is for check-ins"),
    "two texts of support": (
        "K1",
        {"messages": ("support_k1", "support_k2")},
        "a support action sends one text",
    ),
    "support without opt-in": ("K1", {"when": Fact.CONSENTED}, "action K1: a support text needs support_on"),
    "a step without an approved plan": (
        "step_text",
        {"when": Fact.STILL_TAKING},
        "needs still_taking and taper_active",
    ),
    "a step without its last text": (
        "step_text",
        {"variants": {"first": "taper_first"}},
        "variants first, next and last",
    ),
    "a step with texts beside": (
        "step_text",
        {"messages": ("taper_first",)},
        "variants first, next and last",
    ),
    "a step texted on its day": ("step_text", {"offset_days": 0}, "offset_days = -1"),
    "a step without a morning": ("step_text", {"morning": None}, "a step text needs a morning"),
    "a step text without a morning text": (
        "step_text",
        {"variants": dict.fromkeys(("first", "next", "last"), "ask_taper")},
        "and a today_variant",
    ),
    "a step text that asks nothing": (
        "step_text",
        {"variants": dict.fromkeys(("first", "next", "last"), "edu_mood")},
        "a step text asks taper",
    ),
    "a taper for PRN": ("step_text", {"courses": (PRN,)}, "PRN gets no taper"),
    "a check-in that starts without a question": (
        "C1",
        {"messages": ("checkin_link", "ask_pain")},
        "action C1: the first text of a check-in must ask",
    ),
    "a question twice": ("C1", {"messages": ("ask_pain", "ask_pain")}, "action C1: pain is asked twice"),
    "a lesson in a check-in": ("C1", {"messages": ("ask_pain", "edu_mood")}, "edu_mood is no question"),
    "four questions by SMS": (
        "C1",
        {"messages": ("ask_pain", "ask_pills", "ask_manage", "ask_mood")},
        "at most 3 questions by SMS",
    ),
    "two questions and the link": (
        "C1",
        {"messages": ("ask_pain", "ask_pills", "checkin_link")},
        "or 1 and the link",
    ),
    "a web question by SMS": (
        "C42",
        {"messages": ("ask_pain", "ask_peg_pain")},
        "ask_peg_pain does not go by sms",
    ),
    "too late for safety": ("E3", {"day": 4}, "edu_no_mix must reach everyone by day 3"),
    "safety for some only": (
        "E3",
        {"when": Fact.SUPPORT_ON | Fact.CONSENTED},
        "edu_no_mix must reach everyone",
    ),
    "a missing published check-in": ("C21", {"day": 20}, "no check-in on day 21"),
    "three texts on a day": ("E2", {"day": 1, "at": "14:00"}, "day 1: C1 and E2 and E3: over 2 texts a day"),
    "texts too close": ("E3", {"at": "13:00"}, "day 1: C1 and E3: under 4 hours apart"),
    "the same lesson again": ("E17", {"messages": ("edu_mood",)}, "edu_mood comes 2 times"),
    "support out of order": (
        "K2",
        {"messages": ("support_k3",)},
        "support texts must be support_k1 to support_k6",
    ),
    "no question a day after a step": (
        "step_plus_24h",
        {"messages": ("ask_pain",)},
        "24 h after a step starts",
    ),
    "a second open question": (
        "E3",
        {"messages": ("ask_mood",), "at": "16:00"},
        "two questions open at once",
    ),
}


@pytest.mark.parametrize(("action_id", "changes", "said"), ACTIONS.values(), ids=ACTIONS)
def test_law_catches(plan, faults_of_plan, action_id, changes, said):
    assert said in faults_of_plan(changed(plan, action_id, **changes))


def test_law_catches_a_head_that_is_wrong(plan, faults_of_plan):
    assert "default.toml: anchor birthday is unknown" in faults_of_plan(replace(plan, anchor="birthday"))
    assert "default.toml: version 0" in faults_of_plan(replace(plan, version=0))


def test_law_catches_an_id_used_twice(plan, faults_of_plan):
    assert "default.toml: action E17: the id is used twice" in faults_of_plan(added(plan, "E17", day=37))


def test_law_catches_two_actions_in_one_hour(plan, faults_of_plan):
    faults = faults_of_plan(added(plan, "E17", id="E17B", at="16:30", messages=("edu_sleep",)))
    assert "actions E17 and E17B may reach one patient within an hour" in faults


def test_conditions_that_exclude_each_other_do_not_collide(plan):
    lesson, disposal = plan.action("E15"), plan.action("D2")
    assert (lesson.day, lesson.at) == (disposal.day, disposal.at)
    assert not checks.collide(lesson, disposal)
    assert not checks.collide(plan.action("W1"), plan.action("C1"))
    assert checks.exclude(Fact.CONSENTED, Fact.CONSENT_PENDING)
    assert not checks.exclude(Fact.CONSENTED, Fact.SUPPORT_ON)


def test_law_catches_too_many_texts_in_a_week(plan, faults_of_plan):
    fuller = plan
    for number, (day, key) in enumerate(
        ((36, "edu_sleep"), (37, "edu_wound"), (39, "edu_driving"), (41, "edu_breathing"))
    ):
        fuller = added(fuller, "E17", id=f"Z{number}", day=day, messages=(key,))
        fuller = added(fuller, "C1", id=f"Y{number}", day=day, at="10:00")
    assert "days 36-42:" in faults_of_plan(fuller)


def test_law_catches_a_step_without_a_check_in_to_hold_it(plan, faults_of_plan):
    moved = replace(plan, default_steps={**plan.default_steps, LONG: (9, 15, 22, 29)})
    assert "LONG: day 8: no check-in that could hold the step" in faults_of_plan(moved)


def test_a_plan_with_unknown_texts_is_not_played(plan, catalog):
    broken = changed(plan, "E3", messages=("edu_nothing",))
    faults = checks.check(broken, catalog.facts(), load_escalation())
    assert faults == ["default.toml: action E3: unknown message edu_nothing; use a key of the catalogue"]


def rung(delay=0, targets="receives_pages", channels=(Channel.SMS, Channel.EMAIL), number=1):
    return EscalationStep(number, delay, targets, channels)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (None, "escalation.toml: no policy for urgent"),
        ((), "urgent: step 1 must page at once"),
        ((rung(delay=5),), "urgent: step 1 must page at once"),
        ((rung(channels=(Channel.SMS,)),), "urgent: step 1 must page at once, by sms and email"),
        ((rung(targets="the_cat"),), "urgent: targets the_cat is unknown"),
        ((rung(), rung(delay=20), rung(delay=10)), "urgent: steps must come in the order of their delays"),
    ],
)
def test_law_catches_a_ladder_that_would_leave_danger_waiting(plan, catalog, steps, said):
    ladders = dict(load_escalation())
    ladders[Tier.URGENT] = replace(ladders[Tier.URGENT], steps=steps or ())
    if steps is None:
        del ladders[Tier.URGENT]
    assert any(said in fault for fault in checks.check(plan, catalog.facts(), ladders))
