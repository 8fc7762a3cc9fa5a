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
    CommunicationStatus,
    ConsentStatus,
    FlagStatus,
    Lane,
    RequestOrigin,
    RequestStatus,
    StaffRole,
    Tier,
)
from followup.services import alert_rows as rows
from followup.services import alerts
from followup.services.knowledge import load_knowledge
from followup.store.models import (
    Alert,
    CommunicationRequest,
    ContactPoint,
    Flag,
    Organization,
    Patient,
    StaffUser,
)
from followup.store.queries import alerts as queries
from followup.store.queries import outbound
from followup.store.session import make_engine, session_factory
from tests import factories
from tests.factories import NOW
from tests.services import roads

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
    alerts.acknowledge(session, first, by=nurse, now=NOW)
    alerts.resolve(session, first, by=nurse, outcome=AlertOutcome.CALLED, note=None, now=NOW)
    assert trigger(session, clinic, person, Tier.URGENT).id != first.id


def test_a_note_can_be_added_after_closing_and_must_say_something(
    session: Session, clinic: Organization, person: Patient, nurse: StaffUser
) -> None:
    alert = trigger(session, clinic, person, Tier.ROUTINE)
    seen = queries.newest_words(session, clinic.id, alert.id)
    alerts.resolve(session, alert, by=nurse, outcome=AlertOutcome.ADVICE, note="Rest.", now=NOW, seen=seen)
    alerts.add_note(session, alert, by=nurse, note="Called again.", now=NOW)
    assert alert.note == "Rest.\nCalled again."
    with pytest.raises(InvalidInput):
        alerts.add_note(session, alert, by=nurse, note="  ", now=NOW)


def test_nobody_closes_what_they_have_not_read(
    session: Session, clinic: Organization, person: Patient, nurse: StaffUser
) -> None:
    alert = trigger(session, clinic, person, Tier.URGENT)
    alerts.acknowledge(session, alert, by=nurse, now=NOW)
    seen = queries.newest_words(session, clinic.id, alert.id)
    trigger(session, clinic, person, Tier.ROUTINE)
    closing: dict[str, Any] = {"by": nurse, "outcome": AlertOutcome.CALLED, "note": None, "now": NOW}
    with pytest.raises(Conflict, match="New words came in"):
        alerts.resolve(session, alert, **closing)
    with pytest.raises(Conflict, match="New words came in"):
        alerts.resolve(session, alert, **closing, seen=seen)
    assert alert.status is AlertStatus.ACKNOWLEDGED
    alerts.resolve(session, alert, **closing, seen=queries.newest_words(session, clinic.id, alert.id))
    assert (alert.status, alert.next_step_at) == (AlertStatus.RESOLVED, None)


def test_an_emergency_after_an_acknowledgement_is_not_closed_and_stays_paged(
    session: Session, clinic: Organization, person: Patient, nurse: StaffUser
) -> None:
    alert = trigger(session, clinic, person, Tier.URGENT)
    alerts.acknowledge(session, alert, by=nurse, now=NOW)
    seen = queries.newest_words(session, clinic.id, alert.id)
    trigger(session, clinic, person, Tier.EMERGENCY)
    with pytest.raises(Conflict):
        alerts.resolve(session, alert, by=nurse, outcome=AlertOutcome.CALLED, note="ok", now=NOW, seen=seen)
    assert [page.status for page in pages(session, alert)] == [RequestStatus.ACTIVE] * 2
    assert alert.status is AlertStatus.TRIGGERED


def test_danger_that_nobody_has_cannot_be_closed(
    session: Session, clinic: Organization, person: Patient, nurse: StaffUser
) -> None:
    alert = trigger(session, clinic, person, Tier.EMERGENCY)
    seen = queries.newest_words(session, clinic.id, alert.id)
    with pytest.raises(Conflict, match="Nobody has this alert"):
        alerts.resolve(session, alert, by=nurse, outcome=AlertOutcome.CALLED, note="ok", now=NOW, seen=seen)


