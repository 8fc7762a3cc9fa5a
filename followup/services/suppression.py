"""Block an address that a carrier told us is dead or has said STOP, and ask staff to find another road."""

from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from followup.core.vocabulary import SuppressionReason
from followup.services import alerts, consent
from followup.services.knowledge import Knowledge
from followup.store.models import Communication, Patient

#: The carrier's code for "this person has told us STOP" (Twilio error 21610).
OPTED_OUT_CODE = "21610"
_TASKS = {SuppressionReason.OPTED_OUT: "carrier_opt_out"}


def suppress(
    session: Session, sent: Communication, reason: SuppressionReason, *, knowledge: Knowledge, now: datetime
) -> None:
    """Block the address that this text went to, and open a staff task; texts to staff block nothing.

    Blocking twice changes nothing: an address has one open suppression.
    """
    if sent.staff_id is not None or sent.recipient is None:
        return
    try:
        with session.begin_nested():
            consent.suppress(
                session, sent.organization_id, sent.channel, sent.recipient, reason, sent.id, now
            )
    except IntegrityError:  # another process blocked it at this very moment: that is what we wanted
        session.expire_all()
    if sent.patient_id is not None:
        ask_staff(session, sent, _TASKS.get(reason, "address_refused"), knowledge=knowledge, now=now)


def ask_staff(
    session: Session, sent: Communication, task: str, *, knowledge: Knowledge, now: datetime
) -> None:
    """Open the staff task `task` about the patient of a text; nothing for texts without a patient."""
    if sent.patient_id is None:
        return
    alerts.open_task(
        session,
        sent.organization_id,
        task=task,
        patient=session.get_one(Patient, sent.patient_id),
        now=now,
        knowledge=knowledge,
        communication=sent,
    )
