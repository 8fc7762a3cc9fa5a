"""The taper desk: draft a plan, show its arithmetic, approve exactly the version seen, hold it, resume it."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from followup.core.errors import Conflict, TaperRefused
from followup.core.vocabulary import Lane, StaffRole, TaperStatus
from followup.services import audit, taper, taper_drafts, taper_release, taper_sheet
from followup.store.queries import desk as desk_queries
from followup.store.queries import staff, tapers
from followup.tasks.outbound import ring
from web import story
from web.access import current_staff, needs
from web.forms import FormReader
from web.house import current_house

from .taper_chart import stairs

bp = Blueprint("plans", __name__)

MANUAL_ROWS = 8
_UNITS = (("1", "Whole tablets only"), ("0.5", "Scored tablet, may be split"))
_SHOWN = (TaperStatus.DRAFT, TaperStatus.ON_HOLD, TaperStatus.APPROVED)


@bp.get("/plans")
def desk() -> ResponseReturnValue:
    """List the plans of the clinic, those that wait for a prescriber first."""
    house, me = current_house(), current_staff()
    with house.session() as session:
        rows = desk_queries.waiting(session, me.organization_id)
        audit.record(
            session, me.organization_id, "plans.list", now=house.clock.now(), staff_id=me.id, count=len(rows)
        )
    return render_template("staff/plans.html", rows=rows, story=story)


@bp.get("/plans/<public_id>")
def show(public_id: str) -> ResponseReturnValue:
    """Show the newest version with its arithmetic, limits and warnings."""
    return _page(public_id)


def _page(
    public_id: str, form: FormReader | None = None, status: int = 200, *, panel: str = "draft"
) -> ResponseReturnValue:
    """Return the page; `form` is what was posted from a panel ("draft", "rows" or "sign") and refused."""
    house, me, now = current_house(), current_staff(), current_house().clock.now()
    with house.session() as session:
        shown = _read(session, public_id)
        filled_in = _filled_in(shown["plan"], shown["sheet"])
        audit.record(session, me.organization_id, "plans.view", now=now, staff_id=me.id, entity=public_id)
    forms = {"draft": filled_in, "rows": filled_in, "sign": FormReader(MultiDict())}
    if form is not None:
        forms[panel] = form
    return render_template(
        "staff/taper.html",
        forms=forms,
        faults=form.errors if form else {},
        units=_UNITS,
        manual_rows=MANUAL_ROWS,
        story=story,
        **shown,
    ), status


def _filled_in(plan: Any, sheet: taper_sheet.Sheet | None) -> FormReader:
    """Return the form with the terms of the version in sight, to work it out again."""
    if plan is None or sheet is None:
        return FormReader(MultiDict())
    terms = {
        "starts_on": plan.starts_on.isoformat(),
        "step_days": str((sheet.rows[0].ends_on - sheet.rows[0].starts_on).days + 1),
        "unit": f"{plan.unit.normalize():f}",
    }
    return FormReader(MultiDict(terms))


def _read(session: Session, public_id: str) -> dict[str, Any]:
    me, house = current_staff(), current_house()
    care_plan = desk_queries.care_plan(session, me.organization_id, public_id)
    patient = desk_queries.subject(session, me.organization_id, care_plan.patient_id)
    prescription = tapers.prescription_of(session, me.organization_id, care_plan.patient_id)
    versions = tapers.tapers_of(session, me.organization_id, care_plan.id)
    plan = next((one for one in versions if one.status in _SHOWN), None)
    sheet = taper_sheet.sheet(session, plan, prescription) if plan else None
    person = staff.user(session, me.organization_id, me.id)
    return {
        "care_plan": care_plan,
        "patient": patient,
        "prescription": prescription,
        "alerts": desk_queries.open_alerts(session, me.organization_id, care_plan.patient_id),
        "issues": tapers.issues_of(session, me.organization_id, care_plan.patient_id),
        "drug": house.knowledge.rules.drugs.find(prescription.drug) if prescription else None,
        "plan": plan,
        "running": next((one for one in versions if one.status in _SHOWN[1:]), None),
        "sheet": sheet,
        "chart": stairs(plan.start_units, sheet.levels, plan.starts_on) if plan and sheet else "",
        "drafted_by": desk_queries.staff_name(session, me.organization_id, plan.drafted_by) if plan else None,
        "approved_by": desk_queries.staff_name(session, me.organization_id, plan.approved_by)
        if plan
        else None,
        "screen": house.knowledge.rules.issues.screen,
        "may_approve": person.role is StaffRole.PRESCRIBER,
        "missed": taper_release.missed_today(
            session, me.organization_id, care_plan, knowledge=house.knowledge, now=house.clock.now()
        ),
    }


@bp.post("/plans/<public_id>/draft")
def draft(public_id: str) -> ResponseReturnValue:
    """Write a new draft by the rule."""
    form = FormReader(request.form)
    starts_on = _start(form)
    step_days = form.number(
        "step_days",
        missing="Type how many days a step lasts.",
        low=Decimal(1),
        high=Decimal(14),
        step=Decimal(1),
        advice="It is how many days each level lasts before the next.",
    )
    target = form.number(
        "target_days",
        missing=None,
        low=Decimal(2),
        high=Decimal(41),
        step=Decimal(1),
        advice="It is how many days the whole plan lasts. It may stay empty.",
    )
    unit = form.choice(
        "unit", [key for key, _ in _UNITS], missing="Choose whole tablets, or tablets that may be split."
    )
    if form.errors or starts_on is None or step_days is None or unit is None:
        return _page(public_id, form, 422)
    return _drafted(
        public_id,
        form,
        starts_on=starts_on,
        step_days=int(step_days),
        target_days=int(target) if target is not None else None,
        unit=Decimal(unit),
    )


@bp.post("/plans/<public_id>/rows")
@needs(StaffRole.PRESCRIBER)
def draft_rows(public_id: str) -> ResponseReturnValue:
    """Write a new draft from a prescriber's own rows; the same bounds hold."""
    form = FormReader(request.form)
    starts_on = _start(form)
    unit = form.choice(
        "unit", [key for key, _ in _UNITS], missing="Choose whole tablets, or tablets that may be split."
    )
    rows = _rows(form)
    if not rows:
        form.fault("level_1", "Type at least one row: the most a day, and for how many days.")
    if form.errors or starts_on is None or unit is None:
        return _page(public_id, form, 422, panel="rows")
    return _drafted(public_id, form, panel="rows", starts_on=starts_on, unit=Decimal(unit), rows=rows)


