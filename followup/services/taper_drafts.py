"""Draft a taper version, by rule or from a clinician's own rows; nothing is texted from a draft."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy.orm import Session

from followup.clinical import taper as rules
from followup.clinical import timing
from followup.core import states
from followup.core.errors import TaperRefused
from followup.core.vocabulary import Course, TaperStatus
from followup.services import audit
from followup.services.knowledge import Knowledge
from followup.store.models import CarePlan, MedicationRequest, Patient, TaperPlan, TaperStep
from followup.store.queries import tapers

_EVENING = time(17)
_EVENING_HOURS = 3
_LAST_QUESTION_AFTER = timedelta(days=3)  #: protocol action last_step_plus_72h


def draft(
    session: Session,
    organization_id: UUID,
    care_plan: CarePlan,
    *,
    starts_on: date,
    step_days: int = 2,
    target_days: int | None = None,
    unit: Decimal = Decimal(1),
    rows: Sequence[tuple[Decimal, int]] | None = None,
    by: UUID | None,
    shorten: bool = False,
    knowledge: Knowledge,
    now: datetime,
) -> TaperPlan:
    """Write a new draft, by the rule (reference 5.2) or from a clinician's own rows (pills a day, days).

    `shorten` lets the steps of the rule be shorter than `step_days` where the plan would outlast the course.

    TaperRefused says in words why no draft may be made or which bound it breaks.
    """
    if care_plan.course is Course.PRN:
        raise TaperRefused("Pills of this course are taken as needed: no step of a plan would be texted.")
    prescription = tapers.prescription_of(session, organization_id, care_plan.patient_id)
    if prescription is None:
        raise TaperRefused("There is no active prescription to step down from.")
    patient = session.get_one(Patient, care_plan.patient_id)
    check_start(starts_on, patient, now)
    manual = () if rows is not None else _manual_reasons(session, care_plan, knowledge)
    request = request_for(
        prescription,
        starts_on,
        step_days=step_days,
        target_days=target_days,
        unit=unit,
        manual_reasons=manual,
    )
    if shorten:
        request = longest_steps(request, starts_on, care_plan.ends_on)
    made = drafted(rules.manual(request, rows) if rows is not None else rules.draft(request))
    check_end(starts_on + timedelta(days=made.steps[-1].day_offset), care_plan.ends_on)
    return store(session, care_plan, request, made, starts_on, by, knowledge, now)


def request_for(
    prescription: MedicationRequest,
    starts_on: date,
    *,
    step_days: int,
    target_days: int | None = None,
    unit: Decimal = Decimal(1),
    manual_reasons: Sequence[str] = (),
) -> rules.TaperRequest:
    """Return what the rule needs.

    Start level, days taken by then, pills that are left of what was dispensed.
    """
    taken = prescription.first_taken_on
    return rules.TaperRequest(
        start_pills=prescription.max_units_per_day,
        rx_max=prescription.max_units_per_day,
        days_taken=(starts_on - taken).days if taken else None,
        regular=prescription.is_regular,
        unit=unit,
        step_days=step_days,
        target_days=target_days,
        pills_left=prescription.dispensed_units,
        manual_reasons=tuple(manual_reasons),
    )


def drafted(made: rules.TaperDraft) -> rules.TaperDraft:
    """Return a plan that was drafted; TaperRefused says why there is none."""
    if made.outcome is rules.Outcome.NO_TAPER_NEEDED:
        raise TaperRefused("No taper is needed: use fewer each day as pain eases.")
    if made.outcome is rules.Outcome.REFUSE_MANUAL:
        reasons = ", ".join(made.reasons)
        raise TaperRefused(f"No plan is drafted by rule here ({reasons}). A prescriber writes each row.")
    if made.outcome is rules.Outcome.REFUSE_TOO_FAST:
        raise TaperRefused(
            f"That is too fast. It needs at least {made.minimum_days} days.", field="target_days"
        )
    return made


def check_start(starts_on: date, patient: Patient, now: datetime) -> None:
    """Return if the first step's text can still go out the evening before.

    TaperRefused names the first day.
    """
    earliest = first_possible_start(patient, now)
    if starts_on < earliest:
        raise TaperRefused(
            f"The first step can start on {earliest:%b %-d}: its text goes out the evening before.",
            field="starts_on",
        )


def check_end(last_step_on: date, ends_on: date) -> None:
    """Return if the last step's withdrawal questions fall within the course; TaperRefused says by when."""
    latest = ends_on - _LAST_QUESTION_AFTER
    if last_step_on > latest:
        raise TaperRefused(
            f"The last step would start on {last_step_on:%b %-d}. Our texts end on {ends_on:%b %-d}, and we "
            f"ask how it goes 3 days after a step, so it must start by {latest:%b %-d}. Make the steps "
            "shorter, or follow this patient by phone.",
            field="step_days",
        )


