"""Approve, hold and resume a taper. A clinician decides.

The arithmetic and its bounds are clinical.taper's.
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy.orm import Session

from followup.clinical import taper as rules
from followup.clinical import timing
from followup.clinical.bounds import check_bounds
from followup.core import states
from followup.core.errors import Conflict, Forbidden, TaperRefused
from followup.core.vocabulary import (
    ConsentStatus,
    Fact,
    RequestOrigin,
    StaffRole,
    TaperStatus,
)
from followup.services import alerts, audit, intents, planning
from followup.services.knowledge import Knowledge
from followup.services.taper_drafts import check_end, check_start, first_possible_start, store
from followup.store.models import (
    CarePlan,
    Communication,
    Organization,
    Patient,
    StaffUser,
    TaperPlan,
    TaperStep,
)
from followup.store.queries import consents, tapers
from followup.store.session import Sessions

_PAUSE_HOURS = 3
_OPEN = (TaperStatus.APPROVED, TaperStatus.ON_HOLD)


def approve(
    session: Session, plan: TaperPlan, *, by: StaffUser, seen_digest: str, knowledge: Knowledge, now: datetime
) -> None:
    """Approve exactly the version that was seen. Only a prescriber of the clinic; bounds are checked again.

    The taper's texts are planned now if the patient has said yes, else with the yes.
    """
    if by.role is not StaffRole.PRESCRIBER or by.organization_id != plan.organization_id:
        raise Forbidden("Only a prescriber of this clinic can approve a taper plan.")
    if seen_digest != plan.digest or plan.status is not TaperStatus.DRAFT:
        raise Conflict("This plan has changed since you opened it. Look at the newest version.")
    care_plan = session.get_one(CarePlan, plan.care_plan_id)
    patient = session.get_one(Patient, care_plan.patient_id)
    check_start(plan.starts_on, patient, now)
    check_end(tapers.steps_of(session, plan.id)[-1].starts_on, care_plan.ends_on)
    _check_again(session, care_plan, plan)
    running = tapers.taper_in(session, plan.organization_id, care_plan.id, *_OPEN)
    if running is not None:
        states.move(running, TaperStatus.SUPERSEDED, states.TAPER_MOVES)
        session.flush()
    states.move(plan, TaperStatus.APPROVED, states.TAPER_MOVES)
    plan.approved_by, plan.approved_at = by.id, now
    care_plan.set_fact(Fact.TAPER_ACTIVE, true=True)
    session.flush()
    planning.apply(session, care_plan, knowledge=knowledge, now=now)
    audit.record(
        session, plan.organization_id, "taper.approve", now=now, staff_id=by.id, entity=care_plan.public_id,
        **plan.as_facts(),
    )  # fmt: skip


def _check_again(session: Session, care_plan: CarePlan, plan: TaperPlan) -> None:
    prescription = tapers.prescription_of(session, plan.organization_id, care_plan.patient_id)
    if prescription is None:
        raise TaperRefused("There is no active prescription to step down from.")
    levels = [step.max_units for step in tapers.steps_of(session, plan.id) for _ in range(step.days)]
    check_bounds(
        levels,
        start=plan.start_units,
        unit=plan.unit,
        days_taken=plan.days_taken or None,
        rx_max=prescription.max_units_per_day,
        whole_start=prescription.max_units_per_day,
    )


def hold(
    session: Session,
    care_plan: CarePlan,
    *,
    reason: str,
    knowledge: Knowledge,
    now: datetime,
    communication: Communication | None = None,
    by: UUID | None = None,
) -> bool:
    """Put the running taper on hold: no step text goes out, the patient is told once, a clinician is asked.

    `communication` is the text that made us hold; without one the notice goes in the next open window.
    False if no taper runs.
    """
    plan = planning.running_taper(session, care_plan)
    if plan is None:
        return False
    states.move(plan, TaperStatus.ON_HOLD, states.TAPER_MOVES)
    plan.held_at, plan.hold_reason = now, reason
    care_plan.set_fact(Fact.TAPER_ACTIVE, true=False)
    session.flush()
    planning.revoke_active(session, care_plan, reason="taper_held", taper_only=True)
    patient = session.get_one(Patient, care_plan.patient_id)
    _tell(session, care_plan, plan, patient, communication, by, now)
    alerts.open_task(
        session, care_plan.organization_id, task="taper_held", patient=patient, now=now, knowledge=knowledge,
        communication=communication,
    )  # fmt: skip
    audit.record(
        session, care_plan.organization_id, "taper.hold", now=now, staff_id=by, entity=care_plan.public_id,
        reason=reason, **plan.as_facts(),
    )  # fmt: skip
    return True


def _tell(
    session: Session,
    care_plan: CarePlan,
    plan: TaperPlan,
    patient: Patient,
    communication: Communication | None,
    by: UUID | None,
    now: datetime,
) -> None:
    current = consents.current_consents(session, patient.organization_id, patient.id)
    consent = next((one for one in current if one.status is ConsentStatus.ACTIVE), None)
    if consent is None:
        return
    if communication is not None:
        planning.reply(
            session,
            organization=session.get_one(Organization, patient.organization_id),
            patient=patient,
            channel=consent.channel,
            address=consent.address,
            language=patient.language,
            message_key="auto_pause",
            in_reply_to=communication,
            now=now,
            care_plan=care_plan,
        )
        return
    key = "auto_pause" if by is None else "taper_held"
    session.add(
        intents.to_patient(
            patient,
            care_plan,
            consent,
            message_key=key,
            origin=RequestOrigin.PLANNED,
            window=timing.next_window(now, _PAUSE_HOURS, patient.time_zone),
            now=now,
            requires=int(Fact.CONSENTED),
            action_id=key,
            occurrence=f"v{plan.version}.{now:%y%m%d%H%M}",
        )
    )


def resume(
    session: Session, care_plan: CarePlan, *, by: StaffUser, knowledge: Knowledge, now: datetime
) -> TaperPlan:
    """Go on after a hold: the same version if no step's day has passed, else a draft with new dates.

    The draft keeps every level that is left and its length, and waits for approval: any change is a new
    version.
    """
    if by.role is not StaffRole.PRESCRIBER or by.organization_id != care_plan.organization_id:
        raise Forbidden("Only a prescriber of this clinic can resume a taper plan.")
    plan = tapers.taper_in(session, care_plan.organization_id, care_plan.id, TaperStatus.ON_HOLD)
    if plan is None:
        raise Conflict("No taper plan is on hold.")
    patient = session.get_one(Patient, care_plan.patient_id)
    earliest = first_possible_start(patient, now)
    steps = tapers.steps_of(session, plan.id)
    held_on = timing.local_date(plan.held_at or now, patient.time_zone)
    waiting = [step for step in steps if step.starts_on > held_on]
    if all(step.starts_on >= earliest for step in waiting):
        states.move(plan, TaperStatus.APPROVED, states.TAPER_MOVES)
        plan.held_at = plan.hold_reason = None
        care_plan.set_fact(Fact.TAPER_ACTIVE, true=True)
        session.flush()
        planning.apply(session, care_plan, knowledge=knowledge, now=now)
        audit.record(
            session, care_plan.organization_id, "taper.resume", now=now, staff_id=by.id,
            entity=care_plan.public_id, **plan.as_facts(),
        )  # fmt: skip
        return plan
    before = next((step.max_units for step in reversed(steps) if step.starts_on <= held_on), plan.start_units)
    return _redated(session, care_plan, plan, waiting, before, earliest, by, knowledge, now)


def _redated(
    session: Session,
    care_plan: CarePlan,
    plan: TaperPlan,
    waiting: Sequence[TaperStep],
    before: Decimal,
    starts_on: date,
    by: StaffUser,
    knowledge: Knowledge,
    now: datetime,
) -> TaperPlan:
    levels = [step.max_units for step in waiting for _ in range(step.days)]
    request = rules.TaperRequest(
        start_pills=before, rx_max=plan.start_units, days_taken=plan.days_taken, regular=True, unit=plan.unit
    )
    made = rules.TaperDraft(rules.Outcome.DRAFTED, levels=tuple(levels), steps=rules.as_steps(levels))
    return store(session, care_plan, request, made, starts_on, by.id, knowledge, now)


def enforce_holds(sessions: Sessions, *, knowledge: Knowledge, now: datetime) -> int:
    """Hold every taper whose next step is due while an urgent or emergency alert is open; return how many.

    The claim refuses those texts in any case; this tells the patient and the staff.
    """
    with sessions.begin() as session:
        plans = tapers.plans_to_hold(session, now=now)
        return sum(hold(session, one, reason="open_alert", knowledge=knowledge, now=now) for one in plans)


def level_on(session: Session, plan: TaperPlan, on: date) -> Decimal | None:
    """Return the plan's most pills on a local day; None before it begins, 0 from its last step on."""
    started = [step for step in tapers.steps_of(session, plan.id) if step.starts_on <= on]
    return started[-1].max_units if started else None
