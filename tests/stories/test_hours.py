"""Texts that we start keep to the patient's hours, and are never sent late; answers go at any hour."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from followup.core.vocabulary import Course, Direction, RequestOrigin
from followup.store.models import Communication, CommunicationRequest
from tests.world import World, build

ZONES = ["Australia/Lord_Howe", "America/Phoenix", "America/New_York"]
CHANGES = [
    datetime(2026, 10, 1, 1, tzinfo=UTC),
    datetime(2027, 3, 1, 1, tzinfo=UTC),
    datetime(2027, 3, 20, 1, tzinfo=UTC),
]


def sent_by_us(world: World) -> list[tuple[datetime, CommunicationRequest]]:
    with world.session() as session:
        found = (
            select(Communication.sent_at, CommunicationRequest)
            .join(CommunicationRequest, Communication.request_id == CommunicationRequest.id)
            .where(
                Communication.direction == Direction.OUT,
                CommunicationRequest.origin.in_((RequestOrigin.PLANNED, RequestOrigin.INVITATION)),
            )
        )
        return [(at, request) for at, request in session.execute(found)]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("start", CHANGES, ids=lambda at: f"{at:%Y-%m}")
def test_six_weeks_over_a_clock_change_stay_within_the_patients_hours(
    sqlite_url: str, zone: str, start: datetime
) -> None:
    world = build(sqlite_url, at=start)
    ana = world.enrol(course=Course.LONG, zone=zone, support=True, says_yes=False)
    world.forward(hours=24)
    ana.texts("YES")
    world.forward(days=43)
    went = sent_by_us(world)
    assert len(went) > 30
    for at, request in went:
        local = at.astimezone(ZoneInfo(zone))
        opens = time(12) if local.weekday() == 6 else time(9)
        assert opens <= local.time() < time(20), (request.action_id, local)
        assert at < request.expires_at
    keys = [(request.action_id, request.occurrence) for _, request in went]
    assert len(keys) == len(set(keys))
    world.house.engine.dispose()


def test_after_a_night_without_workers_nothing_stale_goes_out(world: World) -> None:
    ana = world.enrol()
    ana.forget()
    world.clock.move_to(world.clock.now() + timedelta(hours=14))  # 01:10: the evening's texts were missed
    world.work()
    assert ana.received == []
    world.forward(hours=8, minutes=49)
    assert len([text for text in ana.received if "How is your pain" in text]) == 0
    world.forward(minutes=2)
    assert [text for text in ana.received if "How is your pain" in text]


def test_an_emergency_at_night_is_answered_and_paged_at_once(world: World) -> None:
    nurse, ana = world.staff(), world.enrol()
    world.forward(hours=16)
    ana.forget()
    ana.texts("my chest hurts bad and i cant breathe")
    assert "911" in ana.last
    assert "EMERGENCY" in nurse.last


def test_an_answer_that_could_not_leave_within_ten_minutes_does_not_leave_at_all(world: World) -> None:
    ana = world.enrol()
    world.forward(days=1)
    ana.forget()
    stay, world.work = world.work, lambda: None  # type: ignore[method-assign]
    ana.texts("4")
    world.work = stay  # type: ignore[method-assign]
    world.clock.forward(minutes=11)
    world.work()
    assert not [text for text in ana.received if "how many of your pain pills" in text]
