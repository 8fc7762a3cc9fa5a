"""Patients of a clinic: find one, read the whole story, write to them, stop the texts at their wish."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from followup.core.errors import ConsentMissing, FollowupError, InvalidInput
from followup.core.typed import cleaned
from followup.core.vocabulary import (
    AlertEventKind,
    AlertStatus,
    CarePlanStatus,
    Channel,
    ConsentStatus,
    Lane,
    Language,
    Tier,
)
from followup.messages.segments import segments, to_gsm
from followup.services import audit, consent, once, replying
from followup.services.replying import NamesADrug
from followup.store.queries import numbers, patients, timeline, worklist
from followup.store.queries import staff as staff_queries
from followup.tasks.outbound import ring
from web import charts, days, story, words
from web.access import current_staff
from web.house import current_house

bp = Blueprint("patients", __name__, url_prefix="/patients")

_PLACE = re.compile(r"\{[a-z_]+\}")
_LONGEST_SEARCH = 80  #: characters
_SHORTEST_CHART = 21  #: days on the axis before the course is that long


@bp.get("")
def listing() -> ResponseReturnValue:
    """List a clinic's patients by family name, a page at a time."""
    house, me = current_house(), current_staff()
    now, text = house.clock.now(), cleaned(request.args.get("q", "")).strip()[:_LONGEST_SEARCH]
    after = cleaned(request.args.get("after", "")) or None
    with house.sessions.begin() as db:
        page = patients.listed(db, me.organization_id, text=text, after=after)
        audit.record(db, me.organization_id, "patients.list", now=now, staff_id=me.id, rows=len(page.rows))
    return render_template(
        "staff/patients.html", here="/patients", page=page, text=text, after=after, days=days,
        years=words.years, story=story,
    )  # fmt: skip


@bp.get("/<public_id>")
def show(public_id: str) -> ResponseReturnValue:
    """Show one patient of the member's clinic: the story left, plan and numbers right."""
    return _page(public_id)


@dataclass(frozen=True)
class Line:
    """One line of the story. `kind`: day, said, alert, event, note, missed."""

    kind: str
    at: datetime
    thing: Any


def _page(
    public_id: str, *, wrong: Mapping[str, str] | None = None, names_a_drug: bool = False, status: int = 200
) -> ResponseReturnValue:
    """Return the page; `wrong` says by form ("text", "stop") what must be put right first."""
    house, me = current_house(), current_staff()
    now = house.clock.now()
    with house.sessions.begin() as db:
        facts = _facts(db, me.organization_id, public_id, _before())
        audit.record(db, me.organization_id, "patients.view", now=now, staff_id=me.id, entity=public_id)
    header: patients.Header = facts["patient"]
    typed = request.form.get("text", "")
    shown = render_template(
        "staff/patient.html",
        here="/patients",
        now_there=now,
        wrong=wrong or {},
        key=once.new_key(),
        names_a_drug=names_a_drug,
        typed=typed,
        parts=segments(to_gsm(typed)) if typed else 0,
        story=story,
        years=words.years,
        longest=replying.LONGEST,
        wording=lambda key: _wording(key, header.language),
        lines=list(_lines(facts, me.time_zone)),
        danger=_danger(facts["happened"]),
        why_not=_why_not(header, facts["roads"]),
        **facts,
        **_numbers(facts, header, now),
    )
    return shown, status


def _wording(key: str, language: Language) -> str:
    """Return a text of the catalogue as it stands there; what is filled when it goes out is left as dots."""
    return _PLACE.sub("…", current_house().knowledge.catalog.get(key).words(language).text)


def _before() -> datetime | None:
    try:
        before = datetime.fromisoformat(request.args.get("before", ""))
        return before.astimezone(UTC) if before.tzinfo else before.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # No time at all, or one that no calendar of ours holds in UTC.
        return None


def _facts(db: Session, organization_id: UUID, public_id: str, before: datetime | None) -> dict[str, Any]:
    header = patients.header(db, organization_id, public_id)
    said = timeline.said(db, organization_id, header.id, before=before)
    return {
        "patient": header,
        "roads": patients.roads(db, organization_id, header.id),
        "prescription": patients.prescription(db, organization_id, header.id),
        "said": said,
        "happened": timeline.happened(db, organization_id, header.id),
        "next_texts": timeline.next_texts(db, organization_id, header.id),
        "missed": timeline.not_sent(db, organization_id, header.id),
        "answers": numbers.answers(db, organization_id, header.id),
        "levels": numbers.levels(db, organization_id, header.plan_id) if header.plan_id else (),
        "moments": worklist.moments(db, organization_id, [header.id]).get(header.id, ()),
        "before": before,
        "older": said[0].at.isoformat() if len(said) >= timeline.LONGEST else None,
    }


