"""Release the morning text of a step whose evening text was missed: staff decide, on the step's day only."""

from dataclasses import dataclass
from datetime import datetime, time
from uuid import UUID

from sqlalchemy.orm import Session

from followup.clinical import timing
from followup.core.errors import Conflict
from followup.core.vocabulary import (
    ConsentStatus,
    Fact,
    Lane,
    Question,
    RequestOrigin,
)
from followup.services import audit, intents, planning
from followup.services.knowledge import Knowledge
from followup.services.wording import units_label
from followup.store.models import CarePlan, CommunicationRequest, Consent, Patient, TaperStep
from followup.store.queries import consents, tapers

_MORNING = ".morning"


@dataclass(frozen=True)
class Missed:
    """A step that begins today and whose evening text did not go out; until when its morning text may go."""

    step: TaperStep
    evening: CommunicationRequest
    window: timing.Window


def missed_today(
    session: Session, organization_id: UUID, care_plan: CarePlan, *, knowledge: Knowledge, now: datetime
) -> Missed | None:
    """Return today's step if its evening text was missed and its morning text may still be released now."""
    taper = planning.running_taper(session, care_plan)
    if taper is None:
        return None
    patient = session.get_one(Patient, care_plan.patient_id)
    today = timing.local_date(now, patient.time_zone)
    step = next((one for one in tapers.steps_of(session, taper.id) if one.starts_on == today), None)
    evening = tapers.unsent_step_text(session, organization_id, step.id) if step is not None else None
    if step is None or evening is None:
        return None
    morning = knowledge.protocols[care_plan.protocol_name].action(evening.action_id or "").morning
    if morning is None:
        return None
    window = timing.due(today, time.fromisoformat(morning.at), int(morning.window_hours), patient.time_zone)
    return Missed(step, evening, window) if now < window.expires_at else None


def release(
    session: Session,
    organization_id: UUID,
    care_plan: CarePlan,
    *,
    by: UUID,
    knowledge: Knowledge,
    now: datetime,
) -> frozenset[Lane]:
    """Write today's level as one text, once; every gate of a step's text still holds. Returns lanes to ring.

    Conflict when no step of today was missed, when it is too late, or when it was released already.
    """
    missed = missed_today(session, organization_id, care_plan, knowledge=knowledge, now=now)
    patient = session.get_one(Patient, care_plan.patient_id)
    consent = _consent(session, patient)
    if missed is None or consent is None:
        raise Conflict(
            "No step of today waits for its morning text. It can be sent from 9:00 am to noon, once."
        )
    session.add(_row(care_plan, patient, consent, missed, knowledge, now))
    session.flush()
    audit.record(
        session,
        organization_id,
        "taper.release_morning",
        now=now,
        staff_id=by,
        entity=care_plan.public_id,
        sequence=missed.step.sequence,
    )
    return frozenset({Lane.URGENT})


def _consent(session: Session, patient: Patient) -> Consent | None:
    current = consents.current_consents(session, patient.organization_id, patient.id)
    return next((one for one in current if one.status is ConsentStatus.ACTIVE), None)


def _row(
    care_plan: CarePlan,
    patient: Patient,
    consent: Consent,
    missed: Missed,
    knowledge: Knowledge,
    now: datetime,
) -> CommunicationRequest:
    key = _morning_key(missed.evening, care_plan, knowledge)
    return intents.to_patient(
        patient,
        care_plan,
        consent,
        message_key=key,
        origin=RequestOrigin.STAFF,
        window=timing.Window(max(now, missed.window.due_at), missed.window.expires_at),
        now=now,
        fields={"n": units_label(missed.step.max_units)},
        asks=Question.TAPER,
        requires=int(Fact.CONSENTED | Fact.STILL_TAKING | Fact.TAPER_ACTIVE),
        action_id=missed.evening.action_id,
        occurrence=missed.evening.occurrence + _MORNING,
        taper_step_id=missed.step.id,
    )


def _morning_key(evening: CommunicationRequest, care_plan: CarePlan, knowledge: Knowledge) -> str:
    """Return the morning variant of the step's own text, without numbers where the patient hides them."""
    variants = knowledge.protocols[care_plan.protocol_name].action(evening.action_id or "").variants or {}
    shown = next(
        (key for key in variants.values() if key == evening.message_key),
        variants["next"],  # the evening text was the hidden variant: all of them share one morning text
    )
    morning = knowledge.catalog.get(knowledge.catalog.get(shown).today_variant or shown)
    return morning.hidden_variant or morning.key if care_plan.hide_numbers else morning.key
