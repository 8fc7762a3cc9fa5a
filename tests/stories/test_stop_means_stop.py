"""No text that we start before YES, and none after STOP."""

import pytest

from followup.core.vocabulary import CarePlanStatus, Course
from tests.world import World


def test_before_a_yes_only_the_invitation_and_one_reminder_go_out(world: World) -> None:
    ana = world.enrol(says_yes=False)
    world.forward(days=12)
    assert len(ana.received) == 2
    assert ana.received[0].startswith("Followup from Riverside Care")
    assert ana.received[1].startswith("Riverside Care: we have not heard back")
    assert {alert.task for alert in world.alerts()} == {"invitation_unanswered"}


def test_a_no_ends_it_with_one_answer(world: World) -> None:
    ana = world.enrol(says_yes=False)
    world.forward(minutes=5)
    ana.forget()
    ana.texts("NO")
    world.forward(days=3)
    assert ana.received == [
        "Riverside Care: OK, we will not text you. Your care stays the same. Questions? "
        f"Call {ana.received[0].rsplit('Call ', 1)[1]}"
    ]
    assert ana.plan.status is CarePlanStatus.REVOKED


@pytest.mark.parametrize("word", ["STOP", "stop.", "Please quit texting me", "PARE", "no mas", "Unsubscribe"])
def test_nothing_that_we_start_leaves_after_a_stop(world: World, word: str) -> None:
    ana = world.enrol(course=Course.LONG, support=True)
    world.forward(days=2)
    ana.forget()
    ana.texts(word)
    assert len(ana.received) == 1
    assert "you are unsubscribed" in ana.last
    world.forward(days=20)
    assert len(ana.received) == 1
    assert ana.waiting() == 0
    assert ana.plan.status is CarePlanStatus.ON_HOLD
    assert "texts_stopped" in {alert.task for alert in world.alerts()}


def test_where_twilio_confirms_a_stop_we_do_not_confirm_it_as_well(small_world: World) -> None:
    object.__setattr__(
        small_world.house,
        "settings",
        small_world.house.settings.model_copy(update={"twilio_handles_keywords": True}),
    )
    ana = small_world.enrol()
    ana.forget()
    ana.texts("STOP")
    small_world.forward(days=2)
    assert ana.received == []


def test_danger_beside_a_stop_is_answered_once_and_paged(world: World) -> None:
    nurse, ana = world.staff(), world.enrol()
    ana.forget()
    ana.texts("stop, I want to die")
    assert len(ana.received) == 1
    assert "988" in ana.last
    assert "no more texts" in ana.last
    assert "EMERGENCY" in nurse.last
    world.forward(days=3)
    assert len(ana.received) == 1


def test_start_goes_on_only_for_someone_who_once_said_yes(world: World) -> None:
    ana, ben = world.enrol(), world.enrol(says_yes=False)
    world.forward(minutes=5)
    ben.texts("NO")
    ana.texts("STOP")
    for one in (ana, ben):
        one.forget()
        one.texts("START")
    assert "welcome back" in ana.received[0]
    world.forward(days=1)
    assert len(ana.received) > 1
    assert all("welcome back" not in text for text in ben.received)
    assert ben.plan.status is CarePlanStatus.REVOKED
