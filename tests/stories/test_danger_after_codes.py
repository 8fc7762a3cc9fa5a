"""Staff have passed an item on; then the same patient writes danger words. They are answered, and paged."""

from tests.world import World


def test_danger_after_a_routine_item_was_passed_on(world: World) -> None:
    nurse, other, ana = world.staff(), world.staff(), world.enrol()
    ana.texts("can i get a call back about my medicine question?")
    code = world.alerts()[-1].code
    nurse.texts(f"A {code}")
    nurse.texts(f"E {code}")
    for person in (nurse, other, ana):
        person.forget()
    ana.texts("i cant breathe good and my lips look blue")
    assert "911" in ana.last
    for person in (nurse, other):
        assert f"EMERGENCY alert {code}" in person.last


def test_a_code_closes_nothing_that_came_since_it_was_taken(world: World) -> None:
    nurse, ana = world.staff(), world.enrol()
    ana.texts("pus coming out of my wound")
    code = world.alerts()[-1].code
    nurse.texts(f"A {code}")
    ana.texts("i want to kill myself")
    assert "EMERGENCY" in nurse.last
    nurse.texts(f"R {code} 1")
    assert f"Reply A {code} first" in nurse.last
    nurse.texts(f"A {code}")
    nurse.texts(f"R {code} 1")
    assert f"Alert {code} is closed" in nurse.last
