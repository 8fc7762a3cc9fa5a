"""Five at once come to one: one row, one answer, one alert, one owner; on both databases."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import TypeVar

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from followup.core.vocabulary import AlertEventKind, AlertStatus, Tier
from followup.services import alerts, escalation, inbound
from followup.store.models import Alert, AlertEvent, Organization, StaffUser
from tests import factories
from tests.factories import NOW
from tests.services.roads import Road, build

T = TypeVar("T")
FIVE = 5


@pytest.fixture
def road(sessions: sessionmaker[Session]) -> Road:
    return build(sessions)


def at_once(act: Callable[[int], T], times: int = FIVE) -> list[T]:
    """Run `act` in threads that start together; return what each returned."""
    barrier = Barrier(times)

    def wait_and_act(number: int) -> T:
        barrier.wait(timeout=30)
        return act(number)

    with ThreadPoolExecutor(times) as threads:
        return list(threads.map(wait_and_act, range(times)))


def test_a_webhook_that_comes_five_times_at_once_is_one_text_one_answer_one_alert(road: Road) -> None:
    message = road.message("i cant breathe", sid="SMsame")

    def deliver(_number: int) -> str:
        received = inbound.receive(road.sessions, message, now=NOW)
        assert received.communication_id is not None
        return inbound.process(
            road.sessions, received.communication_id, knowledge=road.knowledge, now=NOW
        ).handling

    handled = at_once(deliver)
    assert sorted(handled) == ["alerted", *["already"] * (FIVE - 1)]
    assert len(road.heard()) == 1
    assert road.answers() == ["auto_emergency"]
    assert [alert.tier for alert in road.alerts()] == [Tier.EMERGENCY]
    assert len(road.pages()) == 2


def test_the_web_process_and_the_sweep_never_both_understand_a_text(road: Road) -> None:
    received = inbound.receive(road.sessions, road.message("i cant breathe"), now=NOW)
    assert received.communication_id is not None
    later = NOW + timedelta(minutes=1)

    def act(number: int) -> int:
        if number % 2:
            return inbound.sweep(road.sessions, knowledge=road.knowledge, now=later)
        done = inbound.process(
            road.sessions,
            received.communication_id,
            knowledge=road.knowledge,
            now=later,  # type: ignore[arg-type]
        )
        return int(done.handling != "already")

    assert sum(at_once(act)) == 1
    assert road.answers() == ["auto_emergency"]


def test_five_different_texts_at_once_make_one_alert(road: Road) -> None:
    at_once(lambda number: road.text("i cant breathe", sid=f"SM{number}"))
    [alert] = road.alerts()
    assert len(road.pages()) == 2
    with road.sessions() as session:
        kinds = session.scalars(select(AlertEvent.kind).where(AlertEvent.alert_id == alert.id)).all()
    assert kinds.count(AlertEventKind.FLAG_ADDED) == FIVE - 1


def test_five_routine_texts_at_once_get_one_routine_answer(road: Road) -> None:
    at_once(lambda number: road.text("can you refill my prescription?", sid=f"SM{number}"))
    assert sorted(road.answers()) == ["auto_refill", "auto_reply_saved"]


def test_five_texts_of_an_unknown_number_at_once_get_one_answer(road: Road) -> None:
    stranger = factories.phone()
    at_once(lambda number: road.text("who is this", sender=stranger, sid=f"SM{number}"))
    assert road.answers(stranger) == ["auto_unknown_sender"]
    assert len(road.alerts()) == 1


def test_five_stops_at_once_are_one_opt_out(road: Road) -> None:
    handled = at_once(lambda number: road.text("STOP", sid=f"SM{number}", confirms=False).handling)
    assert set(handled) == {"opted_out"}
    assert [alert.task for alert in road.alerts()] == ["texts_stopped"]


def test_one_of_five_takes_the_alert(road: Road) -> None:
    road.text("i cant breathe")
    with road.sessions.begin() as session:
        clinic = session.get_one(Organization, road.clinic.id)
        staff = [factories.staff(session, clinic).id for _ in range(FIVE)]

    def take(number: int) -> bool:
        with road.sessions.begin() as session:
            alert = session.scalars(select(Alert)).one()
            return alerts.acknowledge(session, alert, by=session.get_one(StaffUser, staff[number]), now=NOW)

    took = at_once(take)
    [alert] = road.alerts()
    assert took.count(True) == 1
    assert alert.acknowledged_by == staff[took.index(True)]
    assert alert.status is AlertStatus.ACKNOWLEDGED


def test_five_climbs_at_once_page_once(road: Road) -> None:
    road.text("i cant breathe")
    later = NOW + timedelta(minutes=6)
    climbed = at_once(lambda _: escalation.climb(road.sessions, knowledge=road.knowledge, now=later))
    assert sum(one.paged for one in climbed) == 1
    assert [one.failed for one in climbed] == [0] * FIVE
    assert len([page for page in road.pages() if page.message_key == "staff_repage"]) == 2


def test_five_tasks_of_one_name_at_once_are_one(road: Road) -> None:
    def ask(_number: int) -> None:
        with road.sessions.begin() as session:
            person = session.get_one(type(road.patient), road.patient.id)
            alerts.open_task(
                session, road.clinic.id, task="call", patient=person, now=NOW, knowledge=road.knowledge
            )

    at_once(ask)
    assert [alert.task for alert in road.alerts()] == ["call"]