def _numbers(facts: dict[str, Any], header: patients.Header, now: datetime) -> dict[str, Any]:
    if header.discharge_on is None:
        return {"day": None, "strip_states": "", "chart": None, "rows": [], "level": None}
    day = days.day_of(header.discharge_on, now, header.time_zone)
    states = days.strip_states(facts["moments"], header.discharge_on, header.time_zone, now)
    last = min(charts.DAYS, max(_SHORTEST_CHART, -(-max(day, 1) // 7) * 7))
    rows = days.chart_rows(facts["answers"], facts["levels"], states, header.discharge_on, last)
    has_numbers = any(v is not None for row in rows for v in (row.pain, row.pills, row.withdrawal, row.plan))
    today = now.astimezone(ZoneInfo(header.time_zone)).date()
    return {
        "day": day,
        "strip_states": states,
        "chart": charts.clinical(rows, last) if has_numbers else None,
        "rows": [row for row in rows if row.day <= day],
        "level": days.level_today(facts["levels"], today),
    }


def _lines(facts: dict[str, Any], zone: str) -> Iterator[Line]:
    """Yield the story in order, a line with the date before each day of the reader's zone."""
    lines = [Line("said", said.at, said) for said in facts["said"]]
    first = lines[0].at if lines and facts["older"] else None
    others = [*_alert_lines(facts["happened"]), *(Line("missed", row.due_at, row) for row in facts["missed"])]
    until = facts["before"]
    lines += [
        one for one in others if (first is None or one.at >= first) and (until is None or one.at < until)
    ]
    lines.sort(key=lambda line: line.at)
    day = None
    for line in lines:
        on = line.at.astimezone(ZoneInfo(zone)).date()
        if on != day:
            yield Line("day", line.at, on)
        day = on
        yield line


def _alert_lines(happened: Sequence[timeline.Happened]) -> Iterator[Line]:
    last = {step.alert_public_id: step for step in happened}
    for step in happened:
        kind = "alert" if step.event is AlertEventKind.TRIGGERED else "event"
        yield Line(kind, step.at, step)
        if step.note and step is last[step.alert_public_id]:
            yield Line("note", step.at, step)


def _danger(happened: Sequence[timeline.Happened]) -> timeline.Happened | None:
    """Return the latest raising of the worst open alert that pages; None when the patient has none."""
    raised = [
        step
        for step in happened
        if step.event is AlertEventKind.TRIGGERED
        and step.alert_status is not AlertStatus.RESOLVED
        and step.tier in (Tier.EMERGENCY, Tier.URGENT)
    ]
    return max(raised, key=lambda step: (step.tier.rank, step.at), default=None)


def _why_not(header: patients.Header, roads: Sequence[patients.Road]) -> str | None:
    """Return why no text can go to the patient now, or None."""
    agreed = [road for road in roads if road.consent is ConsentStatus.ACTIVE]
    if not agreed:
        return "No text can go out: the patient has not said yes to texts or email. Call instead."
    if all(road.blocked for road in agreed):
        return "No text can go out: every address is blocked. Call instead."
    if header.plan_status is not CarePlanStatus.ACTIVE or not header.is_active:
        return "No text can go out: the patient's course is not running. Call instead."
    return None


@bp.post("/<public_id>/text")
def send_text(public_id: str) -> ResponseReturnValue:
    """Send the patient words that the member wrote; a refusal keeps what was typed."""
    house, me = current_house(), current_staff()
    now, typed = house.clock.now(), request.form.get("text", "")
    try:
        with house.sessions.begin() as db:
            patient = patients.entity(db, me.organization_id, public_id)
            written = replying.send_staff_text(
                db, me.organization_id, patient, typed,
                by=staff_queries.user(db, me.organization_id, me.id), now=now,
                may_name_drugs=request.form.get("names_a_drug") == "yes", key=_key(),
            )  # fmt: skip
            zone = patient.time_zone
    except NamesADrug as named:
        return _page(public_id, wrong={"text": str(named)}, names_a_drug=True, status=422)
    except (InvalidInput, ConsentMissing) as refused:
        return _page(public_id, wrong={"text": str(refused)}, status=422)
    except once.Repeated:
        flash("These words were sent already. Nothing goes out twice.", "ok")
        return redirect(f"/patients/{public_id}#latest", code=303)
    ring(Lane.URGENT)
    flash(_said(written, zone), "ok")
    return redirect(f"/patients/{public_id}#latest", code=303)


def _key() -> str | None:
    key = request.form.get("key", "")
    return key if once.is_key(key) else None


def _said(written: replying.Written, zone: str) -> str:
    size = (
        ""
        if written.channel is not Channel.SMS
        else f" {written.parts} part{'s' if written.parts > 1 else ''}."
    )
    if written.changed:
        size += f" A text message cannot hold {written.changed}: left out or written plainer."
    if not written.is_later:
        return f"On its way.{size}"
    when = f"{words.short_day(written.due_at, zone)}, {words.clock_time(written.due_at, zone, named=True)}"
    return f"Planned for {when}, when texts may go.{size}"


@bp.post("/<public_id>/stop")
def stop_texts(public_id: str) -> ResponseReturnValue:
    """Stop every text at the patient's wish, said by phone or in person; the same as their own STOP."""
    house, me = current_house(), current_staff()
    if request.form.get("sure") != "yes":
        wrong = {"stop": "Tick that the patient asked for it. Nothing was stopped."}
        return _page(public_id, wrong=wrong, status=422)
    with house.sessions.begin() as db:
        patient = patients.entity(db, me.organization_id, public_id)
        roads = patients.roads(db, me.organization_id, patient.id)
        if not roads:
            raise FollowupError("The patient has no address.")
        consent.opt_out(
            db, me.organization_id, channel=roads[0].channel, address=roads[0].address, patients=[patient],
            communication_id=None, knowledge=house.knowledge, now=house.clock.now(), by=me.public_id,
        )  # fmt: skip
    ring(Lane.STAT)
    flash("Texts are stopped. A task to call the patient is in the worklist.", "ok")
    return redirect(f"/patients/{public_id}", code=303)
