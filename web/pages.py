"""Lend every template what it needs: the frame's facts, the ways to say a time, the charts."""

from datetime import datetime
from typing import Any

from flask import Flask, current_app, g

from followup.store.queries import staff as staff_queries

from . import charts, words
from .access import visitor
from .house import current_house

#: Address, icon, name; shown where the room exists. The first four stand in the phone's bar.
NAV = (
    ("/", "list", "Worklist"),
    ("/patients", "person", "Patients"),
    ("/enrol", "plus", "Enroll"),
    ("/plans", "steps", "Taper desk"),
    ("/sandbox", "sand", "Sandbox phone"),
)
IN_THE_BAR = 4
#: Older than this the beat is late: it ticks every two seconds, and a page must not wait a minute.
BEAT_LATE_SECONDS = 60


def install(app: Flask) -> None:
    """Put filters, macros' helpers and the frame into the templates of an application."""
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(
        clock_time=words.clock_time,
        day=words.day,
        full_date=words.full_date,
        short_day=words.short_day,
        ago=words.ago,
        amount=words.amount,
        phone=words.phone,
        initials=words.initials,
    )
    app.jinja_env.globals.update(strip=charts.strip, clinical_chart=charts.clinical)
    app.context_processor(_frame)


def _frame() -> dict[str, Any]:
    return {"nav": nav, "shell": shell, "now": _now, "in_the_bar": IN_THE_BAR}


def nav() -> list[tuple[str, str, str]]:
    """Return the lines of the main menu whose rooms this installation has."""
    rules = {rule.rule for rule in current_app.url_map.iter_rules()}
    return [line for line in NAV if line[0] in rules]


def shell() -> "Frame":
    """Return the frame's facts, read once per request."""
    if "frame" not in g:
        me = visitor()
        house = current_house()
        with house.sessions() as db:
            found = staff_queries.shell(db, me.organization_id) if me else staff_queries.Shell(0, None)
        g.frame = Frame(found, house.clock.now())
    frame: Frame = g.frame
    return frame


class Frame:
    """What the frame of a staff page says: how many wait, and whether paging runs."""

    def __init__(self, found: staff_queries.Shell, now: datetime) -> None:
        """Judge the beat's age at `now`."""
        self.waiting = found.waiting
        self.beat_seconds = int((now - found.beat_at).total_seconds()) if found.beat_at else None

    @property
    def is_late(self) -> bool:
        """Tell whether pages may be late: beat has not ticked lately, or never."""
        return self.beat_seconds is None or self.beat_seconds > BEAT_LATE_SECONDS

    @property
    def pulse(self) -> str:
        """Return the line about paging."""
        if self.beat_seconds is None:
            return "Paging has not started"
        return f"Paging {'late' if self.is_late else 'OK'}, {words.span(max(0, self.beat_seconds))} ago"


def _now() -> datetime:
    return current_house().clock.now()
