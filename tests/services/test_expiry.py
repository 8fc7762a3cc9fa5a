"""What was not sent in its time is never sent late: it ends with a reason, moves once, or staff are asked."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from followup.core.vocabulary import (
    CarePlanStatus,
    CatchUp,
    Fact,
    Lane,
    RequestOrigin,
    RequestStatus,
    TaperStatus,
)
from followup.services import expiry
from followup.services.knowledge import load_knowledge
from followup.store.models import Alert, CarePlan, CommunicationRequest, TaperPlan, TaperStep
from tests import factories as make
from tests.factories import NOW

LATE = {"due_at": NOW - timedelta(hours=4), "expires_at": NOW}
SUNDAY_EVENING = datetime(2026, 6, 8, 0, 0, tzinfo=UTC)  # 20:00 of Sunday, June 7, in New York


def late(sessions, **over):
    """Write a text whose window has passed; return its request's id."""
    with sessions.begin() as session:
        clinic = make.organization(session)
        _, plan, road = make.enrolled(session, clinic)
        return make.request(session, plan, road.value, **{**LATE, **over}).id


def expire(sessions, now=NOW):
    return expiry.expire(sessions, knowledge=load_knowledge(), now=now)


def read(sessions, request_id):
    with sessions() as session:
        return session.get_one(CommunicationRequest, request_id)


def tasks(sessions):
    with sessions() as session:
        return list(session.scalars(select(Alert.task)))


def test_a_text_whose_window_passed_ends_and_is_not_asked_about(sessions):
    request_id = late(sessions)
    assert expire(sessions) == expiry.ExpiryReport(expired=1, moved=0, asked=0)
    request = read(sessions, request_id)
    assert (request.status, request.ended_reason) == (RequestStatus.EXPIRED, "window")
    assert tasks(sessions) == []


def test_what_may_still_go_is_left_alone(sessions):
    request_id = late(sessions, expires_at=NOW + timedelta(seconds=1))
    assert expire(sessions) == expiry.ExpiryReport(expired=0, moved=0, asked=0)
    assert read(sessions, request_id).status is RequestStatus.ACTIVE


def test_the_gate_that_kept_it_back_is_named(sessions):
    request_id = late(sessions, requires=int(Fact.TAPER_ACTIVE))
    expire(sessions)
    assert read(sessions, request_id).ended_reason == "condition"


def test_what_was_held_by_a_person_ends_with_that_reason(sessions):
    request_id = late(sessions, status=RequestStatus.ON_HOLD, ended_reason="on_hold_by_staff")
    expire(sessions)
    request = read(sessions, request_id)
    assert (request.status, request.ended_reason) == (RequestStatus.EXPIRED, "on_hold_by_staff")


def test_more_than_one_batch_ends_in_one_go(sessions, monkeypatch):
    monkeypatch.setattr(expiry, "_BATCH", 2)
    for _ in range(5):
        late(sessions)
    assert expire(sessions).expired == 5


def with_step(sessions, request_id):
    with sessions.begin() as session:
        request = session.get_one(CommunicationRequest, request_id)
        shared = {"created_at": NOW, "organization_id": request.organization_id, "starts_on": NOW.date()}
        plan = make.add(
            session,
            TaperPlan(
                **shared, care_plan_id=request.care_plan_id, version=1, status=TaperStatus.APPROVED,
                start_units=4, unit=1, days_taken=5, warnings=[], digest="0" * 64, rule_text="",
            ),
        )  # fmt: skip
        step = make.add(session, TaperStep(**shared, taper_plan_id=plan.id, sequence=1, days=2, max_units=4))
        request.taper_step_id = step.id


def test_a_missed_step_of_a_taper_is_not_sent_but_asked_about(sessions):
    request_id = late(sessions, catch_up=CatchUp.ASK_STAFF)
    with_step(sessions, request_id)
    assert expire(sessions) == expiry.ExpiryReport(expired=1, moved=0, asked=1)
    assert read(sessions, request_id).status is RequestStatus.EXPIRED
    assert tasks(sessions) == ["taper_step_missed"]


def test_a_step_that_no_longer_applies_asks_nobody(sessions):
    late(sessions, catch_up=CatchUp.ASK_STAFF, requires=int(Fact.TAPER_ACTIVE))
    assert expire(sessions).asked == 0
    assert tasks(sessions) == []


def test_a_safety_text_that_missed_its_hour_goes_at_the_next_that_is_allowed(sessions):
    over = {"due_at": SUNDAY_EVENING - timedelta(hours=3), "expires_at": SUNDAY_EVENING}
    request_id = late(sessions, catch_up=CatchUp.SEND_LATE, is_safety=True, **over)
    assert expire(sessions, SUNDAY_EVENING).moved == 1
    request = read(sessions, request_id)
    monday = datetime(2026, 6, 8, 13, 0, tzinfo=UTC)  # 09:00 in New York
    assert (request.status, request.due_at) == (RequestStatus.ACTIVE, monday)
    assert request.next_attempt_at == monday
    assert request.expires_at == monday + timedelta(hours=3)


def test_it_moves_only_once_and_then_a_person_is_asked(sessions):
    request_id = late(sessions, catch_up=CatchUp.SEND_LATE)
    assert expire(sessions).moved == 1
    later = read(sessions, request_id).expires_at
    assert expire(sessions, later) == expiry.ExpiryReport(expired=1, moved=0, asked=1)
    assert tasks(sessions) == ["safety_text_missed"]


def test_a_full_day_takes_no_late_text(sessions):
    request_id = late(sessions, catch_up=CatchUp.SEND_LATE)
    with sessions.begin() as session:
        row = session.get_one(CommunicationRequest, request_id)
        plan = session.get_one(CarePlan, row.care_plan_id)
        for minutes in (1, 2):
            at = NOW + timedelta(minutes=minutes)
            make.request(session, plan, row.address, due_at=at, expires_at=at + timedelta(hours=1))
    assert expire(sessions) == expiry.ExpiryReport(expired=1, moved=0, asked=1)


def test_after_a_day_it_is_too_late(sessions):
    request_id = late(sessions, catch_up=CatchUp.SEND_LATE)
    assert expire(sessions, NOW + timedelta(hours=25)).moved == 0
    assert read(sessions, request_id).status is RequestStatus.EXPIRED


@pytest.mark.parametrize("status", [CarePlanStatus.ON_HOLD, CarePlanStatus.REVOKED])
def test_a_stopped_course_moves_nothing(sessions, status):
    request_id = late(sessions, catch_up=CatchUp.SEND_LATE)
    with sessions.begin() as session:
        session.scalars(select(CarePlan)).one().status = status
    assert expire(sessions) == expiry.ExpiryReport(expired=1, moved=0, asked=0)
    assert read(sessions, request_id).ended_reason == "hold"


def test_an_answer_that_nobody_could_send_in_time_ends_quietly(sessions):
    request_id = late(sessions, origin=RequestOrigin.REPLY, lane=Lane.STAT)
    expire(sessions)
    assert read(sessions, request_id).status is RequestStatus.EXPIRED
