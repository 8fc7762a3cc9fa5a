"""Ask a check-in's questions on one plain page; what is answered goes the same road as a text."""

from collections.abc import Sequence

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from followup.core.vocabulary import CarePlanStatus, LinkPurpose, Question
from followup.store.queries import links
from web.access import public
from web.forms import FormReader, parse_number
from web.house import current_house
from web.security import csrf, limiter

from .answering import send_answers, thank
from .page import Page, opens
from .questions import (
    FOLLOW_UP_FROM,
    FOLLOW_UPS,
    SKIP,
    Item,
    items_of,
    only,
    read_answers,
    read_words,
    without,
)

bp = Blueprint("checkin", __name__)
csrf.exempt(bp)  # No session stands behind these forms: the secret is the token of their own address.
_OVER = (CarePlanStatus.COMPLETED, CarePlanStatus.REVOKED)
_COMMENT = "comment"


@bp.get("/c/<token>")
@limiter.limit("60 per minute")
@public("patient's link; the signed token is the key; looking answers nothing")
@opens(LinkPurpose.CHECKIN)
def ask(page: Page) -> ResponseReturnValue:
    """Show the questions that are not answered yet, none of them with an answer chosen."""
    if page.patient.care_plan_status in _OVER:
        return page.show("message.html", title=page.say("web_title"), text=page.say("web_closed"))
    items, answered = _questions(page)
    if not items and answered:
        change = url_for(".ask", token=page.token, all=1)
        return page.show("thanks.html", text=page.say("web_err_used"), change=change)
    return _shown(page, items, FormReader(MultiDict()))


def _shown(page: Page, items: Sequence[Item], form: FormReader, status: int = 200) -> ResponseReturnValue:
    shown = page.show(
        "checkin.html",
        items=items,
        form=form,
        is_change="all" in request.args,
        is_more="more" in request.args,
    )
    return shown, status


def _questions(page: Page) -> tuple[list[Item], bool]:
    """Return what this visit asks, and whether anything of the text was answered before."""
    keys: Sequence[str] = ()
    done: frozenset[str] = frozenset()
    if page.link.request_id is not None:
        with current_house().session() as session:
            row = links.request_of_page(session, page.organization_id, page.link.request_id)
            done = links.answered_questions(session, page.organization_id, page.link.request_id)
        keys = row.message_keys if row else ()
    everything = items_of(keys, current_house().knowledge.catalog, page.say)
    if "more" in request.args:
        return only(everything, FOLLOW_UPS), bool(done)
    first = without(everything, FOLLOW_UPS)
    if "all" in request.args:
        return first, bool(done)
    return without(first, frozenset(Question(one) for one in done)), bool(done)


@bp.post("/c/<token>")
@limiter.limit("20 per minute")
@public("patient's link; the signed token is the key")
@opens(LinkPurpose.CHECKIN)
def answer(page: Page) -> ResponseReturnValue:
    """Take the answers; a fault shows the same page with everything still in it."""
    form, (items, _) = FormReader(request.form), _questions(page)
    answers = read_answers(items, form, page.say)
    words = read_words(_COMMENT, form, page.say)
    if not form.errors and not answers and not words:
        for item in items:
            if form.raw(item.key) != SKIP:
                form.fault(item.key, page.say("web_err_required"))
    if form.errors:
        return _shown(page, items, form, 422)
    result = send_answers(page, answers, words=words)
    if result.message_key is None and _goes_on(page, answers):
        return redirect(url_for(".ask", token=page.token, lang=page.language.value, more=1), 303)
    return thank(page, result, may_change=True)


def _goes_on(page: Page, answers: dict[Question, str]) -> bool:
    """Tell whether the withdrawal answer opens the five closer questions of this text."""
    said = parse_number(answers.get(Question.WITHDRAWAL, ""))
    if said is None or said < FOLLOW_UP_FROM or page.link.request_id is None:
        return False
    with current_house().session() as session:
        row = links.request_of_page(session, page.organization_id, page.link.request_id)
    return row is not None and bool(
        only(items_of(row.message_keys, current_house().knowledge.catalog, page.say), FOLLOW_UPS)
    )
