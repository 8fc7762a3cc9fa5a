"""The worklist: who waits for a person, what they wrote, how long is left, who has it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from followup.core.vocabulary import AlertStatus, Tier
from followup.services import audit
from followup.store.queries import worklist
from followup.store.queries.staff import Member
from followup.store.queries.worklist import Moment, Waiting
from web import charts, days, story
from web.access import current_staff
from web.house import current_house
from web.words import span, years

bp = Blueprint("worklist", __name__)

_PAGED = frozenset((Tier.EMERGENCY, Tier.URGENT))


@dataclass(frozen=True)
class Row:
    """One row as the page shows it."""

    alert: Waiting
    wait: story.Wait
    facts: tuple[str, ...]
    strip: Markup | None
    words: Markup | None
    why: str
    claim: str | None
    is_mine: bool


@bp.get("/")
def show() -> ResponseReturnValue:
    """Show a clinic's open alerts: not acknowledged first, then those that someone has, then routine work."""
    house, me = current_house(), current_staff()
    now, mine = house.clock.now(), request.args.get("view") == "mine"
    with house.sessions.begin() as db:
        found = worklist.open_rows(db, me.organization_id, owner_id=me.id if mine else None)
        patients = {row.patient_id for row in found if row.patient_id is not None}
        told = worklist.moments(db, me.organization_id, patients)
        audit.record(db, me.organization_id, "worklist.view", now=now, staff_id=me.id, rows=len(found))
    rows = [_row(row, told.get(row.patient_id, ()) if row.patient_id else (), me, now) for row in found]
    return render_template("staff/worklist.html", here="/", mine=mine, **_grouped(rows))


def _grouped(rows: Sequence[Row]) -> dict[str, object]:
    waiting = [row for row in rows if row.alert.status is AlertStatus.TRIGGERED and row.alert.tier in _PAGED]
    taken = [row for row in rows if row.alert.status is AlertStatus.ACKNOWLEDGED]
    today = [row for row in rows if row not in waiting and row not in taken]
    groups = [
        ("Not acknowledged", "most serious first, then oldest", waiting),
        ("Someone has it, not closed", "", taken),
        ("Read and answer today", "", today),
    ]
    return {
        "groups": [group for group in groups if group[2]],
        "waiting": waiting,
        "is_full": len(rows) >= worklist.LONGEST,
    }


def _row(alert: Waiting, told: Sequence[Moment], me: Member, now: datetime) -> Row:
    first = alert.words[0] if alert.words else None
    flags = story.at_tier(alert.words, alert.tier)
    return Row(
        alert=alert,
        wait=_wait(alert, now),
        facts=_facts(alert, now),
        strip=_strip(alert, told, now),
        words=story.marked(first.body, first.evidence) if first and first.body else None,
        why=story.why(alert.kind, alert.task, flags, has_words=first is not None),
        claim=_claim(alert, me, now),
        is_mine=alert.acknowledged_by == me.id,
    )


def _wait(alert: Waiting, now: datetime) -> story.Wait:
    if alert.status is AlertStatus.ACKNOWLEDGED:
        return story.Wait(f"raised {span((now - alert.triggered_at).total_seconds())} ago", 0)
    return story.wait(alert.tier, alert.triggered_at, now)


def _facts(alert: Waiting, now: datetime) -> tuple[str, ...]:
    if alert.language is None or alert.time_zone is None:
        return (alert.sender,) if alert.sender else ()
    age = str(years(alert.birth_on, now.date())) if alert.birth_on else None
    day = f"day {days.day_of(alert.discharge_on, now, alert.time_zone)}" if alert.discharge_on else None
    language = {"en": "English", "es": "Español"}[alert.language.value]
    return tuple(fact for fact in (age, day, language) if fact)


def _strip(alert: Waiting, told: Sequence[Moment], now: datetime) -> Markup | None:
    if alert.discharge_on is None or alert.time_zone is None:
        return None
    states = days.strip_states(told, alert.discharge_on, alert.time_zone, now)
    return charts.strip(states, days.day_of(alert.discharge_on, now, alert.time_zone), name=alert.name)


def _claim(alert: Waiting, me: Member, now: datetime) -> str | None:
    if alert.acknowledged_at is None:
        return None
    who = "You" if alert.acknowledged_by == me.id else alert.owner or "Someone"
    return f"{who}, {span((now - alert.acknowledged_at).total_seconds())}"
