"""One alert: the words, why it was raised, whom to call; take it, pass it on, note, close."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from followup.core.errors import Conflict, InvalidInput, NotFound
from followup.core.vocabulary import AlertOutcome, AlertStatus, Lane
from followup.services import alerts, audit
from followup.services.alert_rows import PAGED
from followup.store.queries import alerts as alert_queries
from followup.store.queries import patients, timeline, worklist
from followup.store.queries import staff as staff_queries
from followup.tasks.outbound import ring
from web import resources, story
from web.access import current_staff
from web.house import current_house

bp = Blueprint("alerts", __name__, url_prefix="/alerts")

_TAIL = 6  #: Bubbles of the conversation beside an alert.
LONGEST_NOTE = 4000  #: characters


@bp.get("/<public_id>")
def show(public_id: str) -> ResponseReturnValue:
    """Show one alert of the member's clinic."""
    return _page(public_id)


def _page(public_id: str, *, errors: dict[str, str] | None = None, status: int = 200) -> ResponseReturnValue:
    house, me = current_house(), current_staff()
    now = house.clock.now()
    with house.sessions.begin() as db:
        found = alert_queries.alert_by_public_id(db, me.organization_id, public_id)
        # Read before the words: whoever closes has seen at least these.
        seen = alert_queries.newest_words(db, me.organization_id, found.id) if found else None
        row = worklist.row_of(db, me.organization_id, public_id)
        if row is None:
            raise NotFound
        facts = _patient_facts(db, me.organization_id, row)
        history = timeline.history(db, me.organization_id, row.id)
        pages = timeline.paged(db, me.organization_id, row.id)
        audit.record(db, me.organization_id, "alerts.view", now=now, staff_id=me.id, entity=public_id)
    shown = render_template(
        "staff/alert.html",
        here="/",
        alert=row,
        wait=story.wait(row.tier, row.triggered_at, now),
        why=story.why(row.kind, row.task, story.at_tier(row.words, row.tier), has_words=bool(row.words)),
        seen=seen or "",
        take_first=row.status is AlertStatus.TRIGGERED and row.tier in PAGED,
        reply_failed=any("safety_reply" in step.detail for step in history),
        history=history,
        pages=pages,
        story=story,
        outcomes=[(outcome.value, story.staff_word("outcomes", outcome.value)) for outcome in AlertOutcome],
        help=resources.national(now.date(), "crisis", "treatment"),
        needs_note=row.tier in PAGED,
        errors=errors or {},
        typed=request.form,
        **facts,
    )
    return shown, status


def _patient_facts(db: Session, organization_id: UUID, row: worklist.Waiting) -> dict[str, Any]:
    if row.patient_id is None or row.patient_public_id is None:
        return {"patient": None, "roads": (), "prescription": None, "tail": ()}
    return {
        "patient": patients.header(db, organization_id, row.patient_public_id),
        "roads": patients.roads(db, organization_id, row.patient_id),
        "prescription": patients.prescription(db, organization_id, row.patient_id),
        "tail": timeline.said(db, organization_id, row.patient_id, size=_TAIL),
    }


def _act(public_id: str, action: str, do: Callable[[Session, Any, Any], str]) -> ResponseReturnValue:
    """Do one thing to one alert of the member's clinic, say so, ring for what it wrote, show the alert."""
    house, me = current_house(), current_staff()
    with house.sessions.begin() as db:
        alert = alert_queries.alert_by_public_id(db, me.organization_id, public_id)
        if alert is None:
            raise NotFound
        said = do(db, alert, staff_queries.user(db, me.organization_id, me.id))
        audit.record(db, me.organization_id, action, now=house.clock.now(), staff_id=me.id, entity=public_id)
    ring(Lane.STAT)
    flash(said, "ok")
    return redirect(f"/alerts/{public_id}", code=303)


@bp.post("/<public_id>/acknowledge")
def acknowledge(public_id: str) -> ResponseReturnValue:
    """Take an alert; when somebody else was faster, say who has it."""
    now = current_house().clock.now()

    def take(db: Session, alert: Any, by: Any) -> str:
        if alerts.acknowledge(db, alert, by=by, now=now):
            return "You have this. No one else will be paged."
        return "Someone else has this already. You can take it over below."

    return _act(public_id, "alerts.acknowledge", take)


@bp.post("/<public_id>/take-over")
def take_over(public_id: str) -> ResponseReturnValue:
    """Take an alert from the colleague who has it."""
    now = current_house().clock.now()

    def take(db: Session, alert: Any, by: Any) -> str:
        alerts.take_over(db, alert, by=by, now=now)
        return "You have this now. Your colleague is told."

    return _act(public_id, "alerts.take_over", take)


@bp.post("/<public_id>/pass-on")
def pass_on(public_id: str) -> ResponseReturnValue:
    """Let go of an alert and page the others."""
    house = current_house()

    def let_go(db: Session, alert: Any, by: Any) -> str:
        others = alerts.pass_on(db, alert, by=by, knowledge=house.knowledge, now=house.clock.now())
        return (
            "You let go. The others are paged." if others else "There is no one else, so you are paged again."
        )

    return _act(public_id, "alerts.pass_on", let_go)


@bp.post("/<public_id>/note")
def add_note(public_id: str) -> ResponseReturnValue:
    """Add words to an alert, open or closed."""
    now, note = current_house().clock.now(), request.form.get("note", "")[:LONGEST_NOTE]

    def write(db: Session, alert: Any, by: Any) -> str:
        alerts.add_note(db, alert, by=by, note=note, now=now)
        return "Note added."

    try:
        return _act(public_id, "alerts.note", write)
    except InvalidInput as empty:
        return _page(public_id, errors={"note": str(empty)}, status=422)


@bp.post("/<public_id>/close")
def close(public_id: str) -> ResponseReturnValue:
    """Close an alert with what happened; an emergency or urgent one needs an owner and a note."""
    now, note = current_house().clock.now(), request.form.get("note", "").strip()[:LONGEST_NOTE]
    chosen, seen = request.form.get("outcome", ""), request.form.get("seen", type=UUID)

    def resolve(db: Session, alert: Any, by: Any) -> str:
        if alert.tier in PAGED and not note and not alert.note:
            raise InvalidInput(
                "Note: empty. Write who you spoke to, what they said, what comes next.", field="note"
            )
        told = _with_earlier(alert, note)
        alerts.resolve(db, alert, by=by, outcome=AlertOutcome(chosen), note=told, now=now, seen=seen)
        return "Alert closed."

    if chosen not in list(AlertOutcome):
        return _page(public_id, errors={"outcome": "Choose what was done."}, status=422)
    try:
        return _act(public_id, "alerts.close", resolve)
    except InvalidInput as wrong:
        return _page(public_id, errors={wrong.field or "note": str(wrong)}, status=422)
    except Conflict as late:
        return _page(public_id, errors={"close": str(late)}, status=409)


def _with_earlier(alert: Any, note: str) -> str | None:
    # Notes that were added before stay: closing only adds its own below them.
    return "\n".join(filter(None, (alert.note, note))) or None
