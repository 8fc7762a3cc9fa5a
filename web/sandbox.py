"""Be everybody: the demo's phones and mailboxes, and the buttons that move its clock.

Mounted in the demo only. No sign-in: the demo answers on 127.0.0.1 alone, and its people are made up.
"""

import re
import threading
from collections.abc import Iterator
from datetime import timedelta

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from followup.core.clock import SystemClock
from followup.providers import sandbox_phone
from followup.providers.sandbox_phone import NotDelivered
from followup.services import demo_time
from followup.services.demo_time import Parts, Skipped
from followup.store.queries import demo_time as demo_queries
from followup.store.queries import sandbox as queries
from followup.store.queries.sandbox import Home, Phone
from web import words
from web.access import public, visitor
from web.days import day_of
from web.house import current_house

bp = Blueprint("sandbox", __name__)

LONGEST_TEXT = 1600  #: Characters; a carrier passes on no more.
STEPS = {"10-minutes": timedelta(minutes=10), "1-hour": timedelta(hours=1), "1-day": timedelta(days=1)}
_ANSWER_SECONDS = 2.0  #: How long a page waits for the answer to a text, so that it can show it.
_POLL_SECONDS = 0.1
_OK = 200
_REASON = "made-up people; only the demo has this page, on 127.0.0.1 alone"
_LINK = re.compile(r"https?://[^\s<>\"]*[^\s<>\".,;:!?)]")
_wall = SystemClock()


@bp.get("/sandbox")
@public(_REASON)
def phones() -> ResponseReturnValue:
    """List every phone, the one with the newest text first."""
    house, home = current_house(), _home()
    with house.sessions() as db:
        found = queries.phones(db, home.id)
    return render_template(
        "sandbox/phones.html",
        layout=_layout(),
        here="/sandbox",
        home=home,
        phones=found,
        now_at=house.clock.now(),
        day_of=day_of,
    )


@bp.get("/sandbox/<public_id>")
@public(_REASON)
def phone(public_id: str) -> ResponseReturnValue:
    """Show one phone, with what has arrived on it."""
    house, home, shown = current_house(), _home(), _phone(public_id)
    now = house.clock.now()
    with house.sessions() as db:
        arrived = queries.thread(db, home.id, shown)
    return render_template(
        "sandbox/phone.html",
        layout=_layout(),
        here="/sandbox",
        home=home,
        phone=shown,
        arrived=arrived,
        now_at=now,
        day=day_of(shown.discharge_on, now, shown.time_zone) if shown.discharge_on else None,
        pieces=pieces,
        longest=LONGEST_TEXT,
    )


@bp.post("/sandbox/<public_id>/text")
@public(_REASON)
def send_text(public_id: str) -> ResponseReturnValue:
    """Send what was typed from this phone, by the real road in."""
    body = request.form.get("body", "")
    if not body.strip():
        flash("Type a text first.", "bad")
    elif len(body) > LONGEST_TEXT:
        flash(f"{len(body)} characters, a text takes {LONGEST_TEXT}. Make it shorter.", "bad")
    else:
        _send(_phone(public_id), body, photos=0)
    return _back(public_id)


@bp.post("/sandbox/<public_id>/photo")
@public(_REASON)
def send_photo(public_id: str) -> ResponseReturnValue:
    """Send a photo without words from this phone."""
    _send(_phone(public_id), "", photos=1)
    return _back(public_id)


@bp.post("/sandbox/<public_id>/skip")
@public(_REASON)
def skip(public_id: str) -> ResponseReturnValue:
    """Move the clock to this phone's next text, or by one of the steps; say how far it went."""
    house, shown = current_house(), _phone(public_id)
    parts = Parts(house.sessions, house.senders, house.settings, house.knowledge)
    looked_at = demo_time.Phone(shown.organization_id, shown.addresses, shown.is_staff)
    step = request.form.get("to", "")
    if step == "next":
        flash(_told(demo_time.skip_to_next(parts, looked_at)), "ok")
    elif step in STEPS:
        flash(_told(demo_time.skip_by(parts, looked_at, STEPS[step])), "ok")
    else:
        abort(400)
    return _back(public_id)


def pieces(body: str) -> Iterator[tuple[str, bool]]:
    """Cut a text into words and addresses, as a phone does: each piece with whether it can be tapped."""
    at = 0
    for found in _LINK.finditer(body):
        yield body[at : found.start()], False
        yield found[0], True
        at = found.end()
    yield body[at:], False


def _told(skipped: Skipped) -> str:
    moved = f"The clock moved {_length(skipped.moved)}."
    return f"{moved} Something new is here." if skipped.has_news else f"{moved} Nothing came to this phone."


def _length(moved: timedelta) -> str:
    minutes = round(moved.total_seconds() / 60)
    days, hours = divmod(minutes // 60, 24)
    parts = ((days, "day"), (hours, "hour"), (minutes % 60, "minute"))
    said = [f"{number} {unit}{'' if number == 1 else 's'}" for number, unit in parts if number]
    return " ".join(said) or words.span(moved.total_seconds())


def _send(shown: Phone, body: str, *, photos: int) -> None:
    house, home = current_house(), _home()
    if shown.number is None or home.number is None:
        abort(404)
    before = _arrivals(shown)
    try:
        status = sandbox_phone.text(
            house.settings, sender=shown.number, recipient=home.number, body=body, photos=photos
        )
    except NotDelivered as refused:
        flash(str(refused), "bad")
        return
    if status != _OK:
        flash(f"The service refused the text (HTTP {status}).", "bad")
        return
    _wait_for_answer(shown, before)


def _wait_for_answer(shown: Phone, before: int) -> None:
    ends = _wall.monotonic() + _ANSWER_SECONDS
    while _arrivals(shown) == before and _wall.monotonic() < ends:
        threading.Event().wait(_POLL_SECONDS)


def _arrivals(shown: Phone) -> int:
    with current_house().sessions() as db:
        return demo_queries.arrivals(db, shown.organization_id, shown.addresses)


def _home() -> Home:
    with current_house().sessions() as db:
        found = queries.home(db)
    if found is None:
        abort(404)
    return found


def _phone(public_id: str) -> Phone:
    home = _home()
    with current_house().sessions() as db:
        found = queries.phone(db, home.id, public_id)
    if found is None:
        abort(404)
    return found


def _back(public_id: str) -> ResponseReturnValue:
    return redirect(url_for("sandbox.phone", public_id=public_id, _anchor="latest"), code=303)


def _layout() -> str:
    return "base.html" if visitor() else "sandbox/open.html"
