"""Enroll a patient: one form, a preview of every text, and only then the rows.

A form has a one-time key in its address. What was typed is kept under it for an hour, for the member who
typed it, so that a browser's Back loses nothing; a second press of the last button leads to what the first
one made.
"""

from datetime import datetime

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from followup.services import audit, enrolment, enrolment_form, once, preview
from followup.services.enrolment_form import Enrolment, EnrolmentRefused
from followup.tasks.outbound import ring
from web import story, words
from web.access import current_staff
from web.forms import FormReader
from web.house import current_house

from . import enrol_form

bp = Blueprint("enrol", __name__)

_NOT_TYPED = ("csrf_token", "action")


@bp.get("/enrol")
def new_form() -> ResponseReturnValue:
    """Draw the key of a new form, and go to it."""
    return redirect(url_for(".show_form", key=once.new_key()))


@bp.get("/enrol/<key>")
def show_form(key: str) -> ResponseReturnValue:
    """Show the form: empty, or with what this member typed into it within the hour, its faults on wish."""
    if (made := _made(key)) is not None:
        return _already(made)
    form = FormReader(_draft(key) or MultiDict())
    is_wrong = "check" in request.args and _read(form) is None
    return _form(key, form), 422 if is_wrong else 200


@bp.post("/enrol/<key>")
def submit(key: str) -> ResponseReturnValue:
    """Keep what was typed, then go back to the form, on to the preview, or save.

    Every answer is a way to another page: a page that a browser's Back can show again without asking.
    """
    form = FormReader(request.form)
    action = form.raw("action")
    try:
        if action == "enrol" and (filled := _filled(form)) is not None:
            return _save(key, filled)
        _keep(key, form)
    except EnrolmentRefused:
        _keep(key, form)
    except once.Repeated:
        return _already(_made(key))
    if action == "edit":
        return redirect(url_for(".show_form", key=key), 303)
    if action == "enrol" or _read(form) is None:
        return redirect(url_for(".show_form", key=key, check=1), 303)
    return redirect(url_for(".show_preview", key=key), 303)


@bp.get("/enrol/<key>/preview")
def show_preview(key: str) -> ResponseReturnValue:
    """Show every text that the kept form would bring; nothing is saved."""
    if (made := _made(key)) is not None:
        return _already(made)
    draft = _draft(key)
    if draft is None:
        flash("What was typed here is kept for an hour, and that is over. Fill in the form again.", "bad")
        return redirect(url_for(".new_form"), 303)
    form = FormReader(draft)
    filled = _read(form)
    if filled is None:
        return redirect(url_for(".show_form", key=key, check=1), 303)
    return _preview(key, form, filled)


def _checked(key: str) -> str:
    if not once.is_key(key):
        abort(404)
    return key


def _made(key: str) -> str | None:
    house, me = current_house(), current_staff()
    with house.session() as session:
        return once.already(session, me.organization_id, _checked(key))


def _already(patient: str | None) -> ResponseReturnValue:
    flash("This form was saved already: here is the patient. Nothing was written twice.", "ok")
    return redirect(f"/patients/{patient}", 303)


def _draft(key: str) -> MultiDict[str, str] | None:
    house, me = current_house(), current_staff()
    with house.session() as session:
        kept = once.draft_of(session, me.organization_id, _checked(key), by=me.id, now=house.clock.now())
    return MultiDict(kept) if kept is not None else None


def _keep(key: str, form: FormReader) -> None:
    house, me = current_house(), current_staff()
    typed = {name: values for name, values in form.values.lists() if name not in _NOT_TYPED}
    with house.session() as session:
        once.keep_draft(session, me.organization_id, _checked(key), typed, by=me.id, now=house.clock.now())


def _filled(form: FormReader) -> Enrolment | None:
    house = current_house()
    return enrol_form.read(
        form,
        drugs=house.knowledge.rules.drugs,
        protocols=house.knowledge.protocols,
        region=house.settings.phone_region,
        now=house.clock.now(),
    )


def _read(form: FormReader) -> Enrolment | None:
    """Return what the form says if it could be saved now; None with every fault noted on the form."""
    house, me = current_house(), current_staff()
    filled = _filled(form)
    if filled is None:
        return None
    try:
        with house.session() as session:
            enrolment_form.check(
                session, me.organization_id, filled, knowledge=house.knowledge, now=house.clock.now()
            )
    except EnrolmentRefused as refused:
        for name, what in refused.faults.items():
            form.fault(name, what)
        return None
    return filled


def _preview(key: str, form: FormReader, filled: Enrolment) -> ResponseReturnValue:
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
    return render_template(
        "staff/enrol_preview.html", key=key, form=form, filled=filled, shown=shown, story=story
    )


def _save(key: str, filled: Enrolment) -> ResponseReturnValue:
    house, me, now = current_house(), current_staff(), current_house().clock.now()
    with house.session() as session:
        enrolled = enrolment.enrol(
            session,
            me.organization_id,
            filled,
            by=me.id,
            knowledge=house.knowledge,
            now=now,
            key=_checked(key),
        )
    for lane in enrolled.lanes:
        ring(lane)
    flash(f"Enrolled. {_invited(enrolled.invited_at, now, filled.time_zone)}", "ok")
    return redirect(f"/patients/{enrolled.patient_public_id}", 303)


def _invited(at: datetime, now: datetime, zone: str) -> str:
    if at <= now:
        return "The invitation goes out now."
    when = f"{words.short_day(at, zone)}, {words.clock_time(at, zone, named=True)}"
    return f"The invitation goes out {when}, when texts may go."


def _form(key: str, form: FormReader) -> str:
    house = current_house()
    zones = dict(enrol_form.US_ZONES)
    return render_template(
        "staff/enrol.html",
        key=_checked(key),
        form=form,
        drugs=enrol_form.drug_choices(house.knowledge.rules.drugs),
        forms=[(shape.value, label) for shape, label in enrol_form.FORMS],
        courses=[(course.value, label) for course, label in enrol_form.COURSES],
        history=enrol_form.HISTORY,
        sexes=enrol_form.SEXES,
        us_zones=enrol_form.US_ZONES,
        in_us=form.raw("time_zone") in zones,
        all_zones=enrol_form.all_zones(),
        protocols=[(name, plan.title) for name, plan in house.knowledge.protocols.items()],
    )