def test_what_was_noted_before_stays_when_the_closer_says_nothing(
    session: Session, clinic: Organization, person: Patient, nurse: StaffUser
) -> None:
    alert = trigger(session, clinic, person, Tier.URGENT)
    alerts.acknowledge(session, alert, by=nurse, now=NOW)
    alerts.add_note(session, alert, by=nurse, note="No answer.", now=NOW)
    alerts.resolve(session, alert, by=nurse, outcome=AlertOutcome.CALLED, note=None, now=NOW)
    assert alert.note == "No answer."


def test_every_round_of_pages_is_a_new_one(
    session: Session, clinic: Organization, person: Patient, nurse: StaffUser
) -> None:
    alert = trigger(session, clinic, person, Tier.ROUTINE)
    alerts.pass_on(session, alert, by=nurse, knowledge=KNOWLEDGE, now=NOW)
    trigger(session, clinic, person, Tier.URGENT)
    trigger(session, clinic, person, Tier.EMERGENCY)
    rounds = [page.page_round for page in pages(session, alert)]
    assert len(rounds) == 6
    assert len(set(rounds)) == 3
    assert alert.tier is Tier.EMERGENCY


def test_paging_that_fails_undoes_nothing_and_is_due_again_at_once(
    session: Session,
    clinic: Organization,
    person: Patient,
    nurse: StaffUser,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(alerts.paging, "_page_row", _without_a_clinic)
    said = factories.sent(
        session, factories.request(session, factories.care_plan(session, person), "+12025550100")
    )
    alert = trigger(session, clinic, person, Tier.EMERGENCY, communication=said, flags=("breathing",))
    assert (alert.status, alert.next_step_at) == (AlertStatus.TRIGGERED, NOW)
    assert queries.active_flags(session, clinic.id, alert.id) == ["breathing"]
    assert pages(session, alert) == []
    assert list(queries.due_alerts(session, NOW)) == [alert.id]


def _without_a_clinic(*_: object) -> CommunicationRequest:
    return CommunicationRequest(organization_id=None, created_at=NOW)


def test_a_page_that_comes_back_is_not_sent_once_somebody_has_the_alert(sqlite_url: str) -> None:
    engine = make_engine(sqlite_url)
    road = roads.build(session_factory(engine))
    road.text("i cant breathe")
    with road.sessions.begin() as session:
        alert = session.scalars(select(Alert)).one()
        alerts.acknowledge(session, alert, by=session.get_one(StaffUser, road.nurse.id), now=NOW)
        # One was with the carrier when somebody took the alert; the carrier was busy, so it waits again.
        for page in session.scalars(
            select(CommunicationRequest).where(CommunicationRequest.page_step.is_not(None))
        ):
            page.status = RequestStatus.ACTIVE
    claimed = outbound.take(engine, Lane.STAT, now=NOW, limit=50, lease_until=NOW + timedelta(minutes=2))
    engine.dispose()
    assert claimed, "the safety text goes"
    assert [one for one in claimed if one.origin is RequestOrigin.PAGE] == []


# --- codes when thousands of alerts are open ---


@pytest.fixture
def three_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_CODES", range(1000, 1003))
    monkeypatch.setattr(rows, "_KEPT", 1)
    monkeypatch.setattr(rows, "alert_code", lambda: "1000")


@pytest.mark.usefixtures("three_codes")
def test_routine_work_leaves_the_last_codes_to_danger_and_no_alert_is_ever_refused(
    session: Session, clinic: Organization, nurse: StaffUser
) -> None:
    tiers = [Tier.ROUTINE] * 3 + [Tier.EMERGENCY] * 2
    codes = [trigger(session, clinic, factories.patient(session, clinic), tier).code for tier in tiers]
    assert sorted(codes[:2]) == ["1000", "1001"]
    assert codes[3] == "1002"
    assert codes[2] not in codes[:2]
    assert {len(code) for code in codes} == {4}
    assert len(set(codes)) == 5


@pytest.mark.usefixtures("three_codes")
def test_routine_work_that_gets_worse_gets_a_code_that_can_be_texted(
    session: Session, clinic: Organization, person: Patient, nurse: StaffUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "_letters", lambda: "kx7m")
    for _ in range(2):
        trigger(session, clinic, factories.patient(session, clinic), Tier.ROUTINE)
    alert = trigger(session, clinic, person, Tier.ROUTINE)
    assert alert.code == "kx7m"
    trigger(session, clinic, person, Tier.URGENT)
    assert alert.code == "1002"
    assert {page.fields["alert"] for page in pages(session, alert)} == {"1002"}


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


def test_a_task_about_a_blocked_address_says_so_on_the_patients_other_alerts_too(
    session: Session, clinic: Organization, person: Patient, nurse: StaffUser
) -> None:
    alert = trigger(session, clinic, person, Tier.EMERGENCY)
    [road] = session.scalars(select(ContactPoint).where(ContactPoint.patient_id == person.id))
    factories.suppression(session, clinic, road.value)
    alerts.open_task(session, clinic.id, task="carrier_opt_out", patient=person, now=NOW, knowledge=KNOWLEDGE)
    assert alert.cannot_text


@pytest.mark.parametrize("status", [ConsentStatus.PROPOSED, ConsentStatus.REJECTED, ConsentStatus.INACTIVE])
def test_an_address_without_a_yes_reaches_nobody(
    session: Session, clinic: Organization, nurse: StaffUser, status: ConsentStatus
) -> None:
    someone = factories.patient(session, clinic)
    road = factories.contact(session, someone)
    consent = factories.consent(session, someone, road.value, status=status)
    alert = trigger(session, clinic, someone, Tier.ROUTINE)
    assert alert.cannot_text
    consent.status = ConsentStatus.ACTIVE
    alerts.refresh_reach(session, someone)
    assert not alert.cannot_text


def test_a_yes_for_one_address_opens_no_other(
    session: Session, clinic: Organization, person: Patient, nurse: StaffUser
) -> None:
    [road] = session.scalars(select(ContactPoint).where(ContactPoint.patient_id == person.id))
    factories.suppression(session, clinic, road.value)
    factories.contact(session, person, system=Channel.EMAIL, value="ana@example.org")
    assert not queries.can_reach(session, clinic.id, person.id)


def test_a_safety_text_that_did_not_arrive_is_noted_once_on_its_alert(
    session: Session, clinic: Organization, person: Patient, nurse: StaffUser
) -> None:
    plan = factories.care_plan(session, person)
    heard = factories.sent(session, factories.request(session, plan, "+12025550100"))
    alert = trigger(session, clinic, person, Tier.EMERGENCY, communication=heard)
    reply = factories.request(
        session, plan, "+12025550100", origin=RequestOrigin.SAFETY, in_reply_to_id=heard.id
    )
    tried = factories.sent(session, reply, status=CommunicationStatus.NOT_DONE)
    for _ in range(2):
        assert alerts.reply_failed(session, tried, now=NOW) is alert
    [noted] = [
        event
        for event in queries.events_of(session, clinic.id, alert.id)
        if event.kind is AlertEventKind.NOTE
    ]
    assert noted.detail == {"safety_reply": "not delivered"}
    assert list(queries.words_behind(session, clinic.id, alert.id)) == [heard]


def test_another_text_that_did_not_arrive_is_no_such_note(
    session: Session, clinic: Organization, person: Patient, nurse: StaffUser
) -> None:
    plan = factories.care_plan(session, person)
    trigger(session, clinic, person, Tier.ROUTINE)
    tried = factories.sent(
        session, factories.request(session, plan, "+12025550100"), status=CommunicationStatus.NOT_DONE
    )
    assert alerts.reply_failed(session, tried, now=NOW) is None


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
