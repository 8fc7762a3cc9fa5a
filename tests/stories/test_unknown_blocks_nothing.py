"""A text whose fate nobody knows is shown, never sent again, and holds up no other."""

from sqlalchemy import select

from followup.core.vocabulary import CommunicationStatus, RequestStatus
from followup.providers.ports import Outgoing, Unknown
from followup.store.models import Communication, CommunicationRequest
from tests.world import World


def test_an_emergency_after_an_unknown_is_answered_and_paged(world: World) -> None:
    nurse, ana = world.staff(), world.enrol()

    def silent(outgoing: Outgoing) -> Unknown | None:
        return Unknown("timeout") if outgoing.recipient == ana.phone else None

    world.carrier.script = silent
    world.forward(days=1)
    world.carrier.script = None
    with world.session() as session:
        found = select(Communication).where(Communication.status == CommunicationStatus.UNKNOWN)
        unknown = list(session.scalars(found))
        requests = [session.get_one(CommunicationRequest, one.request_id) for one in unknown]
    assert unknown
    assert {one.status for one in requests} == {RequestStatus.IN_PROGRESS}
    ana.forget()
    ana.texts("i took the whole bottle and i cant stay awake")
    assert "911" in ana.last
    assert "EMERGENCY" in nurse.last
    world.forward(days=2)
    assert not [one for one in ana.received if one in {text.body for text in unknown}]
