"""Turn claimed requests into what goes out: words filled, links made, rows read once a batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Protocol
from uuid import UUID

import phonenumbers
from pydantic import SecretStr
from sqlalchemy import Update, select, update
from sqlalchemy.orm import Session

from followup.clinical import timing
from followup.core import ids
from followup.core.errors import ContentError
from followup.core.vocabulary import Audience, Channel, Language, LinkPurpose, Question, RequestOrigin
from followup.messages.catalog import Message
from followup.messages.render import Rendered, placeholders, render
from followup.messages.segments import segments, to_gsm
from followup.services.knowledge import Knowledge
from followup.store.models import Organization, Patient
from followup.store.queries import outbound
from followup.store.queries.batch import Source, update_many
from followup.store.queries.outbound import Claimed

#: The letter of each link's address; the web's pages answer to the same.
LETTERS: Mapping[LinkPurpose, str] = {
    LinkPurpose.CHECKIN: "c",
    LinkPurpose.CONSENT: "y",
    LinkPurpose.PREFERENCES: "p",
    LinkPurpose.PLAN: "t",
    LinkPurpose.HELP: "h",
    LinkPurpose.DISPOSAL: "d",
    LinkPurpose.ALERT: "a",
}
#: How long a link stays good. Consent: as long as the invitation is open. Alert: a page is stale in two days.
GOOD_FOR: Mapping[LinkPurpose, timedelta] = {
    LinkPurpose.CHECKIN: timedelta(hours=24),
    LinkPurpose.CONSENT: timedelta(days=7),
    LinkPurpose.PREFERENCES: timedelta(days=14),
    LinkPurpose.PLAN: timedelta(days=14),
    LinkPurpose.HELP: timedelta(days=14),
    LinkPurpose.DISPOSAL: timedelta(days=14),
    LinkPurpose.ALERT: timedelta(hours=48),
}
_DAY_TYPES = {name: Patient.__table__.c[name].type for name in ("id", "last_automatic_on")}
_WRITTEN_BY_STAFF = "email_wrapper"  # lends its subject to a mail that staff wrote themselves


class Voice(Protocol):
    """The settings that words depend on."""

    @property
    def public_url(self) -> str:
        """Where patients reach us, without a path."""
        ...

    @property
    def secret_key(self) -> SecretStr:
        """The key that signs links."""
        ...

    @property
    def mail_from(self) -> str:
        """Sender's address of every mail."""
        ...


@dataclass(frozen=True, slots=True)
class Ready:
    """One request's words, and the rows of the links that they hold (columns of AccessLink)."""

    request: Claimed
    sender: str
    rendered: Rendered
    unsubscribe_url: str | None
    links: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """One request whose words could not be made; the message names texts and fields, never a value."""

    request: Claimed
    why: str


@dataclass(frozen=True)
class _Batch:
    clinics: Mapping[UUID, tuple[Organization, str | None]]
    zones: Mapping[UUID, str]  #: Of the patients.
    last_automatic_on: dict[UUID, date | None]
    voice: Voice
    knowledge: Knowledge
    now: datetime


def render_batch(
    session: Session, requests: Sequence[Claimed], *, voice: Voice, knowledge: Knowledge, now: datetime
) -> list[Ready | Failed]:
    """Return the words of each request, in order; one that cannot be rendered does not stop the others.

    Marks each patient's first automatic text of the local day. Nothing is written but that mark.
    """
    clinics = outbound.clinics(session, list({one.organization_id for one in requests}))
    patient_ids = {one.patient_id for one in requests if one.patient_id is not None}
    people = session.execute(
        select(Patient.id, Patient.time_zone, Patient.last_automatic_on).where(Patient.id.in_(patient_ids))
    ).all()
    before = {patient_id: on for patient_id, _, on in people}
    batch = _Batch(
        {clinic.id: (clinic, sender) for clinic, sender in clinics},
        {patient_id: zone for patient_id, zone, _ in people},
        dict(before),
        voice,
        knowledge,
        now,
    )
    made = [_render(request, batch) for request in requests]
    new_days = [
        {"id": key, "last_automatic_on": on}
        for key, on in batch.last_automatic_on.items()
        if on != before[key]
    ]
    update_many(session, _set_day, _DAY_TYPES, new_days)
    return made


def _set_day(fresh: Source) -> Update:
    of_patient = Patient.__table__.c.id == fresh("id")
    return update(Patient).where(of_patient).values(last_automatic_on=fresh("last_automatic_on"))


def _render(request: Claimed, batch: _Batch) -> Ready | Failed:
    try:
        return _ready(request, batch)
    except ContentError as broken:
        return Failed(request, str(broken))


