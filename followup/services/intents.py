"""Write down that we mean to text a patient: one row, with what every such row shares filled in."""

from datetime import datetime
from typing import Any, Protocol

from followup.clinical.timing import Window
from followup.core.vocabulary import Audience, CatchUp, Channel, Lane, Priority, RequestOrigin
from followup.store.models import CarePlan, CommunicationRequest, Patient

_LANES = {
    RequestOrigin.PLANNED: (Lane.ROUTINE, Priority.ROUTINE),
    RequestOrigin.INVITATION: (Lane.URGENT, Priority.ROUTINE),
    RequestOrigin.STAFF: (Lane.URGENT, Priority.ASAP),
}


class Road(Protocol):
    """A way to a patient: a consent, or what a page read of one."""

    @property
    def channel(self) -> Channel:
        """By text or by mail."""
        ...

    @property
    def address(self) -> str:
        """The number or address."""
        ...


def to_patient(
    patient: Patient,
    care_plan: CarePlan,
    road: Road,
    *,
    message_key: str,
    origin: RequestOrigin,
    window: Window,
    now: datetime,
    **columns: Any,
) -> CommunicationRequest:
    """Return a request to send a patient one message of the catalogue in a window; `columns` add to it."""
    lane, priority = _LANES[origin]
    shared: dict[str, Any] = {"message_keys": [message_key], "fields": {}, "catch_up": CatchUp.SKIP}
    return CommunicationRequest(
        created_at=now,
        organization_id=patient.organization_id,
        audience=Audience.PATIENT,
        origin=origin,
        lane=lane,
        priority=priority,
        patient_id=patient.id,
        care_plan_id=care_plan.id,
        channel=road.channel,
        address=road.address,
        language=patient.language,
        message_key=message_key,
        plan_version=care_plan.plan_version,
        due_at=window.due_at,
        expires_at=window.expires_at,
        next_attempt_at=window.due_at,
        **{**shared, **columns},
    )
