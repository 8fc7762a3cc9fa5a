"""The carrier is away, slow, or refuses: nothing is said late, and no loss goes unheard by a person."""

import threading
from datetime import timedelta

from sqlalchemy import select

from followup.core.vocabulary import Lane, StaffRole
from followup.providers.ports import NotAccepted, Outgoing
from followup.services import drain
from followup.store.models import CommunicationRequest
from tests.stories.test_broker_down import SystemClockAt
from tests.world import World, build

AWAY = NotAccepted(permanent=False, code="connection")


def test_a_step_that_the_carrier_missed_for_a_whole_evening_is_a_task(small_world: World) -> None:
    prescriber = small_world.staff(role=StaffRole.PRESCRIBER)
    ana = small_world.enrol()
    ana.approve_taper(prescriber)
    small_world.forward(days=4, hours=5)
    small_world.carrier.script = lambda _: AWAY
    small_world.forward(hours=5)
    small_world.carrier.script = None
    assert "taper_step_missed" in {alert.task for alert in small_world.alerts()}
    ana.forget()
    small_world.forward(hours=12)
    assert not [text for text in ana.received if "pills a day" in text]


def test_a_safety_text_that_the_carrier_missed_goes_the_next_day_or_a_person_is_asked(
    small_world: World,
) -> None:
    ana = small_world.enrol()
    small_world.carrier.script = lambda _: AWAY
    small_world.forward(hours=10)
    small_world.carrier.script = None
    small_world.forward(hours=24)
    went = [text for text in ana.received if text.endswith("911.") or "Danger signs" in text]
    asked = {alert.task for alert in small_world.alerts()}
    assert [text for text in went if "Danger signs" in text] or "safety_text_missed" in asked


def test_an_invitation_that_never_left_is_told_to_staff(small_world: World) -> None:
    small_world.carrier.script = lambda _: AWAY
    small_world.enrol(says_yes=False)
    small_world.forward(days=3)
    assert {"text_not_sent", "invitation_unanswered"} & {alert.task for alert in small_world.alerts()}


def test_a_safety_answer_that_the_carrier_refuses_is_written_on_the_alert(small_world: World) -> None:
    nurse, ana = small_world.staff(), small_world.enrol()

    def refuses(outgoing: Outgoing) -> NotAccepted | None:
        return NotAccepted(permanent=True, code="30007") if outgoing.recipient == ana.phone else None

    small_world.carrier.script = refuses
    ana.texts("i cant breathe and my chest hurts")
    assert "EMERGENCY" in nurse.last
    with small_world.session() as session:
        from followup.store.models import AlertEvent

        details = [event.detail for event in session.scalars(select(AlertEvent))]
    assert [detail for detail in details if detail.get("safety_reply") == "not delivered"]


def test_a_stop_during_a_slow_call_stops_the_texts_that_wait_behind_it(sqlite_url: str) -> None:
    world = build(sqlite_url, in_flight=1)
    ana, ben = world.enrol(), world.enrol()
    for one in (ana, ben):
        one.forget()
    world.carrier.delay_seconds = 2
    world.clock.forward(hours=23)  # both check-ins are due
    house = world.house
    slow = threading.Thread(
        target=lambda: drain.run(
            house.sessions, house.senders, lane=Lane.ROUTINE, clock=SystemClockAt(world),
            settings=house.settings, knowledge=house.knowledge,
        )
    )  # fmt: skip
    slow.start()
    threading.Event().wait(0.7)
    quick, world.carrier.delay_seconds = world.work, 0
    world.work = lambda: None  # type: ignore[method-assign]
    ben.texts("STOP")  # his text is claimed, and waits behind Ana's call
    world.work = quick  # type: ignore[method-assign]
    slow.join()
    world.work()
    assert len(ana.received) == 1
    assert all("unsubscribed" in text for text in ben.received), ben.received
    house.engine.dispose()


def test_a_text_whose_window_closed_while_it_waited_does_not_start(sqlite_url: str) -> None:
    world = build(sqlite_url, in_flight=1)
    ana = world.enrol()
    world.forward(days=1)
    with world.session() as session:
        open_rows = select(CommunicationRequest).where(CommunicationRequest.status == "active")
        row = session.scalars(open_rows.order_by(CommunicationRequest.due_at)).first()
        assert row is not None
        end = row.expires_at
    ana.forget()
    world.clock.move_to(end - timedelta(seconds=1))
    world.carrier.script = lambda _: world.clock.move_to(end) and None
    world.work()
    world.work()
    late = [one for one in world.carrier.sent if one.valid_seconds < 1]
    assert late == []
    world.house.engine.dispose()
