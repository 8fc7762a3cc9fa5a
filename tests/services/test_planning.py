"""Schedules become rows once; what went stays as it went; what no longer holds is taken back."""

from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from followup.core.vocabulary import (
    Audience,
    CatchUp,
    Channel,
    Course,
    Fact,
    Lane,
    Language,
    Priority,
    RequestOrigin,
    RequestStatus,
)
from followup.services import planning, taper_drafts
from followup.store.models import CommunicationRequest, Organization
from followup.store.session import make_engine, session_factory
from tests import factories as make
from tests.factories import NOW, ZONE
from tests.services import people

HELD = (RequestStatus.ACTIVE, RequestStatus.REVOKED, RequestStatus.EXPIRED, RequestStatus.COMPLETED)


def apply(session, plan, now=NOW):
    return planning.apply(session, plan, knowledge=people.knowledge(), now=now)


def later(**amount):
    return NOW + timedelta(**amount)


@pytest.fixture
def clinic(session):
    return make.organization(session)


@pytest.fixture
def plan(session, clinic):
    """Return the plan of a patient who said yes on day 0; a draft of the taper waits."""
    plan = people.enrol(session, clinic)
    people.yes(session, plan)
    return plan


def day(plan, row):
    return (row.due_at.astimezone(ZoneInfo(ZONE)).date() - plan.discharge_on).days


def most_a_day(session, plan):
    """Return the most texts of one day, for those who take pills and for those who stopped."""
    rows = people.rows(session, plan, RequestStatus.ACTIVE, RequestStatus.COMPLETED)
    counts = [
        Counter(day(plan, row) for row in rows if not row.requires & other)
        for other in (Fact.STOPPED, Fact.STILL_TAKING)
    ]
    return max(max(one.values()) for one in counts)


def test_nothing_is_planned_for_someone_who_has_not_said_yes(session, clinic):
    plan = people.enrol(session, clinic)
    assert apply(session, plan) == 0
    assert people.rows(session, plan, *HELD) == []


def test_a_row_holds_all_that_its_drain_needs(session, plan):
    row = next(row for row in people.rows(session, plan) if row.action_id == "C4")
    assert (row.audience, row.origin, row.lane) == (Audience.PATIENT, RequestOrigin.PLANNED, Lane.ROUTINE)
    assert (row.priority, row.channel, row.language) == (Priority.ROUTINE, Channel.SMS, Language.EN)
    assert (row.catch_up, row.occurrence, row.plan_version) == (CatchUp.SKIP, "once", 1)
    assert row.address == people.invitation(session, plan).address
    assert row.message_key == row.message_keys[0] == "ask_pain"
    assert row.requires == int(Fact.CONSENTED)
    assert row.next_attempt_at == row.due_at == datetime(2026, 6, 6, 14, tzinfo=row.due_at.tzinfo)
    assert row.expires_at - row.due_at == timedelta(hours=7)
    assert row.organization_id == plan.organization_id


def test_planning_again_adds_nothing_and_revokes_nothing(session, plan):
    before = people.what(people.rows(session, plan))
    assert apply(session, plan) == 0
    assert people.what(people.rows(session, plan)) == before
    assert people.rows(session, plan, RequestStatus.REVOKED) == []


@pytest.mark.parametrize("hours", [7, 30, 24 * 5, 24 * 12])
def test_planning_again_at_any_later_time_changes_nothing(session, plan, hours):
    now = later(hours=hours)
    people.went(session, plan, until=now)
    before = people.what(people.rows(session, plan))
    assert apply(session, plan, now) == 0
    assert people.what(people.rows(session, plan)) == before


@pytest.mark.parametrize("hours", [0, 7, 30, 24 * 3])
def test_approval_revokes_what_stood_for_steps_and_adds_the_steps(session, clinic, plan, hours):
    now = later(hours=hours)
    gone = people.went(session, plan, until=now)
    before = {row.id for row in people.rows(session, plan)}
    people.approve(session, plan, people.prescriber(session, clinic), now=now)
    revoked = people.rows(session, plan, RequestStatus.REVOKED)
    given_way = {row.action_id for row in revoked} - {"E2"}  # the word of approval may need the room of E2
    assert given_way == {"C8", "C10", "C12"}
    assert {row.ended_reason for row in revoked} == {"replanned"}
    added = [row for row in people.rows(session, plan) if row.id not in before]
    assert [row.occurrence for row in added if row.action_id == "step_text"] == [
        "v1.1",
        "v1.2",
        "v1.3",
        "v1.4",
    ]
    assert all(row.taper_step_id for row in added if row.action_id == "step_text")
    assert len(people.rows(session, plan, RequestStatus.COMPLETED)) == gone


