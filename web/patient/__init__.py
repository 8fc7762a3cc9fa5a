"""Pages that patients open from a link of a text: no sign-in, no script, both languages, nothing kept."""

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from followup.core.errors import FollowupError
from followup.core.vocabulary import Language
from web.house import current_house

from . import checkin, consent, disposal, help, plan, preferences
from .page import TooOld, asked_language, frame, stranger_words, words_without

_REFUSALS = {429: "web_err_too_many"}

bp = Blueprint("patient", __name__)
for room in (checkin, consent, disposal, help, plan, preferences):
    bp.register_blueprint(room.bp)


@bp.after_request
def keep_it_private(response: Response) -> Response:
    """Tell the browser, and everything between, to keep and to pass on nothing of these pages."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    return response


@bp.errorhandler(TooOld)
def show_too_old(error: TooOld) -> ResponseReturnValue:
    """Say in the patient's language that the link is too old, and whom to call."""
    return error.page.show("message.html", text=error.page.say("web_err_expired")), 410


@bp.errorhandler(500)
@bp.errorhandler(HTTPException)
def show_refusal(error: HTTPException) -> ResponseReturnValue:
    """Say that a link opens nothing, or that there were too many tries; the clinic is not known here."""
    return _refuse(error.code or 404)


@bp.errorhandler(FollowupError)
def show_failure(error: FollowupError) -> ResponseReturnValue:
    """Say that it did not work, where a rule refused what no page of ours offers."""
    return _refuse(409)


def _refuse(status: int) -> ResponseReturnValue:
    language = asked_language(_browser_language())
    key = _REFUSALS.get(status, "web_err_server" if status >= 409 else "web_err_bad_link")
    text = words_without(current_house().knowledge.catalog, language, key, "phone")
    page = render_template("patient/message.html", **frame(language, stranger_words(language)), text=text)
    return page, status


def _browser_language() -> Language:
    best = request.accept_languages.best_match([language.value for language in Language])
    return Language(best) if best else Language.EN