def _ready(request: Claimed, batch: _Batch) -> Ready:
    clinic, number = batch.clinics[request.organization_id]
    sender = number if request.channel is Channel.SMS else batch.voice.mail_from
    if not sender:
        raise ContentError(f"the clinic has nothing to send {request.channel.value} from")
    links = _Links(request, batch)
    message = _message(request, batch.knowledge)
    fields = {**standing_fields(clinic, request.language), **request.fields}
    if purpose := link_purpose(message, request.language, request.channel, batch.knowledge):
        fields["link"] = links.make(purpose)
    preferences = _preferences(request, links)
    if request.body is not None and request.channel is Channel.SMS:
        rendered = _as_written(request)
    else:
        is_first = _is_first_of_day(request, batch)
        rendered = render(
            message,
            request.language,
            request.channel,
            fields,
            first_of_day=is_first,
            preferences_link=preferences,
        )
        _mark_day(request, batch)
    return Ready(request, sender, rendered, preferences, tuple(links.rows))


def _message(request: Claimed, knowledge: Knowledge) -> Message:
    if request.body is None:
        return knowledge.catalog.get(request.message_key)
    wrapper = knowledge.catalog.get(_WRITTEN_BY_STAFF)
    # Their words are no template: a brace in them is a brace.
    words = request.body.replace("{", "(").replace("}", ")")
    return replace(wrapper, key="written_by_staff", texts={request.language: words, Language.EN: words})


def _as_written(request: Claimed) -> Rendered:
    lines = (to_gsm(line) for line in (request.body or "").splitlines())
    text = "\n".join(lines).strip()
    return Rendered(text, None, None, request.language, segments(text))


def standing_fields(clinic: Organization, language: Language) -> dict[str, str]:
    """Return the fields that a clinic fills in every text."""
    phone = spoken_number(clinic.phone)
    return {
        "org": clinic.name,
        "phone": phone,
        "oncall": spoken_number(clinic.oncall_phone) if clinic.oncall_phone else phone,
        "hours": str(clinic.hours_text.get(language.value) or clinic.hours_text.get(Language.EN.value, "")),
    }


@lru_cache(maxsize=1024)
def spoken_number(raw: str) -> str:
    """Return a phone number as short as its country writes it: 555-201-4477; or as it is if unreadable."""
    try:
        number = phonenumbers.parse(raw, "US")
    except phonenumbers.NumberParseException:
        return raw
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    return written.replace("(", "").replace(") ", "-")


def link_purpose(
    message: Message, language: Language, channel: Channel, knowledge: Knowledge
) -> LinkPurpose | None:
    """Return what the text's link opens. A mail that asks a patient something has one: a page answers it."""
    if "link" in placeholders(message.words(language).text):
        try:
            return knowledge.links[message.key]
        except KeyError:
            raise ContentError(f"{message.key}: links.toml does not say what its link opens") from None
    if channel is Channel.EMAIL and message.asks and message.audience != Audience.STAFF.value:
        return LinkPurpose.CONSENT if message.asks == Question.CONSENT else LinkPurpose.CHECKIN
    return None


def _preferences(request: Claimed, links: "_Links") -> str | None:
    """Return the address of List-Unsubscribe and of the footer: every mail to a patient has one."""
    if request.channel is not Channel.EMAIL or request.audience is not Audience.PATIENT:
        return None
    return links.make(LinkPurpose.PREFERENCES)


def _is_automatic(request: Claimed) -> bool:
    return request.audience is Audience.PATIENT and request.origin is not RequestOrigin.STAFF


def _is_first_of_day(request: Claimed, batch: _Batch) -> bool:
    if not _is_automatic(request) or request.patient_id is None:
        return False
    return batch.last_automatic_on[request.patient_id] != _today(request.patient_id, batch)


def _mark_day(request: Claimed, batch: _Batch) -> None:
    if _is_automatic(request) and request.patient_id is not None:
        batch.last_automatic_on[request.patient_id] = _today(request.patient_id, batch)


def _today(patient_id: UUID, batch: _Batch) -> date:
    return timing.local_date(batch.now, batch.zones[patient_id])


class _Links:
    """The links of one text: the address goes into the words, only the signed digest into the store."""

    def __init__(self, request: Claimed, batch: _Batch) -> None:
        self._request = request
        self._batch = batch
        self.rows: list[Mapping[str, Any]] = []

    def make(self, purpose: LinkPurpose) -> str:
        """Return a new link's address."""
        token, request, voice = ids.link_token(), self._request, self._batch.voice
        self.rows.append(
            {
                "id": ids.new_id(),
                "created_at": self._batch.now,
                "organization_id": request.organization_id,
                "token_digest": ids.signed_digest(token, voice.secret_key.get_secret_value()),
                "purpose": purpose,
                "patient_id": request.patient_id,
                "alert_id": request.alert_id,
                "request_id": request.id,
                "expires_at": max(request.expires_at, self._batch.now + GOOD_FOR[purpose]),
            }
        )
        return f"{voice.public_url.rstrip('/')}/{LETTERS[purpose]}/{token}"
