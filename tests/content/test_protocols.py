"""Plans: the shipped one is the draft's 72 rows and obeys the law; each kind of fault is caught."""

import csv
import hashlib
from importlib.resources import files

import pytest

from followup.core.datafiles import load_toml
from followup.core.errors import ContentError
from followup.core.vocabulary import Channel, Course, Fact, Priority, Tier
from followup.protocols import checks, stories
from followup.protocols.calendar import Step, fold_questions, place, steps_on
from followup.protocols.definition import Action, Morning, plan_from, policy_from
from followup.protocols.library import load_escalation, load_protocol, names
from tests.content.planting import DRAFTS, needs_drafts

SHORT, LONG, PRN = Course
KNOWN = ("SHORT", "LONG", "PRN")


def facts_of(condition: str) -> Fact:
    facts = Fact(0)
    for name in condition.split("&"):
        facts |= Fact[name.upper()]
    return facts


# --- what is shipped ---


def test_the_shipped_plan_obeys_the_law(plan, faults_of_plan):
    assert faults_of_plan(plan) == ""


def test_a_plan_carries_its_version_and_the_digest_of_its_file(plan):
    raw = files("followup.protocols").joinpath("default.toml").read_bytes()
    assert (plan.name, plan.version, plan.digest) == ("default", 1, hashlib.sha256(raw).hexdigest())
    assert names() == ("default",)
    with pytest.raises(ContentError, match="unknown protocol: escalation"):
        load_protocol("escalation")


