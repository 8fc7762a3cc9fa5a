"""The first patient: from enrolment to a closed alert."""

from followup.core.vocabulary import AlertKind, AlertStatus, StaffRole, Tier
from tests.world import World


def test_from_enrolment_to_a_closed_alert(world: World) -> None:
    nurse, prescriber = world.staff(), world.staff(role=StaffRole.PRESCRIBER, pages=False)
    ana = world.enrol(says_yes=False)
    assert ana.received == []
    world.forward(minutes=5)
    assert [text.startswith("Followup from Riverside Care") for text in ana.received] == [True]
    ana.texts("YES")
    assert "you are signed up" in ana.received[1]
    ana.approve_taper(prescriber)
    ana.forget()
    world.forward(days=1)
    assert any(text.startswith("Riverside Care: How is your pain right now?") for text in ana.received)
    ana.texts("3")
    assert "how many of your pain pills" in ana.last
    ana.texts("i cant breathe good and my lips look blue")
    assert "911" in ana.last
    [alert] = [one for one in world.alerts() if one.kind is AlertKind.REPLY]
    assert [one.task for one in world.alerts() if one.id != alert.id] == ["taper_held"]
    assert not [text for text in ana.received if "Follow the last plan" in text]
    assert (alert.tier, alert.status) == (Tier.EMERGENCY, AlertStatus.TRIGGERED)
    assert f"EMERGENCY alert {alert.code}" in nurse.last
    assert prescriber.received == []
    nurse.texts(f"A {alert.code}")
    assert f"Alert {alert.code} is yours" in nurse.last
    nurse.texts(f"R {alert.code} 1")
    assert f"Alert {alert.code} is closed" in nurse.last
    assert {one.status for one in world.alerts() if one.id == alert.id} == {AlertStatus.RESOLVED}


def test_the_evening_before_each_step_tells_its_date_and_level(world: World) -> None:
    prescriber = world.staff(role=StaffRole.PRESCRIBER)
    ana = world.enrol()
    ana.approve_taper(prescriber)
    world.forward(days=5)
    steps = [text for text in ana.received if "pain pills a day" in text]
    assert steps[0] == (
        "From Sun, Jun 7, your plan is up to 5 pain pills a day. Fewer is fine. "
        "Any trouble with that? Reply YES or NO, or tell us."
    )


def test_trouble_with_a_step_holds_the_rest_and_asks_a_clinician(world: World) -> None:
    prescriber = world.staff(role=StaffRole.PRESCRIBER)
    ana = world.enrol()
    ana.approve_taper(prescriber)
    world.forward(days=4, hours=7)
    assert ana.last.startswith("From Sun, Jun 7")
    ana.texts("YES")
    ana.forget()
    world.forward(days=7)
    assert not [text for text in ana.received if "pain pills a day" in text or "0 pain pills" in text]
    assert "taper_held" in {alert.task for alert in world.alerts()}
