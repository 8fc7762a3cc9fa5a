"""Nobody took it: the same people are paged again, until somebody does; staff act by texted codes."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from followup.core.vocabulary import AlertOutcome, AlertStatus, StaffRole, Tier
from followup.services import escalation
from followup.store.models import Alert, AuditEvent, CommunicationRequest, Organization, StaffUser
from followup.store.session import make_engine, session_factory
from tests import factories
from tests.factories import NOW
from tests.services.roads import Road, build


@pytest.fixture
def road(sqlite_url: str) -> Iterator[Road]:
    engine = make_engine(sqlite_url)
    yield build(session_factory(engine))
    engine.dispose()


def climb(road: Road, **later: float) -> escalation.Climbed:
    return escalation.climb(road.sessions, knowledge=road.knowledge, now=NOW + timedelta(**later))


def colleague(road: Road) -> str:
    with road.sessions.begin() as session:
        other = factories.staff(
            session, session.get_one(Organization, road.clinic.id), display_name="M. Okafor MD"
        )
    assert other.phone is not None
    return other.phone


def code_from(road: Road, words: str, phone: str | None = None, **later: float) -> str:
    """Text a code from a staff phone; return the key of what was answered."""
    sender = phone or road.nurse.phone
    assert sender is not None
    before = len(road.answers(sender))
    road.text(words, sender=sender, now=NOW + timedelta(**(later or {"minutes": 1})))
    [key] = road.answers(sender)[before:]
    return key


def danger(road: Road) -> Alert:
    road.text("i cant breathe")
    [alert] = road.alerts()
    return alert


def test_an_emergency_is_paged_again_every_five_minutes_until_taken(road: Road) -> None:
    alert = danger(road)
    assert climb(road, minutes=4) == escalation.Climbed(0, 0)
    assert climb(road, minutes=5) == escalation.Climbed(1, 0)
    assert climb(road, minutes=6) == escalation.Climbed(0, 0)
    assert climb(road, minutes=11) == escalation.Climbed(1, 0)
    repeated = [page for page in road.pages() if page.message_key == "staff_repage"]
    assert [page.fields["minutes"] for page in repeated] == ["5", "5", "11", "11"]
    code_from(road, f"A {alert.code}", minutes=12)
    assert climb(road, hours=1) == escalation.Climbed(0, 0)


def test_an_urgent_alert_is_paged_again_after_thirty_minutes(road: Road) -> None:
    road.text("i want a pill so bad, the craving is strong")
    assert road.alerts()[0].tier is Tier.URGENT
    assert (climb(road, minutes=29).paged, climb(road, minutes=30).paged) == (0, 1)


def test_it_never_gives_up(road: Road) -> None:
    danger(road)
    assert sum(climb(road, minutes=5 * step).paged for step in range(1, 101)) == 100


def test_routine_work_does_not_climb(road: Road) -> None:
    road.text("can you refill my prescription?")
    assert climb(road, days=3) == escalation.Climbed(0, 0)


def test_one_alert_that_fails_does_not_stop_the_others(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    first = danger(road)
    road.text("he wont wake up", sender=factories.phone())
    whole = escalation.alerts.page

    def failing(session: object, alert: Alert, **more: object) -> int:
        if alert.id == first.id:
            raise RuntimeError
        return whole(session, alert, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(escalation.alerts, "page", failing)
    assert climb(road, minutes=6) == escalation.Climbed(1, 1)
    monkeypatch.undo()
    assert climb(road, minutes=7) == escalation.Climbed(1, 0)


def test_an_alert_whose_pages_the_database_refuses_does_not_stop_the_others(road: Road) -> None:
    first = danger(road)
    road.text("he wont wake up", sender=factories.phone())
    with road.sessions.begin() as session:
        [page, *_] = session.scalars(
            select(CommunicationRequest).where(CommunicationRequest.alert_id == first.id)
            .where(CommunicationRequest.page_step.is_not(None))
        )  # fmt: skip
        page.page_round = 2
    assert climb(road, minutes=6) == escalation.Climbed(1, 1)


def test_danger_whose_pages_failed_is_answered_at_once_and_paged_by_the_next_climb(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> int:
        raise RuntimeError

    monkeypatch.setattr(escalation.alerts.paging, "page", failing)
    alert = danger(road)
    assert road.answers(), "the safety text"
    assert (alert.tier, road.pages()) == (Tier.EMERGENCY, [])
    monkeypatch.undo()
    assert climb(road, seconds=1) == escalation.Climbed(1, 0)
    assert len(road.pages()) == 2


# --- codes ---


def test_a_takes_the_alert_and_says_how_to_close_it(road: Road) -> None:
    alert = danger(road)
    assert code_from(road, f"A {alert.code}") == "staff_ack_ok"
    assert road.alerts()[0].status is AlertStatus.ACKNOWLEDGED


def test_the_second_a_hears_who_has_it(road: Road) -> None:
    other, alert = colleague(road), danger(road)
    code_from(road, f"A {alert.code}")
    assert code_from(road, f"a{alert.code}", other) == "staff_ack_already"
    [row] = [one for one in road.requests() if one.message_key == "staff_ack_already"]
    assert row.fields == {"alert": alert.code, "staff": road.nurse.display_name, "time": "11:01"}
    assert road.alerts()[0].acknowledged_by == road.nurse.id


def test_e_pages_all_the_others_again(road: Road) -> None:
    other, alert = colleague(road), danger(road)
    assert code_from(road, f"E {alert.code}") == "staff_escalate_ok"
    second = [page for page in road.pages() if page.page_round == 2]
    assert {page.address for page in second if page.channel.value == "sms"} == {other}


def test_e_from_the_only_one_pages_the_group_again(road: Road) -> None:
    alert = danger(road)
    assert code_from(road, f"E {alert.code}") == "staff_escalate_last"
    assert len(road.pages()) == 4


def test_e_on_an_alert_that_somebody_else_has_is_told_so(road: Road) -> None:
    other, alert = colleague(road), danger(road)
    code_from(road, f"A {alert.code}")
    assert code_from(road, f"E {alert.code}", other) == "staff_ack_already"
    assert road.alerts()[0].status is AlertStatus.ACKNOWLEDGED


@pytest.mark.parametrize(
    ("digit", "outcome"),
    [
        (1, AlertOutcome.CALLED),
        (2, AlertOutcome.SENT_TO_ED),
        (3, AlertOutcome.ADVICE),
        (4, AlertOutcome.NO_NEED),
    ],
)
def test_r_with_an_outcome_closes_and_asks_for_a_note(road: Road, digit: int, outcome: AlertOutcome) -> None:
    alert = danger(road)
    code_from(road, f"A {alert.code}")
    assert code_from(road, f"R {alert.code} {digit}", minutes=2) == "staff_resolve_ok"
    [closed] = road.alerts()
    assert (closed.status, closed.outcome, closed.resolved_by) == (
        AlertStatus.RESOLVED,
        outcome,
        road.nurse.id,
    )


def test_r_needs_an_outcome_and_an_owner(road: Road) -> None:
    alert = danger(road)
    assert code_from(road, f"R {alert.code} 1") == "staff_resolve_first_ack"
    code_from(road, f"A {alert.code}")
    assert code_from(road, f"R {alert.code}", minutes=2) == "staff_resolve_needs_outcome"
    assert road.alerts()[0].status is AlertStatus.ACKNOWLEDGED


def test_r_closes_nothing_that_came_after_a_until_a_says_that_it_was_seen(road: Road) -> None:
    alert = danger(road)
    code_from(road, f"A {alert.code}")
    road.text("can you refill my prescription?", now=NOW + timedelta(minutes=2))
    assert code_from(road, f"R {alert.code} 1", minutes=3) == "staff_resolve_first_ack"
    assert road.alerts()[0].status is AlertStatus.ACKNOWLEDGED
    assert code_from(road, f"A {alert.code}", minutes=4) == "staff_ack_ok"
    assert code_from(road, f"R {alert.code} 1", minutes=5) == "staff_resolve_ok"


def test_a_coordinator_who_is_not_paged_takes_an_alert_by_text(road: Road) -> None:
    with road.sessions.begin() as session:
        clinic = session.get_one(Organization, road.clinic.id)
        maya = factories.staff(session, clinic, role=StaffRole.COORDINATOR, receives_pages=False)
    alert = danger(road)
    assert code_from(road, f"A {alert.code}", maya.phone) == "staff_ack_ok"
    assert road.alerts()[0].acknowledged_by == maya.id
    with road.sessions() as session:
        written = session.scalars(select(AuditEvent).where(AuditEvent.action == "alerts.text_code")).one()
    assert (written.staff_id, written.entity) == (maya.id, alert.public_id)


def test_t_takes_over_and_the_former_owner_is_told(road: Road) -> None:
    other, alert = colleague(road), danger(road)
    code_from(road, f"A {alert.code}")
    assert code_from(road, f"T {alert.code}", other) == "staff_takeover_ok"
    with road.sessions() as session:
        owner = session.scalars(select(StaffUser).where(StaffUser.phone == other)).one()
    assert road.alerts()[0].acknowledged_by == owner.id
    told = [row for row in road.requests() if row.message_key == "staff_taken_by_other"]
    assert [row.staff_id for row in told] == [road.nurse.id]


def test_an_unknown_code_and_a_closed_one_are_not_found(road: Road) -> None:
    alert = danger(road)
    wrong = "1000" if alert.code != "1000" else "1001"
    assert code_from(road, f"A {wrong}") == "staff_code_unknown"
    code_from(road, f"A {alert.code}")
    code_from(road, f"R {alert.code} 1", minutes=2)
    assert code_from(road, f"A {alert.code}", minutes=3) == "staff_code_unknown"


def test_a_code_of_another_clinic_is_not_found(road: Road) -> None:
    with road.sessions.begin() as session:
        elsewhere = factories.organization(session)
        person, _, _ = factories.enrolled(session, elsewhere)
        theirs = factories.alert(session, person)
    assert code_from(road, f"A {theirs.code}") == "staff_code_unknown"
    assert road.alerts()[0].status is AlertStatus.TRIGGERED


def test_other_words_of_staff_are_told_what_the_line_takes(road: Road) -> None:
    assert code_from(road, "i will call her") == "staff_text_not_code"
