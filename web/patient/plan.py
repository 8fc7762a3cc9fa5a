"""Show today's level of the approved plan: a ceiling, never a goal, hidden where the patient wants."""

from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from followup.core.vocabulary import LinkPurpose, Question
from followup.services.wording import day_label, units_label
from followup.store.queries import links
from web.access import public
from web.house import current_house
from web.security import csrf, limiter

from .answering import send_answers, thank
from .page import Page, opens

bp = Blueprint("plan", __name__)
csrf.exempt(bp)  # No session stands behind these forms: the secret is the token of their own address.


@bp.get("/t/<token>")
@limiter.limit("60 per minute")
@public("patient's link; the signed token is the key")
@opens(LinkPurpose.PLAN)
def today(page: Page) -> ResponseReturnValue:
    """Show the most pills of today, and the day of the next step."""
    house = current_house()
    with house.session() as session:
        plan_id = page.patient.care_plan_id
        taper = links.standing_taper(session, page.organization_id, plan_id) if plan_id else None
    if taper is None:
        return page.show(
            "message.html", title=page.say("web_plan_title"), text=page.say("web_err_bad_link")
        ), 404
    at = taper.held_at if taper.is_held and taper.held_at else house.clock.now()
    on = at.astimezone(ZoneInfo(page.patient.time_zone)).date()
    lines = [page.say("web_plan_hold")] if taper.is_held else []
    lines += _level(page, taper.steps, on)
    if not taper.is_held:
        lines += _next(page, taper.steps, on)
    return page.show("plan.html", lines=lines, is_hidden=_is_hidden(page))


def _is_hidden(page: Page) -> bool:
    wish = request.args.get("numbers")
    return page.patient.hide_numbers if wish not in ("show", "hide") else wish == "hide"


def _level(page: Page, steps: tuple[tuple[date, Decimal], ...], on: date) -> list[str]:
    begun = [most for starts_on, most in steps if starts_on <= on]
    if not begun or _is_hidden(page):
        return []
    return [page.say("web_plan_today", n=units_label(begun[-1])) if begun[-1] else page.say("web_plan_zero")]


def _next(page: Page, steps: tuple[tuple[date, Decimal], ...], on: date) -> list[str]:
    coming = [starts_on for starts_on, _ in steps if starts_on > on]
    return [page.say("web_plan_next", step_date=day_label(coming[0], page.language))] if coming else []


@bp.post("/t/<token>/trouble")
@limiter.limit("20 per minute")
@public("patient's link; the signed token is the key")
@opens(LinkPurpose.PLAN)
def trouble(page: Page) -> ResponseReturnValue:
    """Take "I have trouble with this" as a YES to the question that the step's text asks."""
    return thank(page, send_answers(page, {Question.TAPER: "YES"}))