@needs_drafts
def test_every_row_of_the_draft_is_accounted_for(plan):
    with (DRAFTS / "protocol-default.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 72
    for row in rows:
        if row["kind"] != "taper":
            assert_action_is_row(plan.action(row["id"]), row)
    tapers = [row for row in rows if row["kind"] == "taper"]
    assert len(tapers) == 8
    for row in tapers:
        assert_step_is_row(plan, row)
    fixed = {one.id for one in plan.actions if one.each is None}
    assert fixed == {row["id"] for row in rows if row["kind"] != "taper"}


def assert_action_is_row(action, row):
    assert (action.day, action.at, action.window_hours) == (
        int(row["day"]), row["local_time"], float(row["window_hours"]),
    )  # fmt: skip
    assert (action.kind, action.catch_up, action.why) == (row["kind"], row["catch_up"], row["why"])
    assert ";".join(action.messages) == row["message_ids"]
    assert [*action.courses] == ([*KNOWN] if row["applies_to"] == "all" else row["applies_to"].split(";"))
    said = facts_of(row["condition"])
    assert action.when == (said if Fact.CONSENT_PENDING in said else said | Fact.CONSENTED)
    assert action.safety == (row["kind"] == "education" and row["catch_up"] == "send_late")


def assert_step_is_row(plan, row):
    course = Course(row["applies_to"])
    (sent,) = [
        one for one in stories.placed_for(plan, course)
        if one.action.kind == "taper" and one.day == int(row["day"])
    ]  # fmt: skip
    assert (";".join(sent.messages), sent.action.at) == (row["message_ids"], row["local_time"])
    assert sent.action.window_hours == float(row["window_hours"])
    assert sent.action.catch_up == row["catch_up"]
    assert sent.action.when == facts_of(row["condition"]) | Fact.CONSENTED


@needs_drafts
@pytest.mark.parametrize("course", [SHORT, LONG])
def test_default_steps_bring_a_question_wherever_the_draft_had_one(plan, course):
    with (DRAFTS / "protocol-default.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "checkin"]
    mine = {
        int(row["day"]): row["message_ids"].split(";")
        for row in rows
        if course in row["applies_to"] or row["applies_to"] == "all"
    }
    now = {one.day: one.messages for one in stories.placed_for(plan, course) if one.action.kind == "checkin"}
    assert set(now) == set(mine)
    for day, keys in mine.items():
        assert (day, set(now[day])) == (day, set(keys))


def test_a_plan_counts_as_many_texts_as_the_draft(plan):
    short, long, prn = stories.summary(plan)
    assert short.startswith("SHORT taking to the end: 36 texts, 43 with support; stopped on day 4: 27 / 34;")
    assert short.endswith("days 1-7: 14, days 8-14: 10")
    assert long.startswith("LONG  taking to the end: 42 texts, 49 with support; stopped on day 4: 27 / 34;")
    assert long.endswith("days 1-7: 14, days 8-14: 9")
    assert prn.startswith("PRN   taking to the end: 33 texts, 40 with support; stopped on day 4: 26 / 33;")
    assert prn.endswith("days 1-7: 13, days 8-14: 8")


def test_nothing_but_the_invitation_goes_before_yes(plan):
    before = [one.id for one in plan.actions if Fact.CONSENTED not in one.when]
    assert before == ["W0", "W1"]
    assert all(one.when == Fact.CONSENT_PENDING for one in plan.actions if one.id in before)


def test_the_place_in_the_cap(plan):
    ranks = {one: plan.action(one).rank for one in ("C1", "step_text", "E3", "E2", "K1", "X1", "W0")}
    assert ranks == {"C1": 1, "step_text": 2, "E3": 3, "E2": 4, "K1": 4, "X1": 4, "W0": 4}


def test_every_tier_of_danger_pages_everybody_at_once():
    ladders = load_escalation()
    for tier, priority in ((Tier.EMERGENCY, Priority.STAT), (Tier.URGENT, Priority.URGENT)):
        (step,) = ladders[tier].steps
        assert (ladders[tier].priority, step.number, step.delay_minutes) == (priority, 1, 0)
        assert (step.targets, set(step.channels)) == ("receives_pages", {Channel.SMS, Channel.EMAIL})
    assert ladders[Tier.ROUTINE].steps == ()


# --- laying a plan on days ---


def checkins(placed):
    return {one.day: one for one in placed if one.action.kind == "checkin"}


def test_without_an_approved_taper_the_fixed_questions_stay(plan):
    placed = place(plan, LONG)
    assert all(one.action.each is None for one in placed)
    assert {9, 11, 16, 18, 23, 25, 30, 32} <= set(checkins(placed))


def test_a_course_without_tapers_keeps_its_fixed_questions(plan):
    assert place(plan, PRN, steps_on([5, 9])) == place(plan, PRN)


def test_an_approved_taper_brings_its_own_dated_texts_and_questions(plan):
    placed = place(plan, LONG, steps_on([10, 17]))
    texts = [(one.day, one.messages, one.occurrence) for one in placed if one.action.kind == "taper"]
    assert texts == [(9, ("taper_first",), "step1"), (16, ("taper_last",), "step2")]
    asked = {day for day, one in checkins(placed).items() if one.action.each}
    assert asked == {11, 13, 18, 20}
    assert checkins(placed)[18].messages[0] == "ask_withdrawal"
    assert checkins(placed)[18].action.when == Fact.CONSENTED
    assert checkins(placed)[11].action.when == Fact.CONSENTED | Fact.STILL_TAKING


def test_a_question_after_a_step_is_folded_into_the_check_in_of_its_day(plan):
    placed = place(plan, LONG, steps_on([1, 13, 20]))
    assert checkins(placed)[2].messages == ("ask_pain", "ask_pills", "ask_withdrawal")
    assert checkins(placed)[14].action.id == "C14"
    assert checkins(placed)[14].occurrence == "once"
    assert sum(one.day == 21 and one.action.kind == "checkin" for one in placed) == 1


def test_the_later_of_two_steps_leads_on_a_shared_day(plan):
    placed = place(plan, SHORT, steps_on(plan.default_steps[SHORT]))
    assert checkins(placed)[12].messages == ("ask_withdrawal", "ask_pain", "ask_pills")
    assert checkins(placed)[12].action.when == Fact.CONSENTED


def test_a_taper_that_ends_above_zero_has_no_last_step():
    assert steps_on([8, 15]) == (Step(8, "first"), Step(15, "last"))
    assert steps_on([8, 15], ends_at_zero=False) == (Step(8, "first"), Step(15, "next"))
    assert steps_on([8]) == (Step(8, "last"),)
    assert steps_on([8], ends_at_zero=False) == (Step(8, "first"),)
    assert steps_on([]) == ()


@pytest.mark.parametrize(
    ("host", "folded"),
    [
        (("ask_pain", "ask_pills"), ("ask_pain", "ask_pills", "W")),
        (("ask_pain", "ask_manage", "ask_pills"), ("ask_pain", "ask_pills", "W")),
        (("ask_mood", "ask_any_week", "ask_manage"), ("ask_pain", "ask_pills", "W")),
        (
            ("ask_pain", "checkin_link", "a", "b", "ask_pills"),
            ("ask_pain", "checkin_link", "a", "b", "ask_pills", "W"),
        ),
        (("W", "ask_pain", "ask_pills"), ("W", "ask_pain", "ask_pills")),
    ],
)
def test_folding_never_asks_more_than_three_by_sms(host, folded):
    assert fold_questions(host, ("ask_pain", "ask_pills", "W")) == folded


def test_messages_of_a_step_follow_its_position(plan):
    text = plan.action("step_text")
    assert [text.messages_for(one) for one in ("first", "next", "last")] == [
        ("taper_first",), ("taper_next",), ("taper_last",),
    ]  # fmt: skip
    assert text.messages_for(None) == ()
    assert text.all_messages == ("taper_first", "taper_next", "taper_last")
    assert text.morning == Morning("09:00", 3)


# --- a file with a mistake is refused by file and action ---


def raw_plan(**changes):
    raw = dict(load_toml("followup.protocols", "default.toml"))
    first = {**raw["action"][1], **changes}
    return {**raw, "action": [{key: value for key, value in first.items() if value is not None}]}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"courses": ["MEDIUM"]}, "E0: 'MEDIUM'"),
        ({"when": ["sunny"]}, "E0: SUNNY is missing or not a known word"),
        ({"why": None}, "E0: why is missing"),
        ({"colour": "red"}, "E0: unknown keys: colour"),
        ({"catch_up": "forget"}, "E0: 'forget'"),
        ({"window_hours": "long"}, "E0: could not convert"),
        ({"morning": {"time": "09:00"}}, "E0: .*unexpected keyword argument 'time'"),
        ({"id": None}, r"action \(without id\): id is missing"),
    ],
)
def test_a_broken_action_is_refused_by_file_and_id(changes, said):
    with pytest.raises(ContentError, match=f"trial.toml: (action )?{said}"):
        plan_from("trial", raw_plan(**changes), "0" * 64)