def _start(form: FormReader) -> date | None:
    today = current_house().clock.now().date()
    return form.day(
        "starts_on",
        missing="Choose the first day of the plan.",
        earliest=today - timedelta(days=1),
        latest=today + timedelta(days=60),
    )


def _rows(form: FormReader) -> list[tuple[Decimal, int]]:
    found = []
    for number in range(1, MANUAL_ROWS + 1):
        level, days = f"level_{number}", f"days_{number}"
        if not form.raw(level) and not form.raw(days):
            continue
        most = form.number(
            level, missing="Type the most a day.", low=Decimal(0), high=Decimal(100), step=Decimal("0.5")
        )
        length = form.number(
            days, missing="Type for how many days.", low=Decimal(1), high=Decimal(42), step=Decimal(1),
            advice="It is how many days this level lasts.",
        )  # fmt: skip
        if most is not None and length is not None:
            found.append((most, int(length)))
    return found


def _drafted(public_id: str, form: FormReader, *, panel: str = "draft", **terms: Any) -> ResponseReturnValue:
    house, me = current_house(), current_staff()
    try:
        with house.session() as session:
            taper_drafts.draft(
                session,
                me.organization_id,
                desk_queries.care_plan(session, me.organization_id, public_id),
                by=me.id,
                knowledge=house.knowledge,
                now=house.clock.now(),
                **terms,
            )
    except TaperRefused as refused:
        form.fault(refused.field or "draft", str(refused))
        return _page(public_id, form, 422, panel=panel)
    return redirect(f"/plans/{public_id}", 303)


