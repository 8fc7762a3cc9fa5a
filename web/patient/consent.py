"""Ask for a yes on a page: what comes, the risk, the choice; only a pressed button answers."""

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from followup.core.vocabulary import ConsentStatus, Lane, Language, LinkPurpose
from followup.services import consent as consents
from followup.store.queries import links
from followup.tasks.outbound import ring
from web.access import public
from web.forms import FormReader
from web.house import current_house
from web.security import csrf, limiter

from .page import Page, opens
from .stopping import carrier_of, stop, stopped_words

bp = Blueprint("consent", __name__)
csrf.exempt(bp)  # No session stands behind these forms: the secret is the token of their own address.
_BY = "patient:web"


@bp.get("/y/<token>")
@limiter.limit("60 per minute")
@public("patient's link; the signed token is the key; looking changes nothing")
@opens(LinkPurpose.CONSENT)
def ask(page: Page) -> ResponseReturnValue:
    """Show what a yes means, or what was answered already; looking answers nothing."""
    return _shown(page)


def _shown(page: Page, error: str | None = None) -> ResponseReturnValue:
    house = current_house()
    with house.session() as session:
        found = links.newest_consent(
            session, page.organization_id, page.patient.id, carrier_of(session, page)
        )
    status = found.status if found else ConsentStatus.INACTIVE
    if found and status is ConsentStatus.PROPOSED and found.open_until > house.clock.now():
        own_link = house.settings.public_url.rstrip("/") + url_for(".ask", token=page.token)
        shown = page.show("consent.html", error=error, own_link=own_link, switch_to=_other(page))
        return shown, 422 if error else 200
    if status is ConsentStatus.ACTIVE:
        return page.show("consented.html", switch_to=_other(page))
    text = page.tell("consent_declined") if status is ConsentStatus.REJECTED else page.say("web_closed")
    return page.show("message.html", title=_title(page), text=text, switch_to=_other(page))


def _other(page: Page) -> str:
    """Return this page in the other language: nothing that was chosen on it is lost by going there."""
    other = Language.ES if page.language is Language.EN else Language.EN
    return url_for(".ask", token=page.token, lang=other.value)


def _title(page: Page) -> str:
    return page.say("consent_web_title")


@bp.post("/y/<token>")
@limiter.limit("20 per minute")
@public("patient's link; the signed token is the key")
@opens(LinkPurpose.CONSENT)
def answer(page: Page) -> ResponseReturnValue:
    """Take the pressed button: yes (with its box ticked), or no."""
    form = FormReader(request.form)
    said = form.choice("answer", ("yes", "no"), missing="")
    if said is None or (said == "yes" and not form.ticked("agree")):
        return _shown(page, error=page.say("web_err_summary"))
    with current_house().session() as session:
        lanes = _take(session, page, said_yes=said == "yes")
    for lane in lanes:
        ring(lane)
    return redirect(url_for(".ask", token=page.token, lang=page.language.value), 303)


def _take(session: Session, page: Page, *, said_yes: bool) -> frozenset[Lane]:
    house, now = current_house(), current_house().clock.now()
    found = links.newest_consent(session, page.organization_id, page.patient.id, carrier_of(session, page))
    if found is None or found.status is not ConsentStatus.PROPOSED or found.open_until <= now:
        return frozenset()  # Answered in another window, or too late: the page says which.
    if said_yes:
        return consents.give(
            session, found, by=_BY, communication_id=None, knowledge=house.knowledge, now=now
        )
    return consents.decline(session, found, by=_BY, communication_id=None, now=now)


@bp.get("/y/<token>/stop")
@limiter.limit("60 per minute")
@public("patient's link; the signed token is the key; only asks")
@opens(LinkPurpose.CONSENT, even_if_expired=True)
def ask_before_stop(page: Page) -> ResponseReturnValue:
    """Ask whether the yes is taken back."""
    return page.show("stop.html", back=url_for(".ask", token=page.token, lang=page.language.value))


@bp.post("/y/<token>/stop")
@limiter.limit("20 per minute")
@public("patient's link; the signed token is the key; a STOP works however old its link is")
@opens(LinkPurpose.CONSENT, even_if_expired=True)
def stop_all(page: Page) -> ResponseReturnValue:
    """Take the yes back: every channel ends."""
    told = stopped_words(page, stop(page, by=_BY))
    return page.show("message.html", title=_title(page), text=told, switch_to=_other(page))
