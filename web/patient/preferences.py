"""Let patients choose: language, tips, hidden numbers, STOP; a mail program unsubscribes in one click."""

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue

from followup.core.vocabulary import Fact, Language, LinkPurpose
from followup.services import preferences
from followup.store.queries import links
from web.access import public
from web.forms import FormReader
from web.house import current_house
from web.security import csrf, limiter

from .page import Page, opens, refuse_if_expired
from .stopping import is_stopped, stop, stopped_words

bp = Blueprint("preferences", __name__)
csrf.exempt(bp)  # No session stands behind these forms: the secret is the token of their own address.


@bp.get("/p/<token>")
@limiter.limit("60 per minute")
@public("patient's link; the signed token is the key")
@opens(LinkPurpose.PREFERENCES)
def choices(page: Page) -> ResponseReturnValue:
    """Show what the patient has chosen so far."""
    return page.show(
        "preferences.html", is_saved="saved" in request.args, is_stopped=is_stopped(page), **_chosen(page)
    )


def _chosen(page: Page) -> dict[str, bool]:
    return {
        "support": Fact.SUPPORT_ON in Fact(page.patient.facts),
        "hide_numbers": page.patient.hide_numbers,
    }


@bp.post("/p/<token>")
@limiter.limit("20 per minute")
@public("patient's link, and List-Unsubscribe of every mail (RFC 8058); the signed token is the key")
@opens(LinkPurpose.PREFERENCES, even_if_expired=True)
def save(page: Page) -> ResponseReturnValue:
    """Keep the choices, which start with the next message; or stop at one click of a mail program."""
    if request.form.get("List-Unsubscribe") == "One-Click":
        return _stopped(page, by="patient:mail")
    refuse_if_expired(page)
    form, house = FormReader(request.form), current_house()
    language = form.word("language", Language, missing=page.say("pref_error"))
    if language is None:
        error = form.errors["language"]
        return page.show("preferences.html", error=error, is_stopped=is_stopped(page), **_chosen(page)), 400
    with house.session() as session:
        preferences.save(
            session,
            links.person(session, page.organization_id, page.patient.id),
            language=language,
            support=form.ticked("support"),
            hide_numbers=form.ticked("hide_numbers"),
            knowledge=house.knowledge,
            now=house.clock.now(),
        )
    return redirect(url_for(".choices", token=page.token, saved=1, lang=language.value), 303)


def _stopped(page: Page, *, by: str) -> ResponseReturnValue:
    return page.show(
        "message.html", title=page.say("pref_title"), text=stopped_words(page, stop(page, by=by))
    )


@bp.get("/p/<token>/stop")
@limiter.limit("60 per minute")
@public("patient's link; the signed token is the key; only asks")
@opens(LinkPurpose.PREFERENCES, even_if_expired=True)
def ask_before_stop(page: Page) -> ResponseReturnValue:
    """Ask whether all messages shall stop; nothing is stopped by looking."""
    return page.show("stop.html", back=url_for(".choices", token=page.token, lang=page.language.value))


@bp.post("/p/<token>/stop")
@limiter.limit("20 per minute")
@public("patient's link; the signed token is the key; a STOP works however old its link is")
@opens(LinkPurpose.PREFERENCES, even_if_expired=True)
def stop_all(page: Page) -> ResponseReturnValue:
    """Stop every channel."""
    return _stopped(page, by="patient:web")


@bp.route("/p/<token>/unsubscribe", methods=["GET", "POST"])
@limiter.limit("20 per minute")
@public("RFC 8058: a mail program posts here, without a session; the signed token is the key; GET only asks")
@opens(LinkPurpose.PREFERENCES, even_if_expired=True)
def unsubscribe(page: Page) -> ResponseReturnValue:
    """Stop every channel at one click in the mail program; a program that only looks (GET) is asked first."""
    if request.method == "POST" and request.form.get("List-Unsubscribe") == "One-Click":
        return _stopped(page, by="patient:mail")
    return page.show("stop.html", back=url_for(".choices", token=page.token, lang=page.language.value))