@bp.post("/plans/<public_id>/approve")
@needs(StaffRole.PRESCRIBER)
def approve(public_id: str) -> ResponseReturnValue:
    """Approve exactly the version that was read; the boxes must be ticked by hand."""
    form, house, me = FormReader(request.form), current_house(), current_staff()
    if not form.ticked("read"):
        form.fault("read", "Read the steps and the limits, then tick this box.")
    if form.ticked("has_warnings") and not form.ticked("warnings"):
        form.fault("warnings", "Read the warnings, then tick this box.")
    if form.errors:
        return _page(public_id, form, 422, panel="sign")
    try:
        with house.session() as session:
            care_plan = desk_queries.care_plan(session, me.organization_id, public_id)
            drafted = tapers.taper_in(session, me.organization_id, care_plan.id, TaperStatus.DRAFT)
            if drafted is None:
                raise Conflict("This plan has changed since you opened it. Look at the newest version.")
            taper.approve(
                session,
                drafted,
                by=staff.user(session, me.organization_id, me.id),
                seen_digest=form.raw("digest"),
                knowledge=house.knowledge,
                now=house.clock.now(),
            )
    except (Conflict, TaperRefused) as refused:
        form.fault("approve", str(refused))
        return _page(public_id, form, 409, panel="sign")
    flash("Approved. Each step is texted at 5:00 pm of the evening before, on the patient's clock.", "ok")
    return redirect(f"/plans/{public_id}", 303)


@bp.post("/plans/<public_id>/hold")
@needs(StaffRole.CLINICIAN, StaffRole.PRESCRIBER)
def hold(public_id: str) -> ResponseReturnValue:
    """Stop the next steps until a prescriber resumes; the patient is told once."""

    def act(session: Session) -> str:
        house, me = current_house(), current_staff()
        care_plan = desk_queries.care_plan(session, me.organization_id, public_id)
        held = taper.hold(
            session, care_plan, reason="staff", knowledge=house.knowledge, now=house.clock.now(), by=me.id
        )
        if not held:
            raise Conflict("No taper plan is running.")
        return "On hold. No step is texted until a prescriber resumes the plan."

    return _act(public_id, act)


@bp.post("/plans/<public_id>/resume")
@needs(StaffRole.PRESCRIBER)
def resume(public_id: str) -> ResponseReturnValue:
    """Go on with the same version, or write a re-dated draft where days have passed.

    Only with the box ticked that says why it was held.
    """
    form = FormReader(request.form)
    if not form.ticked("why_read"):
        form.fault("why_read", "Read why it was held and what is open, then tick this box.")
        return _page(public_id, form, 422, panel="sign")

    def act(session: Session) -> str:
        house, me = current_house(), current_staff()
        plan = taper.resume(
            session,
            desk_queries.care_plan(session, me.organization_id, public_id),
            by=staff.user(session, me.organization_id, me.id),
            knowledge=house.knowledge,
            now=house.clock.now(),
        )
        if plan.status is TaperStatus.APPROVED:
            return f"Version {plan.version} goes on."
        return f"Days have passed: version {plan.version} has new dates and waits for approval."

    return _act(public_id, act)


@bp.post("/plans/<public_id>/release")
@needs(StaffRole.CLINICIAN, StaffRole.PRESCRIBER)
def release(public_id: str) -> ResponseReturnValue:
    """Send today's level this morning, because its text of last evening was missed."""

    def act(session: Session) -> str:
        house, me = current_house(), current_staff()
        taper_release.release(
            session,
            me.organization_id,
            desk_queries.care_plan(session, me.organization_id, public_id),
            by=me.id,
            knowledge=house.knowledge,
            now=house.clock.now(),
        )
        return "Released. The patient gets today's level by text, before noon on their clock."

    answer = _act(public_id, act)
    ring(Lane.URGENT)
    return answer


def _act(public_id: str, act: Callable[[Session], str]) -> ResponseReturnValue:
    try:
        with current_house().session() as session:
            said = act(session)
    except (Conflict, TaperRefused) as refused:
        form = FormReader(MultiDict())
        form.fault("approve", str(refused))
        return _page(public_id, form, 409, panel="sign")
    flash(said, "ok")
    return redirect(f"/plans/{public_id}", 303)
