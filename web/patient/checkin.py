"""Ask a check-in's questions on one plain page; what is answered goes the same road as a text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

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
    asked = _asked(page)
    items = asked.wanted()
    if not items and asked.done:
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


@dataclass(frozen=True)
class Asked:
    """The text whose questions a link opens: itself, all it asks, and what was answered before."""

    request_id: UUID | None = None
    items: tuple[Item, ...] = ()
    done: frozenset[Question] = frozenset()

    def wanted(self) -> list[Item]:
        """Return what this visit asks: what is open, all of it again, or the closer questions."""
        if "more" in request.args:
            return only(self.items, FOLLOW_UPS)
        first = without(self.items, FOLLOW_UPS)
        return first if "all" in request.args else without(first, self.done)


def _asked(page: Page) -> Asked:
    """Return the questions of the text that brought the link, or of the check-in that this text is about."""
    if page.link.request_id is None:
        return Asked()
    with current_house().session() as session:
        own = links.request_of_page(session, page.organization_id, page.link.request_id)
        if own is None:
            return Asked()
        rows = [own]
        if not _items(page, own.message_keys):
            recent = links.recent_questions(session, page.organization_id, page.patient.id, own.due_at)
            # "Please answer the rest here" stands among the texts of its own check-in.
            rows = sorted(recent, key=lambda row: own.message_key not in row.message_keys)
        for row in rows:
            if items := _items(page, row.message_keys):
                done = links.answered_questions(
                    session, page.organization_id, row, or_since_it_was_due=row is not own
                )
                return Asked(row.id, tuple(items), done)
    return Asked(own.id)


def _items(page: Page, keys: Sequence[str]) -> list[Item]:
    return items_of(keys, current_house().knowledge.catalog, page.say)


@bp.post("/c/<token>")
@limiter.limit("20 per minute")
@public("patient's link; the signed token is the key")
@opens(LinkPurpose.CHECKIN)
def answer(page: Page) -> ResponseReturnValue:
    """Take the answers; a fault shows the same page with everything still in it."""
    form, asked = FormReader(request.form), _asked(page)
    items = asked.wanted()
    answers = read_answers(items, form, page.say)
    words = read_words(_COMMENT, form, page.say)
    if not form.errors and not answers and not words:
        for item in items:
            if form.raw(item.key) != SKIP:
                form.fault(item.key, page.say("web_err_required"))
    if form.errors:
        return _shown(page, items, form, 422)
    result = send_answers(page, answers, words=words, request_id=asked.request_id)
    if result.message_key is None and _goes_on(asked, answers):
        return redirect(url_for(".ask", token=page.token, lang=page.language.value, more=1), 303)
    return thank(page, result, may_change=True)


def _goes_on(asked: Asked, answers: Mapping[Question, str]) -> bool:
    """Tell whether the withdrawal answer opens the five closer questions of this text."""
    said = parse_number(answers.get(Question.WITHDRAWAL, ""))
    return said is not None and said >= FOLLOW_UP_FROM and bool(only(asked.items, FOLLOW_UPS))
