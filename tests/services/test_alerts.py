"""An alert is work for a person: raised once, paged at once, taken by one, closed with an outcome."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from followup.core.errors import Conflict, InvalidInput
from followup.core.vocabulary import (
    AlertEventKind,
    AlertKind,
    AlertOutcome,
    AlertStatus,
    Audience,
    Channel,
    FlagStatus,
    Lane,
    RequestOrigin,
    RequestStatus,
    StaffRole,
    Tier,
)
from followup.services import alerts
from followup.services.knowledge import load_knowledge
from followup.store.models import (
    Alert,
    CommunicationRequest,
    Flag,
    Organization,
    Patient,
    StaffUser,
)
from followup.store.queries import alerts as queries
from tests import factories
from tests.factories import NOW

KNOWLEDGE = load_knowledge()


@pytest.fixture
def dialect() -> str:
    return "sqlite"


@pytest.fixture
def clinic(session: Session) -> Organization:
    return factories.organization(session)


@pytest.fixture
def nurse(session: Session, clinic: Organization) -> StaffUser:
    return factories.staff(session, clinic)


@pytest.fixture
def person(session: Session, clinic: Organization) -> Patient:
    return factories.enrolled(session, clinic)[0]


def trigger(session: Session, clinic: Organization, person: Patient, tier: Tier, **over: Any) -> Alert:
    alert = alerts.trigger(
        session,
        clinic,
        **{
            "kind": AlertKind.REPLY,
            "tier": tier,
            "patient": person,
            "knowledge": KNOWLEDGE,
            "now": NOW,
            **over,
        },
    )
    session.flush()
    return alert


def pages(session: Session, alert: Alert) -> list[CommunicationRequest]:
    found = select(CommunicationRequest).where(
        CommunicationRequest.alert_id == alert.id,
        CommunicationRequest.origin == RequestOrigin.PAGE,
        CommunicationRequest.page_step.is_not(None),
        CommunicationRequest.status != RequestStatus.REVOKED,
    )
    return list(
        session.scalars(found.order_by(CommunicationRequest.page_round, CommunicationRequest.channel.desc()))
    )


def events(session: Session, alert: Alert) -> list[AlertEventKind]:
    return [event.kind for event in queries.events_of(session, alert.organization_id, alert.id)]


@pytest.mark.parametrize(
    ("tier", "key", "minutes"),
    [(Tier.EMERGENCY, "staff_page_emergency", 5), (Tier.URGENT, "staff_page_urgent", 30)],
)
def test_danger_pages_everybody_who_receives_pages_by_both_roads_at_once(
    session: Session,
    clinic: Organization,
    person: Patient,
    nurse: StaffUser,
    tier: Tier,
    key: str,
    minutes: int,
) -> None:
    second = factories.staff(session, clinic, phone=None)
    factories.staff(session, clinic, receives_pages=False)
    factories.staff(session, clinic, is_active=False)
    factories.staff(session, factories.organization(session))
    alert = trigger(session, clinic, person, tier)
    assert {(page.staff_id, page.channel) for page in pages(session, alert)} == {
        (nurse.id, Channel.SMS),
        (nurse.id, Channel.EMAIL),
        (second.id, Channel.EMAIL),
    }
    assert {(page.message_key, page.lane, page.audience) for page in pages(session, alert)} == {
        (key, Lane.STAT, Audience.STAFF)
    }
    assert alert.next_step_at == NOW + timedelta(minutes=minutes)


def test_a_page_holds_a_code_and_nothing_of_the_patient(
    session: Session, clinic: Organization, person: Patient, nurse: StaffUser
) -> None:
    alert = trigger(session, clinic, person, Tier.EMERGENCY)
    assert all(page.fields == {"alert": alert.code} for page in pages(session, alert))
    assert len(alert.code) == 4
    assert alert.code.isdigit()


def test_routine_only_opens_in_the_worklist(
    session: Session, clinic: Organization, person: Patient, nurse: StaffUser
) -> None:
    alert = trigger(session, clinic, person, Tier.ROUTINE)
    assert (pages(session, alert), alert.next_step_at) == ([], None)
    assert list(queries.open_alerts(session, clinic.id)) == [alert]


def test_the_policy_is_kept_as_it_stood(
    session: Session, clinic: Organization, person: Patient, nurse: StaffUser
) -> None:
    [step] = trigger(session, clinic, person, Tier.EMERGENCY).policy
    assert step == {
        "number": 1,
        "delay_minutes": 0,
        "repeat_minutes": 5,
        "targets": "receives_pages",
        "channels": ["sms", "email"],
    }


def test_where_nobody_receives_pages_all_who_may_take_alerts_are_paged_and_a_task_says_so(
    session: Session, clinic: Organization, person: Patient
) -> None:
    taker = factories.staff(session, clinic, receives_pages=False, role=StaffRole.ADMIN)
    factories.staff(session, clinic, receives_pages=False, role=StaffRole.COORDINATOR)
    alert = trigger(session, clinic, person, Tier.EMERGENCY)
    assert {page.staff_id for page in pages(session, alert)} == {taker.id}
    assert "nobody_receives_pages" in {one.task for one in queries.open_alerts(session, clinic.id)}


def test_a_patient_has_one_open_alert_that_gathers_flags(
    session: Session, clinic: Organization, person: Patient, nurse: StaffUser
) -> None:
    row = factories.request(session, factories.care_plan(session, person), "+12025550100")
    said = factories.sent(session, row)
    first = trigger(session, clinic, person, Tier.ROUTINE, communication=said, flags=("side_effect",))
    again = trigger(session, clinic, person, Tier.ROUTINE, communication=said, flags=("question",))
    assert first.id == again.id
    assert set(queries.active_flags(session, clinic.id, first.id)) == {"side_effect", "question"}
    assert set(events(session, first)) == {AlertEventKind.TRIGGERED, AlertEventKind.FLAG_ADDED}
    assert list(queries.words_behind(session, clinic.id, first.id)) == [said]


def test_worse_news_raises_the_open_alert_and_pages(
    session: Session, clinic: Organization, person: Patient, nurse: StaffUser
) -> None:
    alert = trigger(session, clinic, person, Tier.ROUTINE)
    trigger(session, clinic, person, Tier.URGENT)
    assert [page.message_key for page in pages(session, alert)] == ["staff_page_urgent"] * 2
    trigger(session, clinic, person, Tier.EMERGENCY)
    assert [page.message_key for page in pages(session, alert)][2:] == ["staff_raised"] * 2
    assert (alert.tier, alert.next_step_at) == (Tier.EMERGENCY, NOW + timedelta(minutes=5))


def test_the_same_danger_again_does_not_page_twice_while_nobody_has_taken_it(
    session: Session, clinic: Organization, person: Patient, nurse: StaffUser
) -> None:
    alert = trigger(session, clinic, person, Tier.EMERGENCY)
    trigger(session, clinic, person, Tier.URGENT)
    assert (len(pages(session, alert)), alert.tier) == (2, Tier.EMERGENCY)


def test_taking_an_alert_stops_the_pages_that_have_not_gone(
    session: Session, clinic: Organization, person: Patient, nurse: StaffUser
) -> None:
    alert = trigger(session, clinic, person, Tier.EMERGENCY)
    gone = pages(session, alert)[0]
    gone.status = RequestStatus.IN_PROGRESS
    session.flush()
    assert alerts.acknowledge(session, alert, by=nurse, now=NOW + timedelta(minutes=1))
    assert [page.id for page in pages(session, alert)] == [gone.id]
    assert (alert.status, alert.next_step_at) == (AlertStatus.ACKNOWLEDGED, None)
    assert (alert.acknowledged_by, alert.acknowledged_at) == (nurse.id, NOW + timedelta(minutes=1))


def test_the_second_to_take_an_alert_is_told_it_is_taken(
    session: Session, clinic: Organization, person: Patient, nurse: StaffUser
) -> None:
    other = factories.staff(session, clinic)
    alert = trigger(session, clinic, person, Tier.EMERGENCY)
    assert alerts.acknowledge(session, alert, by=nurse, now=NOW)
    assert not alerts.acknowledge(session, alert, by=other, now=NOW)
    assert alert.acknowledged_by == nurse.id


def test_people_who_were_paged_hear_that_somebody_took_it(
    session: Session, clinic: Organization, person: Patient, nurse: StaffUser
) -> None:
    other = factories.staff(session, clinic)
    alert = trigger(session, clinic, person, Tier.EMERGENCY)
    for page in pages(session, alert):
        page.status = RequestStatus.COMPLETED
    session.flush()
    alerts.acknowledge(session, alert, by=nurse, now=NOW)
    session.flush()
    [told] = session.scalars(
        select(CommunicationRequest).where(CommunicationRequest.message_key == "staff_taken_by_other")
    )
    assert (told.staff_id, told.channel) == (other.id, Channel.SMS)
    assert told.fields == {"alert": alert.code, "staff": nurse.display_name}


def test_passing_on_pages_all_the_others_again(
    session: Session, clinic: Organization, person: Patient, nurse: StaffUser
) -> None:
    other = factories.staff(session, clinic)
    alert = trigger(session, clinic, person, Tier.EMERGENCY)
    alerts.acknowledge(session, alert, by=nurse, now=NOW)
    assert alerts.pass_on(session, alert, by=nurse, knowledge=KNOWLEDGE, now=NOW)
    session.flush()
    assert (alert.status, alert.acknowledged_by) == (AlertStatus.TRIGGERED, None)
    assert {page.staff_id for page in pages(session, alert)} == {other.id}


def test_passing_on_with_nobody_else_pages_the_whole_group(
    session: Session, clinic: Organization, person: Patient, nurse: StaffUser
) -> None:
    alert = trigger(session, clinic, person, Tier.EMERGENCY)
    assert not alerts.pass_on(session, alert, by=nurse, knowledge=KNOWLEDGE, now=NOW)
    session.flush()
    assert len(pages(session, alert)) == 4


def test_taking_over_moves_the_alert_and_tells_the_former_owner(
    session: Session, clinic: Organization, person: Patient, nurse: StaffUser
) -> None:
    other = factories.staff(session, clinic)
    alert = trigger(session, clinic, person, Tier.URGENT)
    alerts.acknowledge(session, alert, by=nurse, now=NOW)
    assert alerts.take_over(session, alert, by=other, now=NOW) == nurse
    assert alert.acknowledged_by == other.id


def test_closing_needs_an_outcome_and_ends_flags_and_pages(
    session: Session, clinic: Organization, person: Patient, nurse: StaffUser
) -> None:
    said = factories.sent(
        session, factories.request(session, factories.care_plan(session, person), "+12025550100")
    )
    alert = trigger(session, clinic, person, Tier.EMERGENCY, communication=said, flags=("breathing",))
    alerts.acknowledge(session, alert, by=nurse, now=NOW)
    alerts.resolve(session, alert, by=nurse, outcome=AlertOutcome.SENT_TO_ED, note=" Sent by car. ", now=NOW)
    assert (alert.status, alert.outcome, alert.note) == (
        AlertStatus.RESOLVED,
        AlertOutcome.SENT_TO_ED,
        "Sent by car.",
    )
    assert set(session.scalars(select(Flag.status))) == {FlagStatus.INACTIVE}
    with pytest.raises(Conflict):
        alerts.resolve(session, alert, by=nurse, outcome=AlertOutcome.CALLED, note=None, now=NOW)
    with pytest.raises(Conflict):
        alerts.acknowledge(session, alert, by=nurse, now=NOW)


def test_a_new_text_after_closing_opens_a_new_alert(
    session: Session, clinic: Organization, person: Patient, nurse: StaffUser
) -> None:
    first = trigger(session, clinic, person, Tier.URGENT)
    alerts.resolve(session, first, by=nurse, outcome=AlertOutcome.CALLED, note=None, now=NOW)
    assert trigger(session, clinic, person, Tier.URGENT).id != first.id


def test_a_note_can_be_added_after_closing_and_must_say_something(
    session: Session, clinic: Organization, person: Patient, nurse: StaffUser
) -> None:
    alert = trigger(session, clinic, person, Tier.ROUTINE)
    alerts.resolve(session, alert, by=nurse, outcome=AlertOutcome.ADVICE, note="Rest.", now=NOW)
    alerts.add_note(session, alert, by=nurse, note="Called again.", now=NOW)
    assert alert.note == "Rest.\nCalled again."
    with pytest.raises(InvalidInput):
        alerts.add_note(session, alert, by=nurse, note="  ", now=NOW)


def test_one_open_task_of_a_name_for_each_patient(
    session: Session, clinic: Organization, person: Patient, nurse: StaffUser
) -> None:
    other = factories.patient(session, clinic)
    made = [
        alerts.open_task(session, clinic.id, task="call", patient=whom, now=NOW, knowledge=KNOWLEDGE)
        for whom in (person, person, other, None, None)
    ]
    assert len({one.id for one in made}) == 3
    assert {(one.kind, one.tier) for one in made} == {(AlertKind.STAFF_TASK, Tier.ROUTINE)}


def test_an_alert_says_when_no_text_can_reach_the_patient(
    session: Session, clinic: Organization, person: Patient, nurse: StaffUser
) -> None:
    assert not trigger(session, clinic, person, Tier.ROUTINE).cannot_text
    [road] = session.scalars(
        select(factories.ContactPoint).where(factories.ContactPoint.patient_id == person.id)
    )
    factories.suppression(session, clinic, road.value)
    assert trigger(session, clinic, person, Tier.ROUTINE).cannot_text


def test_another_clinic_cannot_find_the_alert(
    session: Session, clinic: Organization, person: Patient, nurse: StaffUser
) -> None:
    alert = trigger(session, clinic, person, Tier.URGENT)
    elsewhere = factories.organization(session)
    assert queries.open_alert_by_code(session, elsewhere.id, alert.code) is None
    assert queries.alert_by_public_id(session, elsewhere.id, alert.public_id) is None
    assert list(queries.open_alerts(session, elsewhere.id)) == []


def test_history_is_only_added_to(
    session: Session, clinic: Organization, person: Patient, nurse: StaffUser
) -> None:
    alert = trigger(session, clinic, person, Tier.URGENT)
    alerts.acknowledge(session, alert, by=nurse, now=NOW)
    alerts.resolve(session, alert, by=nurse, outcome=AlertOutcome.CALLED, note="ok", now=NOW)
    session.flush()
    assert set(events(session, alert)) == {
        AlertEventKind.TRIGGERED,
        AlertEventKind.PAGED,
        AlertEventKind.ACKNOWLEDGED,
        AlertEventKind.RESOLVED,
    }
