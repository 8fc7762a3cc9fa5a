"""After six weeks the texts end, and whoever writes is still heard."""

from followup.core.vocabulary import CarePlanStatus, Course, Tier
from tests.world import World


def test_the_course_ends_with_a_notice_and_danger_is_still_paged(small_world: World) -> None:
    nurse = small_world.staff()
    ana = small_world.enrol(course=Course.PRN, regular=False)
    small_world.forward(days=43, hours=12)
    assert ana.plan.status is CarePlanStatus.COMPLETED
    assert ana.waiting() == 0
    assert "911" in ana.last  # the honest notice that nobody reads from now on
    ana.forget()
    small_world.forward(days=5)
    assert ana.received == []
    ana.texts("can i drive again?")
    assert len(ana.received) == 1
    ana.texts("i want to end it all tonight")
    assert "988" in ana.last
    assert "EMERGENCY" in nurse.last
    assert small_world.alerts()[-1].tier is Tier.EMERGENCY