def test_a_broken_head_is_refused_by_file():
    raw = raw_plan()
    with pytest.raises(ContentError, match=r"trial.toml: title is missing"):
        plan_from("trial", {key: value for key, value in raw.items() if key != "title"}, "")
    with pytest.raises(ContentError, match=r"trial.toml: 'MEDIUM'"):
        plan_from("trial", {**raw, "default_steps": {"MEDIUM": [3]}}, "")


def test_an_action_that_is_not_there_is_said_so(plan):
    with pytest.raises(ContentError, match=r"default.toml: no action Z9"):
        plan.action("Z9")


@pytest.mark.parametrize(
    ("tier", "raw", "said"),
    [
        ("emergency", {"why": "x"}, "emergency: priority is missing"),
        ("emergency", {"why": "x", "priority": "soon"}, "emergency: 'soon'"),
        ("dire", {"why": "x", "priority": "stat"}, "dire: 'dire'"),
        ("urgent", {"why": "x", "priority": "urgent", "step": [{"channels": ["fax"]}]}, "urgent: 'fax'"),
    ],
)
def test_a_broken_ladder_is_refused_by_tier(tier, raw, said):
    with pytest.raises(ContentError, match=f"escalation.toml: {said}"):
        policy_from(tier, raw)


def test_a_minute_of_day_is_read_from_the_clock_time(plan):
    assert isinstance(plan.action("E1"), Action)
    assert plan.action("E1").minute == 17 * 60
    assert plan.action("W0").minute is None


def test_plans_say_which_texts_they_use(plan):
    used = checks.used_messages([plan])
    assert {"taper_last", "consent_invite", "ask_peg_activity"} <= used
    assert "auto_help" not in used
