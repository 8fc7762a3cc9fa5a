"""Enroll a patient: one form, a preview of every text, and only then the rows."""

from flask import Blueprint, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from followup.services import audit, enrolment, preview
from followup.services.enrolment_form import Enrolment, EnrolmentRefused
from followup.tasks.outbound import ring
from web.access import current_staff
from web.forms import FormReader
from web.house import current_house

from . import enrol_form

bp = Blueprint("enrol", __name__)


@bp.get("/enrol")
def empty_form() -> ResponseReturnValue:
    """Show the form with nothing chosen for anybody."""
    return _form(FormReader(MultiDict()))


@bp.post("/enrol")
def submit() -> ResponseReturnValue:
    """Show the preview, go back to the form, or save: what was typed travels along, checked each time."""
    form, house = FormReader(request.form), current_house()
    if form.raw("action") == "edit":
        return _form(form)
    filled = enrol_form.read(
        form,
        drugs=house.knowledge.rules.drugs,
        protocols=house.knowledge.protocols,
        region=house.settings.phone_region,
        now=house.clock.now(),
    )
    if filled is None:
        return _form(form, 422)
    try:
        return _save(filled) if form.raw("action") == "enrol" else _preview(form, filled)
    except EnrolmentRefused as refused:
        for name, what in refused.faults.items():
            form.fault(name, what)
        return _form(form, 422)


def _preview(form: FormReader, filled: Enrolment) -> ResponseReturnValue:
    house, me, now = current_house(), current_staff(), current_house().clock.now()
    with house.session() as session:
        shown = preview.preview(
            session,
            me.organization_id,
            filled,
            knowledge=house.knowledge,
            public_url=house.settings.public_url.rstrip("/"),
            now=now,
        )
        audit.record(session, me.organization_id, "patients.preview", now=now, staff_id=me.id)
    return render_template("staff/enrol_preview.html", form=form, filled=filled, shown=shown)


def _save(filled: Enrolment) -> ResponseReturnValue:
    house, me = current_house(), current_staff()
    with house.session() as session:
        enrolled = enrolment.enrol(
            session, me.organization_id, filled, by=me.id, knowledge=house.knowledge, now=house.clock.now()
        )
    for lane in enrolled.lanes:
        ring(lane)
    flash("Enrolled. The invitation goes out at the next hour that texts may go.", "ok")
    return redirect(f"/patients/{enrolled.patient_public_id}", 303)


def _form(form: FormReader, status: int = 200) -> ResponseReturnValue:
    house = current_house()
    zones = dict(enrol_form.US_ZONES)
    page = render_template(
        "staff/enrol.html",
        form=form,
        drugs=enrol_form.drug_choices(house.knowledge.rules.drugs),
        forms=[(key.value, label) for key, label in enrol_form.FORMS],
        courses=[(key.value, label) for key, label in enrol_form.COURSES],
        history=enrol_form.HISTORY,
        sexes=enrol_form.SEXES,
        us_zones=enrol_form.US_ZONES,
        in_us=form.raw("time_zone") in zones,
        all_zones=enrol_form.all_zones(),
        protocols=[(name, plan.title) for name, plan in house.knowledge.protocols.items()],
    )
    return page, status
