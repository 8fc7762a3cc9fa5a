"""A step's evening text was missed: staff release the morning text, once, on the day of the step only."""

from datetime import timedelta

import pytest

from followup.core.errors import Conflict
from followup.core.vocabulary import StaffRole
from followup.services import taper_release
from tests.world import Person, World


def missed_evening(world: World) -> tuple[Person, Person]:
    prescriber = world.staff(role=StaffRole.PRESCRIBER)
    world.forward(days=1)  # the step then starts on a Monday; on a Sunday texts may go from noon
    ana = world.enrol()
    ana.approve_taper(prescriber)
    world.forward(days=4)
    world.clock.move_to(world.clock.now() + timedelta(hours=22))  # 09:10 of the day of the step
    world.work()
    ana.forget()
    return ana, prescriber


def release(world: World, ana: Person, by: Person) -> None:
    assert by.user is not None
    with world.session() as session:
        taper_release.release(
            session,
            world.clinic.id,
            ana.plan,
            by=by.user.id,
            knowledge=world.house.knowledge,
            now=world.clock.now(),
        )
    world.work()


def test_a_missed_step_is_never_texted_by_itself_and_staff_are_asked(world: World) -> None:
    ana, _ = missed_evening(world)
    world.forward(hours=6)
    assert not [text for text in ana.received if "pills a day" in text]
    assert "taper_step_missed" in {alert.task for alert in world.alerts()}


def test_staff_release_todays_level_once(world: World) -> None:
    ana, prescriber = missed_evening(world)
    release(world, ana, prescriber)
    said = [text for text in ana.received if "pills a day" in text]
    assert len(said) == 1
    assert "Today your plan steps down to 5 pills a day at most." in said[0]
    with pytest.raises(Conflict):
        release(world, ana, prescriber)


def test_after_noon_it_is_too_late(world: World) -> None:
    ana, prescriber = missed_evening(world)
    world.forward(hours=3)
    with pytest.raises(Conflict):
        release(world, ana, prescriber)


def test_an_open_urgent_alert_still_keeps_the_released_text_back(world: World) -> None:
    ana, prescriber = missed_evening(world)
    ana.texts("i have a fever of 102 and the wound smells bad")
    with pytest.raises(Conflict):
        release(world, ana, prescriber)
    assert not [text for text in ana.received if "pills a day" in text]