def longest_steps(request: rules.TaperRequest, starts_on: date, ends_on: date) -> rules.TaperRequest:
    """Return the request with the longest steps, up to the wished ones, whose plan ends within the course."""
    for step_days in range(request.step_days, 2, -1):
        tried = replace(request, step_days=step_days)
        steps = rules.draft(tried).steps
        if not steps or starts_on + timedelta(days=steps[-1].day_offset) <= ends_on - _LAST_QUESTION_AFTER:
            return tried
    return replace(request, step_days=2)


def first_possible_start(patient: Patient, now: datetime) -> date:
    """Return the first local day on which a step can start: its text goes at 17:00 of the evening before."""
    today = timing.local_date(now, patient.time_zone)
    evening = timing.due(today, _EVENING, _EVENING_HOURS, patient.time_zone)
    return today + timedelta(days=1 if now < evening.due_at else 2)


def _manual_reasons(session: Session, care_plan: CarePlan, knowledge: Knowledge) -> tuple[str, ...]:
    found = tapers.issues_of(session, care_plan.organization_id, care_plan.patient_id)
    effects = ("manual", "refuse")
    return tuple(one.code for one in found if knowledge.rules.issues.issues[one.code].effect.value in effects)


def store(
    session: Session,
    care_plan: CarePlan,
    request: rules.TaperRequest,
    made: rules.TaperDraft,
    starts_on: date,
    by: UUID | None,
    knowledge: Knowledge,
    now: datetime,
) -> TaperPlan:
    """Write the next version as a draft; an older draft is superseded."""
    versions = tapers.tapers_of(session, care_plan.organization_id, care_plan.id)
    for old in versions:
        if old.status is TaperStatus.DRAFT:
            states.move(old, TaperStatus.SUPERSEDED, states.TAPER_MOVES)
    plan = TaperPlan(
        created_at=now,
        organization_id=care_plan.organization_id,
        care_plan_id=care_plan.id,
        version=versions[0].version + 1 if versions else 1,
        status=TaperStatus.DRAFT,
        starts_on=starts_on,
        start_units=request.start_pills,
        unit=request.unit,
        days_taken=request.days_taken or 0,
        warnings=list(made.warnings),
        digest=digest(starts_on, made.steps),
        rule_text="\n".join(knowledge.rules.issues.screen),
        drafted_by=by,
    )
    session.add(plan)
    session.flush()
    session.add_all(_step_row(plan, step, now) for step in made.steps)
    session.flush()
    audit.record(
        session, care_plan.organization_id, "taper.draft", now=now, staff_id=by, entity=care_plan.public_id,
        **plan.as_facts(),
    )  # fmt: skip
    return plan


def _step_row(plan: TaperPlan, step: rules.TaperStep, now: datetime) -> TaperStep:
    return TaperStep(
        created_at=now,
        organization_id=plan.organization_id,
        taper_plan_id=plan.id,
        sequence=step.sequence,
        starts_on=plan.starts_on + timedelta(days=step.day_offset),
        days=step.days,
        max_units=step.max_units,
    )


def digest(starts_on: date, steps: Sequence[rules.TaperStep]) -> str:
    """Return the SHA-256 of exactly these dated levels: what an approval is given to."""
    said = [starts_on.isoformat(), [[step.day_offset, step.days, str(step.max_units)] for step in steps]]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()