def test_a_text_that_went_is_never_planned_again(session, clinic, plan):
    now = later(days=3)
    people.went(session, plan, until=now)
    people.approve(session, plan, people.prescriber(session, clinic), now=now)
    apply(session, plan, now)
    keys = Counter(
        (row.action_id, row.occurrence)
        for row in people.rows(session, plan, RequestStatus.ACTIVE, RequestStatus.COMPLETED)
    )
    assert max(keys.values()) == 1
    assert most_a_day(session, plan) <= 2


def test_what_is_on_its_way_or_unknown_is_left_alone(session, clinic, plan):
    row = people.rows(session, plan)[0]
    row.status = RequestStatus.IN_PROGRESS
    session.flush()
    people.approve(session, plan, people.prescriber(session, clinic))
    assert row.status is RequestStatus.IN_PROGRESS
    assert row.action_id not in {one.action_id for one in people.rows(session, plan)}


def test_what_ended_unsent_is_not_planned_a_second_time(session, plan):
    row = next(row for row in people.rows(session, plan) if row.action_id == "E3")
    row.status = RequestStatus.EXPIRED
    session.flush()
    now = later(days=2)
    people.went(session, plan, until=now)
    apply(session, plan, now)
    assert "E3" not in {one.action_id for one in people.rows(session, plan)}


def test_a_safety_text_that_waits_past_its_window_is_planned_on_the_next_evening(session, plan):
    now = later(days=1, hours=11)  # 22:00 of day 1: E3 of 17:00 is still active, its window has passed
    missed = next(row for row in people.rows(session, plan) if row.action_id == "E3")
    apply(session, plan, now)
    assert missed.status is RequestStatus.REVOKED
    again = next(row for row in people.rows(session, plan) if row.action_id == "E3")
    assert day(plan, again) in (2, 3)


def test_another_language_is_taken_up_by_what_has_not_gone(session, plan):
    people.patient_of(session, plan).language = Language.ES
    session.flush()
    apply(session, plan)
    assert {row.language for row in people.rows(session, plan)} == {Language.ES}


def test_support_texts_come_and_go_with_the_wish_for_them(session, plan):
    plan.set_fact(Fact.SUPPORT_ON, true=False)
    session.flush()
    assert apply(session, plan) == 0
    assert not [row for row in people.rows(session, plan) if row.action_id.startswith("K")]
    plan.set_fact(Fact.SUPPORT_ON, true=True)
    session.flush()
    assert apply(session, plan) == 7


def test_where_a_person_said_yes_twice_texts_win(session, clinic):
    plan = people.enrol(session, clinic, people.by_email())
    people.yes(session, plan)
    assert {row.channel for row in people.rows(session, plan)} == {Channel.EMAIL}
    person, number = people.patient_of(session, plan), make.phone()
    make.contact(session, person, value=number)
    make.consent(session, person, number)
    apply(session, plan)
    assert {(row.channel, row.address) for row in people.rows(session, plan)} == {(Channel.SMS, number)}


def test_a_new_version_takes_the_place_of_the_old_ones_rows(session, clinic, plan):
    by = people.prescriber(session, clinic)
    people.approve(session, plan, by)
    taper_drafts.draft(
        session, clinic.id, plan, starts_on=plan.discharge_on + timedelta(days=6), by=by.id,
        rows=[(Decimal(3), 4), (Decimal(2), 4), (Decimal(1), 4)], knowledge=people.knowledge(), now=NOW,
    )  # fmt: skip
    people.approve(session, plan, by)
    steps = [row for row in people.rows(session, plan) if row.action_id == "step_text"]
    assert [row.occurrence for row in steps] == ["v2.1", "v2.2", "v2.3", "v2.4"]
    assert [day(plan, row) for row in steps] == [5, 9, 13, 17]
    assert most_a_day(session, plan) <= 2


def test_revoking_takes_back_only_what_has_not_been_claimed(session, plan):
    first, second, *rest = people.rows(session, plan)
    first.status, second.status = RequestStatus.COMPLETED, RequestStatus.IN_PROGRESS
    session.flush()
    assert planning.revoke_active(session, plan, reason="test") == len(rest)
    assert {row.ended_reason for row in people.rows(session, plan, RequestStatus.REVOKED)} == {"test"}
    assert (first.status, second.status) == (RequestStatus.COMPLETED, RequestStatus.IN_PROGRESS)


def test_revoking_a_taper_leaves_check_ins_and_education(session, clinic, plan):
    people.approve(session, plan, people.prescriber(session, clinic))
    assert planning.revoke_active(session, plan, reason="taper_held", taper_only=True) == 4
    assert {
        row.action_id for row in people.rows(session, plan, RequestStatus.REVOKED) if row.taper_step_id
    } == {"step_text"}


def reply(session, plan, heard, **over):
    clinic, person = session.get_one(Organization, plan.organization_id), people.patient_of(session, plan)
    values = {
        "organization": clinic,
        "patient": person,
        "channel": Channel.SMS,
        "address": people.invitation(session, plan).address,
        "language": person.language,
        "message_key": "auto_help",
        "in_reply_to": heard,
        "now": NOW,
        **over,
    }
    return planning.reply(session, **values)


