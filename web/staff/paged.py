"""The page behind the link of a page text: tier, clock, what about, one button. The rest needs a sign-in."""

import hashlib
from dataclasses import dataclass
from uuid import UUID

from flask import Blueprint, redirect, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from followup.core.errors import Forbidden, LinkInvalid
from followup.core.ids import signed_digest
from followup.core.vocabulary import Lane
from followup.services import alerts, audit
from followup.store.queries import alerts as alert_queries
from followup.store.queries import paged, worklist
from followup.store.queries import staff as staff_queries
from followup.tasks.outbound import ring
from web import days, story
from web.access import public, visitor
from web.house import current_house
from web.security import limiter
from web.words import years

bp = Blueprint("paged", __name__, url_prefix="/a")

_LONGEST_TOKEN = 64


@dataclass(frozen=True)
class Opened:
    """A link that opened: the alert, who acts, and whether they may read the patient's words."""

    link: paged.PageLink
    alert: paged.PagedAlert
    actor_id: UUID | None
    may_read: bool


def _open(db: Session, token: str) -> Opened:
    house, me = current_house(), visitor()
    digest = signed_digest(token[:_LONGEST_TOKEN], house.settings.secret_key.get_secret_value())
    link = paged.page_link(db, digest)
    if link is None or link.alert_id is None or link.expires_at <= house.clock.now():
        raise LinkInvalid
    alert = paged.paged_alert(db, link.organization_id, link.alert_id, link.staff_id)
    if alert is None:
        raise LinkInvalid
    may_read = me is not None and me.organization_id == link.organization_id
    sent_to = link.staff_id if alert.staff_name is not None else None
    return Opened(link, alert, me.id if me is not None and may_read else sent_to, may_read)


def _this_link() -> str:
    # Counted for each link: whoever hammers at one must not keep a colleague's page from being acknowledged.
    return hashlib.sha256(request.path.encode()).hexdigest()[:16]


@bp.get("/<token>")
@public("link of a page text; shows nothing of the patient without a sign-in, and changes nothing")
@limiter.limit("60 per minute", key_func=_this_link)
def show(token: str) -> ResponseReturnValue:
    """Show what the page is about; opening it never acknowledges."""
    house = current_house()
    now = house.clock.now()
    with house.sessions.begin() as db:
        opened = _open(db, token)
        organization_id, alert = opened.link.organization_id, opened.alert
        flags = alert_queries.active_flags(db, organization_id, alert.id)
        row = worklist.row_of(db, organization_id, alert.public_id) if opened.may_read else None
        audit.record(
            db, organization_id, "alerts.open_page", now=now, staff_id=opened.actor_id,
            entity=alert.public_id, words=opened.may_read,
        )  # fmt: skip
    return render_template(
        "staff/page.html",
        alert=alert,
        about=story.about(flags),
        wait=story.wait(alert.tier, alert.triggered_at, now),
        mine=alert.acknowledged_by is not None and alert.acknowledged_by == opened.actor_id,
        can_act=opened.actor_id is not None,
        row=row,
        who=_who(row) if row is not None else "",
        story=story,
        token=token,
    )


def _who(row: worklist.Waiting) -> str:
    """Return name, age and day, for a clinician of the clinic."""
    now = current_house().clock.now()
    age = str(years(row.birth_on, now.date())) if row.birth_on else ""
    day = ""
    if row.discharge_on is not None and row.time_zone is not None:
        day = f"day {days.day_of(row.discharge_on, now, row.time_zone)} after going home"
    return ", ".join(filter(None, (row.name, row.sex, age, day)))


@bp.post("/<token>")
@public("link of a page text; acts as the member of staff it was sent to")
@limiter.limit("20 per minute", key_func=_this_link)
def acknowledge(token: str) -> ResponseReturnValue:
    """Take the alert as the signed-in member, or as the member the link was sent to."""
    house = current_house()
    now = house.clock.now()
    with house.sessions.begin() as db:
        opened = _open(db, token)
        if opened.actor_id is None:
            raise Forbidden("This link no longer says who you are. Sign in to take the alert.")
        organization_id = opened.link.organization_id
        alert = alert_queries.alert_by_public_id(db, organization_id, opened.alert.public_id)
        if alert is None:
            raise LinkInvalid
        by = staff_queries.user(db, organization_id, opened.actor_id)
        alerts.acknowledge(db, alert, by=by, now=now)
        audit.record(
            db,
            organization_id,
            "alerts.acknowledge",
            now=now,
            staff_id=by.id,
            entity=alert.public_id,
            by_link=True,
        )
    ring(Lane.STAT)
    return redirect(f"/a/{token}", code=303)
