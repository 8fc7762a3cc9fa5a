"""Open a patient's page from its link, and speak to the patient in words of the catalogue only."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec
from uuid import UUID

from flask import abort, render_template, request
from flask.typing import ResponseReturnValue

from followup.core.errors import LinkInvalid
from followup.core.ids import signed_digest
from followup.core.vocabulary import Channel, Language, LinkPurpose
from followup.messages.catalog import Catalog
from followup.messages.render import PLACEHOLDER, render
from followup.services.rendering import spoken_number
from followup.store.queries import links
from web.house import current_house

P = ParamSpec("P")

_LONGEST_TOKEN = 64
#: `tel:` takes digits and a plus only.
_NOT_DIALLED = re.compile(r"[^0-9+]")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True)
class Page:
    """One page of one patient: its link, its clinic, its reader's language."""

    token: str
    link: links.OpenedLink
    clinic: links.Clinic
    patient: links.PatientOfPage
    language: Language

    @property
    def organization_id(self) -> UUID:
        """Return the clinic that handed the link out: every query of a page is asked of it alone."""
        return self.link.organization_id

    @property
    def oncall(self) -> str:
        """Return the number that a person answers after hours; the office's where there is no other."""
        return spoken_number(self.clinic.oncall_phone or self.clinic.phone)

    @property
    def phone(self) -> str:
        """Return the office's number as people say it."""
        return spoken_number(self.clinic.phone)

    def say(self, key: str, **fields: str) -> str:
        """Return a text of the catalogue in the page's language, with the clinic's own fields filled."""
        return words(current_house().knowledge.catalog, self.language, key, **{**self._standing, **fields})

    def tell(self, key: str) -> str:
        """Return the words of a text of another channel, unfolded, where a page says the same thing."""
        text = current_house().knowledge.catalog.get(key).words(self.language).text
        return PLACEHOLDER.sub(lambda found: self._standing[found[1]], text)

    @property
    def _standing(self) -> dict[str, str]:
        hours = self.clinic.hours_text
        return {
            "org": self.clinic.name,
            "phone": self.phone,
            "oncall": self.oncall,
            "hours": str(hours.get(self.language.value) or hours.get(Language.EN.value, "")),
        }

    def show(self, template: str, **values: Any) -> str:
        """Return a page drawn from a template."""
        return render_template(f"patient/{template}", **frame(self.language, self.say), page=self, **values)


def words(catalog: Catalog, language: Language, key: str, **fields: str) -> str:
    """Return one filled text of the catalogue as a page shows it."""
    return render(catalog.get(key), language, Channel.WEB, fields, first_of_day=False).text


def words_without(catalog: Catalog, language: Language, key: str, missing: str) -> str:
    """Return a text without the sentences that need a field which nobody can fill."""
    sentences = _SENTENCE_END.split(catalog.text(key, language, Channel.WEB).text)
    return " ".join(sentence for sentence in sentences if f"{{{missing}}}" not in sentence)


def frame(language: Language, say: Callable[..., str]) -> dict[str, Any]:
    """Return what the layout of every patient page needs."""
    other = Language.ES if language is Language.EN else Language.EN
    return {"language": language, "other_language": other, "say": say, "dial": dial}


def dial(number: str) -> str:
    """Return the address that makes a phone call a number."""
    return "tel:" + _NOT_DIALLED.sub("", number)


def asked_language(default: Language) -> Language:
    """Return the language that the reader switched to, else the patient's own."""
    asked = request.args.get("lang", "")
    return Language(asked) if asked in list(Language) else default


def open_page(token: str, purpose: LinkPurpose, *, even_if_expired: bool = False) -> Page:
    """Return the page that a token opens; 404 for a token of no such page, TooOld for one that expired."""
    house = current_house()
    digest = signed_digest(token[:_LONGEST_TOKEN], house.settings.secret_key.get_secret_value())
    with house.session() as session:
        link = links.opened_link(session, digest)
        if link is None or link.purpose is not purpose or link.patient_id is None:
            abort(404)
        patient = links.patient_of_page(session, link.organization_id, link.patient_id)
        if patient is None:
            abort(404)
        clinic = links.clinic_of_page(session, link.organization_id)
    page = Page(token, link, clinic, patient, asked_language(patient.language))
    if not even_if_expired:
        refuse_if_expired(page)
    return page


def refuse_if_expired(page: Page) -> None:
    """Return when the link is still good; TooOld otherwise."""
    if current_house().clock.now() >= page.link.expires_at:
        raise TooOld(page)


class TooOld(LinkInvalid):
    """This link is too old."""

    def __init__(self, page: Page) -> None:
        """Keep the page, so that the answer speaks the patient's language and names the clinic's phone."""
        super().__init__()
        self.page = page


def opens(
    purpose: LinkPurpose, *, even_if_expired: bool = False
) -> Callable[[Callable[Concatenate[Page, P], ResponseReturnValue]], Callable[..., ResponseReturnValue]]:
    """Hand a view the page of its token in the token's place."""

    def around(
        view: Callable[Concatenate[Page, P], ResponseReturnValue],
    ) -> Callable[..., ResponseReturnValue]:
        @wraps(view)
        def opened(token: str, *args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
            return view(open_page(token, purpose, even_if_expired=even_if_expired), *args, **kwargs)

        return opened

    return around


def stranger_words(language: Language) -> Callable[..., str]:
    """Return a speaker for a page of no clinic that we know: texts of the catalogue without numbers."""
    return partial(words, current_house().knowledge.catalog, language)