def test_an_answer_is_written_once_and_lives_ten_minutes(session, plan):
    heard = people.heard(session, plan, "HELP")
    row = reply(session, plan, heard)
    assert (row.lane, row.priority, row.origin) == (Lane.STAT, Priority.ASAP, RequestOrigin.REPLY)
    assert row.expires_at == NOW + timedelta(minutes=10)
    assert reply(session, plan, heard) is None
    assert reply(session, plan, heard, message_key="auto_thanks") is not None
    count = select(func.count()).where(CommunicationRequest.in_reply_to_id == heard.id)
    assert session.scalar(count) == 2


def test_the_ten_minutes_count_from_the_persons_own_text(session, plan):
    heard = people.heard(session, plan, "HELP", now=NOW - timedelta(minutes=9))
    assert reply(session, plan, heard).expires_at == NOW + timedelta(minutes=1)


def test_a_safety_answer_lives_a_day_and_goes_first(session, plan):
    heard = people.heard(session, plan, "i cant breathe")
    row = reply(session, plan, heard, origin=RequestOrigin.SAFETY, message_key="auto_emergency")
    assert (row.is_safety, row.priority) == (True, Priority.STAT)
    assert row.expires_at == NOW + timedelta(hours=24)


def test_a_stranger_is_answered_without_a_patient(session, plan):
    heard = people.heard(session, plan, "who is this")
    row = reply(session, plan, heard, patient=None, message_key="auto_unknown")
    assert (row.audience, row.patient_id, row.care_plan_id) == (Audience.UNKNOWN_SENDER, None, None)


def test_days_are_counted_on_the_patients_own_calendar(session, plan):
    person = people.patient_of(session, plan)
    late_evening = datetime(2026, 6, 3, 3, 30, tzinfo=NOW.tzinfo)  # 23:30 of June 2 in New York
    assert planning.day_of_course(plan, person, late_evening) == 0
    assert planning.day_of_course(plan, person, late_evening + timedelta(hours=1)) == 1


def test_many_plans_are_written_as_each_one_alone(session, clinic):
    plans = [people.enrol(session, clinic, people.form(course=course)) for course in Course]
    for plan in plans:
        people.yes(session, plan)
    one_by_one = [people.what(people.rows(session, plan)) for plan in plans]
    for plan in plans:
        planning.revoke_active(session, plan, reason="test")
    session.flush()
    assert planning.apply_many(session, plans, knowledge=people.knowledge(), now=NOW) == sum(
        map(len, one_by_one)
    )
    assert [people.what(people.rows(session, plan)) for plan in plans] == one_by_one


def claimed_by_another(postgres_url):
    """Write a planned course, and return its sessions, plan and the id of a row that a drain then claims."""
    sessions = session_factory(make_engine(postgres_url))
    with sessions.begin() as session:
        plan = people.enrol(session, make.organization(session))
        people.yes(session, plan)
        row_id = people.rows(session, plan)[0].id
    return sessions, plan, row_id


def claim(sessions, row_id):
    with sessions.begin() as drain:
        row = drain.get_one(CommunicationRequest, row_id)
        row.status, row.attempt = RequestStatus.IN_PROGRESS, 1


def test_a_text_that_a_drain_claims_meanwhile_is_not_taken_back(postgres_url):
    sessions, plan, row_id = claimed_by_another(postgres_url)
    with sessions.begin() as stop:
        assert people.rows(stop, plan)  # read as active, before the drain
        claim(sessions, row_id)
        planning.revoke_active(stop, plan, reason="opted_out")
    with sessions() as session:
        assert session.get_one(CommunicationRequest, row_id).status is RequestStatus.IN_PROGRESS
    sessions.kw["bind"].dispose()


def test_a_text_that_a_drain_claims_meanwhile_is_not_planned_a_second_time(postgres_url):
    sessions, plan, row_id = claimed_by_another(postgres_url)
    with sessions.begin() as again:
        plan = again.merge(plan)
        patient = people.patient_of(again, plan)
        patient.language = Language.ES  # every text has to be written anew
        again.flush()
        assert people.rows(again, plan)
        claim(sessions, row_id)
        apply(again, plan)
    with sessions() as session:
        row = session.get_one(CommunicationRequest, row_id)
        same = select(func.count()).where(
            CommunicationRequest.care_plan_id == plan.id,
            CommunicationRequest.action_id == row.action_id,
            CommunicationRequest.occurrence == row.occurrence,
            CommunicationRequest.status != RequestStatus.REVOKED,
        )
        assert (row.status, session.scalar(same)) == (RequestStatus.IN_PROGRESS, 1)
    sessions.kw["bind"].dispose()
