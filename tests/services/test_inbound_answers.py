"""Numbers bind to the open question, the check-in goes on, the plan follows what was told."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from followup.core.vocabulary import (
    AlertKind,
    CarePlanStatus,
    ConsentStatus,
    Fact,
    Lane,
    Question,
    RequestStatus,
    TaperStatus,
    Tier,
)
from followup.services import inbound
from followup.store.models import CarePlan, Consent, QuestionnaireResponse, Suppression, TaperPlan
from followup.store.session import make_engine, session_factory
from tests import factories
from tests.factories import NOW
from tests.services.roads import Road, build


@pytest.fixture
def road(sqlite_url: str) -> Iterator[Road]:
    engine = make_engine(sqlite_url)
    yield build(session_factory(engine))
    engine.dispose()


def responses(road: Road) -> list[QuestionnaireResponse]:
    with road.sessions() as session:
        found = select(QuestionnaireResponse)
        return list(session.scalars(found.order_by(QuestionnaireResponse.authored_at)))


def deliver(road: Road, key: str, *, minutes: int = 1) -> None:
    """Send what waits under this key, as the drain would."""
    with road.sessions.begin() as session:
        [row] = [
            one for one in road.requests() if one.message_key == key and one.status is RequestStatus.ACTIVE
        ]
        row = session.merge(row)
        row.status = RequestStatus.COMPLETED
        at = NOW + timedelta(minutes=minutes)
        factories.sent(session, row, asks=row.asks, sent_at=at, created_at=at)


def plan_of(road: Road, *levels: int, starts_on: date) -> None:
    with road.sessions.begin() as session:
        factories.taper(session, session.get_one(CarePlan, road.plan.id), *levels, starts_on=starts_on)


def taper_status(road: Road) -> TaperStatus:
    with road.sessions() as session:
        return session.scalars(select(TaperPlan.status)).one()


def test_a_number_is_stored_as_the_answer_to_the_open_question(road: Road) -> None:
    row = road.ask("ask_pain", asks=Question.PAIN)
    assert road.text("4").tier is Tier.NONE
    [kept] = responses(road)
    assert (kept.question, kept.number, kept.request_id) == (Question.PAIN, Decimal(4), row.id)
    assert kept.local_on == date(2026, 6, 2)
    assert road.heard()[0].answers_request_id == row.id


def test_the_next_question_goes_out_as_the_reply_to_an_answer(road: Road) -> None:
    road.ask("ask_pain", "ask_pills", asks=Question.PAIN)
    done = road.text("4")
    [reply] = [row for row in road.requests() if row.in_reply_to_id]
    assert (reply.message_key, reply.asks, reply.lane) == ("ask_pills", Question.PILLS, Lane.STAT)
    assert reply.expires_at == NOW + timedelta(minutes=10)
    assert done.handling == "answered"


def test_a_whole_check_in_is_walked_and_thanked(road: Road) -> None:
    road.ask("ask_pain", "ask_pills", "ask_withdrawal", asks=Question.PAIN)
    road.text("3")
    deliver(road, "ask_pills")
    road.text("2", now=NOW + timedelta(minutes=2))
    deliver(road, "ask_withdrawal", minutes=3)
    road.text("0", now=NOW + timedelta(minutes=4))
    assert road.answers() == ["ask_pills", "ask_withdrawal", "checkin_thanks"]
    assert [(one.question, one.number) for one in responses(road)] == [
        (Question.PAIN, Decimal(3)),
        (Question.PILLS, Decimal(2)),
        (Question.WITHDRAWAL, Decimal(0)),
    ]


def test_the_thanks_alternate(road: Road) -> None:
    road.ask("ask_pain", asks=Question.PAIN, due_at=NOW - timedelta(minutes=5))
    road.text("3")
    later = NOW + timedelta(days=1)
    road.ask("ask_pain", asks=Question.PAIN, due_at=later, expires_at=later + timedelta(hours=4))
    road.text("3", now=later + timedelta(minutes=1))
    assert road.answers() == ["checkin_thanks", "checkin_thanks_2"]


def test_after_the_link_the_rest_is_on_the_web(road: Road) -> None:
    road.ask("ask_pain", "checkin_link", "ask_manage", "ask_pills", asks=Question.PAIN)
    road.text("3")
    assert road.answers() == ["checkin_link"]
    road.text("ok", now=NOW + timedelta(minutes=3))
    assert road.answers() == ["checkin_link"]


def test_no_next_question_after_the_rows_window(road: Road) -> None:
    road.ask("ask_pain", "ask_pills", asks=Question.PAIN, expires_at=NOW + timedelta(minutes=30))
    road.text("3", now=NOW + timedelta(minutes=31))
    assert "ask_pills" not in road.answers()
    assert len(responses(road)) == 1


def test_withdrawal_of_two_or_more_is_asked_item_by_item(road: Road) -> None:
    road.ask("ask_withdrawal", "ask_pills", asks=Question.WITHDRAWAL)
    road.text("2")
    assert road.answers() == ["auto_routine", "ask_wd1"]
    deliver(road, "ask_wd1")
    road.text("1", now=NOW + timedelta(minutes=2))
    assert road.answers()[-1] == "ask_wd2"


def test_danger_in_an_answer_stops_the_check_in(road: Road) -> None:
    road.ask("ask_pain", "ask_pills", asks=Question.PAIN)
    assert road.text("9").tier is Tier.URGENT
    assert road.answers() == ["auto_urgent"]
    assert [one.number for one in responses(road)] == [Decimal(9)]


def test_a_routine_answer_is_answered_and_the_check_in_goes_on(road: Road) -> None:
    road.ask("ask_pain", "ask_pills", asks=Question.PAIN)
    road.text("6")
    assert road.answers() == ["auto_routine", "ask_pills"]
    assert [alert.tier for alert in road.alerts()] == [Tier.ROUTINE]


def test_words_answer_a_question_in_words_and_the_check_in_goes_on(road: Road) -> None:
    row = road.ask("ask_mood", "ask_pain", asks=Question.MOOD)
    road.text("doing fine today")
    assert road.answers() == ["ask_pain"]
    assert road.heard()[0].answers_request_id == row.id


def test_the_answer_goes_before_the_next_question(road: Road) -> None:
    road.ask("ask_pain", "ask_pills", asks=Question.PAIN)
    road.text("6")
    said = [(row.message_key, row.due_at) for row in road.requests() if row.in_reply_to_id]
    later = NOW + timedelta(seconds=2)
    assert [key for key, due_at in said if due_at == NOW] == ["auto_routine"]
    assert [key for key, due_at in said if due_at == later] == ["ask_pills"]


def test_a_second_number_to_the_same_question_amends_the_first(road: Road) -> None:
    road.ask("ask_pain", "ask_pills", asks=Question.PAIN)
    road.text("3")
    road.text("4", now=NOW + timedelta(minutes=1))
    first, second = responses(road)
    assert (second.number, second.amends_id) == (Decimal(4), first.id)
    assert road.answers() == ["ask_pills"]


def test_fix_stores_the_right_number_beside_the_first_and_leaves_the_alert_open(road: Road) -> None:
    road.ask("ask_pills", asks=Question.PILLS)
    road.text("44")
    road.text("FIX 4", now=NOW + timedelta(minutes=1))
    first, second = responses(road)
    assert (first.number, second.number, second.amends_id) == (Decimal(44), Decimal(4), first.id)
    assert road.answers() == ["auto_took_a_lot", "fix_done"]
    assert [alert.tier for alert in road.alerts()] == [Tier.EMERGENCY]


def test_fix_to_a_dangerous_number_is_danger(road: Road) -> None:
    road.ask("ask_pills", asks=Question.PILLS)
    road.text("4")
    assert road.text("FIX 14", now=NOW + timedelta(minutes=1)).tier is Tier.EMERGENCY
    assert road.answers()[-1] == "auto_took_a_lot"


def test_a_number_out_of_range_is_asked_again_once(road: Road) -> None:
    road.ask("ask_withdrawal", asks=Question.WITHDRAWAL)
    road.text("7")
    road.text("8", now=NOW + timedelta(minutes=1))
    assert road.answers()[0] == "clarify_range"
    assert road.answers().count("clarify_range") == 1
    assert responses(road) == []
    assert [alert.tier for alert in road.alerts()] == [Tier.ROUTINE]


def test_a_question_closes_after_24_hours(road: Road) -> None:
    road.ask("ask_mood", asks=Question.MOOD, due_at=NOW - timedelta(hours=25))
    assert road.text("1").tier is Tier.ROUTINE
    assert responses(road) == []
    assert road.answers() == ["auto_unclear"]


def test_a_bare_eight_within_48_hours_of_a_pain_question_is_urgent(road: Road) -> None:
    road.ask("ask_pain", asks=Question.PAIN, due_at=NOW - timedelta(hours=40))
    assert road.text("8").tier is Tier.URGENT


def test_low_mood_twice_within_a_week_is_urgent(road: Road) -> None:
    road.ask("ask_mood", asks=Question.MOOD)
    assert road.text("3").tier is Tier.ROUTINE
    later = NOW + timedelta(days=2)
    road.ask("ask_mood", asks=Question.MOOD, due_at=later, expires_at=later + timedelta(hours=4))
    assert road.text("3", now=later + timedelta(minutes=5)).tier is Tier.URGENT
    assert road.answers()[-1] == "auto_low_mood"


def test_pain_up_by_three_within_two_days_is_urgent(road: Road) -> None:
    road.ask("ask_pain", asks=Question.PAIN)
    road.text("3")
    later = NOW + timedelta(days=1)
    road.ask("ask_pain", asks=Question.PAIN, due_at=later, expires_at=later + timedelta(hours=4))
    assert road.text("6", now=later + timedelta(minutes=5)).tier is Tier.URGENT


def test_pills_above_the_plan_but_not_the_prescription_are_behind_plan(road: Road) -> None:
    plan_of(road, 4, 2, 0, starts_on=date(2026, 6, 1))
    road.ask("ask_pills", asks=Question.PILLS)
    assert road.text("5").tier is Tier.ROUTINE
    assert "behind_plan" in (road.heard()[0].flags or [])
    assert "edu_directed" in road.answers()


def test_any_pill_three_days_past_the_plans_end_is_routine_then_urgent(road: Road) -> None:
    plan_of(road, 2, 0, starts_on=date(2026, 5, 25))
    road.ask("ask_pills", asks=Question.PILLS)
    assert road.text("1").tier is Tier.ROUTINE
    later = NOW + timedelta(days=1)
    road.ask("ask_pills", asks=Question.PILLS, due_at=later, expires_at=later + timedelta(hours=4))
    assert road.text("1", now=later + timedelta(minutes=5)).tier is Tier.URGENT


def test_after_spine_surgery_no_urine_is_an_emergency(road: Road) -> None:
    assert road.text("i cant pee").tier is Tier.URGENT
    with road.sessions.begin() as session:
        session.get_one(CarePlan, road.plan.id).is_spine = True
    assert road.text("i cant pee", now=NOW + timedelta(minutes=1)).tier is Tier.EMERGENCY


def test_any_withdrawal_in_pregnancy_is_urgent(road: Road) -> None:
    with road.sessions.begin() as session:
        session.get_one(CarePlan, road.plan.id).is_pregnant = True
    road.ask("ask_withdrawal", asks=Question.WITHDRAWAL)
    assert road.text("1").tier is Tier.URGENT


def test_no_more_pills_changes_what_the_patient_is_sent(road: Road) -> None:
    road.ask("ask_still_taking", asks=Question.STILL_TAKING)
    road.text("no")
    plan = road.fresh_plan()
    assert (plan.has(Fact.STOPPED), plan.has(Fact.STILL_TAKING)) == (True, False)
    road.text("YES", now=NOW + timedelta(minutes=1))
    plan = road.fresh_plan()
    assert (plan.has(Fact.STOPPED), plan.has(Fact.STILL_TAKING)) == (False, True)


def test_pills_left_decide_whether_disposal_is_asked(road: Road) -> None:
    road.ask("ask_pills_left", asks=Question.PILLS_LEFT)
    road.text("12")
    assert road.fresh_plan().has(Fact.PILLS_LEFT)
    later = NOW + timedelta(days=1)
    road.ask("disposal_1", asks=Question.DISPOSAL, due_at=later)
    road.text("DONE", now=later + timedelta(minutes=5))
    assert not road.fresh_plan().has(Fact.PILLS_LEFT)
    assert road.answers()[-1] == "disposal_done"


def test_later_to_the_last_disposal_text_promises_no_other(road: Road) -> None:
    road.ask("disposal_3", asks=Question.DISPOSAL)
    done = road.text("LATER")
    assert (done.handling, road.answers(), road.alerts()) == ("keyword", ["disposal_later_last"], [])


def test_trouble_with_the_step_holds_the_taper_and_asks_staff(road: Road) -> None:
    plan_of(road, 4, 2, 0, starts_on=date(2026, 6, 2))
    road.ask("taper_first", asks=Question.TAPER)
    assert road.text("YES").tier is Tier.ROUTINE
    assert taper_status(road) is TaperStatus.ON_HOLD
    assert not road.fresh_plan().has(Fact.TAPER_ACTIVE)
    assert road.answers() == ["taper_reply_trouble"]
    assert "taper_held" in [alert.task for alert in road.alerts()]


def test_severe_pain_holds_the_taper_and_says_so_once(road: Road) -> None:
    plan_of(road, 4, 2, 0, starts_on=date(2026, 6, 2))
    road.ask("ask_pain", asks=Question.PAIN)
    road.text("9")
    road.text("9", now=NOW + timedelta(minutes=1))
    assert taper_status(road) is TaperStatus.ON_HOLD
    assert sorted(road.answers()) == ["auto_pause", "auto_urgent", "auto_urgent"]


def test_no_trouble_with_the_last_step_gets_its_own_words(road: Road) -> None:
    plan_of(road, 4, 0, starts_on=date(2026, 5, 31))
    with road.sessions() as session:
        plan = session.scalars(select(TaperPlan)).one()
        first, last = plan.steps
    road.ask("taper_first", asks=Question.TAPER, taper_step_id=first.id)
    road.text("no")
    later = NOW + timedelta(hours=1)
    road.ask("taper_last", asks=Question.TAPER, taper_step_id=last.id, due_at=later)
    road.text("NO", now=later + timedelta(minutes=1))
    assert road.answers() == ["taper_reply_no", "taper_reply_no_last"]
    assert taper_status(road) is TaperStatus.APPROVED


def test_side_effects_get_their_lesson_once_a_week(road: Road) -> None:
    road.ask("ask_side_effect", asks=Question.SIDE_EFFECT)
    road.text("1")
    road.text("1", now=NOW + timedelta(minutes=1))
    assert road.answers() == ["edu_constipation"]


def test_pills_of_somebody_else_are_urgent_and_get_the_lesson(road: Road) -> None:
    road.ask("ask_other_source", asks=Question.OTHER_SOURCE)
    assert road.text("yes").tier is Tier.URGENT
    assert road.answers() == ["auto_urgent", "edu_no_share"]


# --- the web page of the check-in ---


def on_web(
    road: Road, *answers: tuple[Question, str], comment: str = "", **more: object
) -> inbound.WebResult:
    row = road.ask("ask_pain", "checkin_link", "ask_pills", asks=Question.PAIN)
    return inbound.answer_web(
        road.sessions,
        patient_id=road.patient.id,
        request_id=row.id,
        answers=answers,
        comment=comment,
        knowledge=road.knowledge,
        now=NOW,
    )


def test_web_answers_are_stored_and_judged_like_texts(road: Road) -> None:
    result = on_web(road, (Question.PAIN, "3"), (Question.PILLS, "2"), (Question.STILL_TAKING, "NO"))
    assert (result.tier, result.crisis, result.message_key) == (Tier.NONE, False, None)
    assert {(one.question, one.number, one.yes) for one in responses(road)} == {
        (Question.PAIN, Decimal(3), None),
        (Question.PILLS, Decimal(2), None),
        (Question.STILL_TAKING, None, False),
    }
    assert road.fresh_plan().has(Fact.STOPPED)
    assert road.alerts() == []
    [heard] = road.heard()
    assert (heard.handling, heard.patient_id) == ("web_answers", road.patient.id)


def test_danger_in_a_web_comment_is_a_crisis_and_pages(road: Road) -> None:
    result = on_web(road, (Question.PAIN, "3"), comment="i dont want to live anymore")
    assert (result.tier, result.crisis, result.message_key) == (Tier.EMERGENCY, True, "auto_suicide")
    assert result.lanes == frozenset({Lane.STAT})
    assert [alert.tier for alert in road.alerts()] == [Tier.EMERGENCY]
    assert len(road.pages()) == 2


def test_five_withdrawal_items_are_scored_together(road: Road) -> None:
    items = (Question.WD1, Question.WD2, Question.WD3, Question.WD4, Question.WD5)
    result = on_web(road, *((item, "2") for item in items))
    assert (result.tier, result.message_key) == (Tier.URGENT, "auto_urgent")


def test_a_second_submission_amends_the_first(road: Road) -> None:
    row = road.ask("ask_pain", asks=Question.PAIN)
    for number in ("3", "4"):
        inbound.answer_web(
            road.sessions,
            patient_id=road.patient.id,
            request_id=row.id,
            answers=[(Question.PAIN, number)],
            comment="",
            knowledge=road.knowledge,
            now=NOW,
        )
    [first] = [one for one in responses(road) if one.number == 3]
    [second] = [one for one in responses(road) if one.number == 4]
    assert (first.amends_id, second.amends_id) == (None, first.id)


def web_words(road: Road, comment: str, **over: Any) -> inbound.WebResult:
    return inbound.answer_web(
        road.sessions,
        patient_id=road.patient.id,
        request_id=None,
        answers=[],
        comment=comment,
        knowledge=over.get("knowledge", road.knowledge),
        now=NOW,
    )


def test_a_stop_written_on_the_page_ends_every_text(road: Road) -> None:
    for words in ("please stop texting me", "STOP"):
        web_words(road, words)
    assert road.fresh_plan().status is CarePlanStatus.ON_HOLD
    with road.sessions() as session:
        assert list(session.scalars(select(Suppression.value))) == [road.phone]
        assert list(session.scalars(select(Consent.status))) == [ConsentStatus.INACTIVE]
    assert [alert.task for alert in road.alerts()] == ["texts_stopped"]
    assert [row.message_key for row in road.requests() if row.in_reply_to_id] == ["auto_optout"]


@pytest.mark.parametrize("words", ["CALL", "HELP", "START", "i wish these would stop"])
def test_a_word_on_the_page_that_no_page_acts_on_goes_to_a_person(road: Road, words: str) -> None:
    assert web_words(road, words).tier is Tier.ROUTINE
    assert [(alert.kind, alert.tier) for alert in road.alerts()] == [(AlertKind.REPLY, Tier.ROUTINE)]


def test_what_a_page_sent_is_kept_when_understanding_fails(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("followup.services.recording.keep", lambda *_, **__: 1 / 0)
    result = on_web(road, (Question.PAIN, "3"), comment="STOP")
    assert (result.tier, result.message_key) == (Tier.URGENT, "auto_urgent")
    [heard] = road.heard()
    assert (heard.handling, heard.body) == ("could_not_read", "pain: 3\nSTOP")
    assert {(alert.task, alert.tier) for alert in road.alerts()} == {
        ("texts_stopped", Tier.ROUTINE),
        ("", Tier.URGENT),
    }
    assert road.fresh_plan().status is CarePlanStatus.ON_HOLD
    assert road.answers() == ["auto_optout"]


def test_what_a_page_sent_is_understood_later_when_the_database_was_away(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise OperationalError("", {}, Exception())

    with monkeypatch.context() as outage:
        outage.setattr("followup.services.web_answers.hear", away)
        with pytest.raises(OperationalError):
            on_web(road, (Question.PAIN, "9"), comment="i cant breathe")
    [heard] = road.heard()
    assert heard.processed_at is None
    assert inbound.sweep(road.sessions, knowledge=road.knowledge, now=NOW + timedelta(minutes=1)) == 1
    assert [one.number for one in responses(road)] == [9]
    assert Tier.EMERGENCY in {alert.tier for alert in road.alerts()}


def test_trouble_told_on_the_page_is_answered_by_the_pause(road: Road) -> None:
    plan_of(road, 4, 2, 0, starts_on=date(2026, 6, 2))
    row = road.ask("taper_next", asks=Question.TAPER)
    inbound.answer_web(
        road.sessions, patient_id=road.patient.id, request_id=row.id, answers=[(Question.TAPER, "YES")],
        comment="", knowledge=road.knowledge, now=NOW,
    )  # fmt: skip
    assert [one.message_key for one in road.requests() if one.in_reply_to_id] == ["auto_pause"]


@pytest.mark.parametrize("words", ["ok", "sure", "ok thanks", "yes no trouble", "yeah im fine"])
def test_an_ok_to_the_plan_holds_nothing(road: Road, words: str) -> None:
    plan_of(road, 4, 2, 0, starts_on=date(2026, 6, 2))
    road.ask("taper_next", asks=Question.TAPER)
    assert road.text(words).tier is Tier.NONE
    assert taper_status(road) is TaperStatus.APPROVED
    assert road.alerts() == []


@pytest.mark.parametrize(
    ("key", "question"),
    [("ask_still_taking", Question.STILL_TAKING), ("ask_disposal", Question.DISPOSAL)],
)
def test_an_ok_to_a_question_of_yes_or_no_is_asked_about(road: Road, key: str, question: Question) -> None:
    road.ask(key, asks=question)
    road.text("ok")
    assert responses(road) == []
    assert road.answers() == ["clarify_yesno"]
    assert [alert.tier for alert in road.alerts()] == [Tier.ROUTINE]


def test_an_ok_to_done_or_later_is_politeness(road: Road) -> None:
    road.ask("disposal_2", asks=Question.DISPOSAL)
    assert road.text("ok").tier is Tier.NONE
    assert road.answers() == []
