"""Show every text that a patient would get, as the patient sees it, before anything is saved."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from followup.clinical import taper as rules
from followup.clinical import timing
from followup.core.errors import TaperRefused
from followup.core.vocabulary import Channel, Course, Fact, Language
from followup.messages.render import Rendered, render
from followup.services import consent, invitations, taper_drafts
from followup.services import enrolment as enrolments
from followup.services.enrolment_form import Enrolment, Findings, check
from followup.services.knowledge import Knowledge
from followup.services.rendering import LETTERS, link_purpose, standing_fields
from followup.services.schedule import LAST_DAY, LevelStep, PlannedText, Schedule, Terms, lay_out
from followup.store.models import MedicationRequest, Organization, Patient

_SAMPLE_TOKEN = "Ab3dE5gH7jK"  # noqa: S105  shown in a preview only; it opens nothing
#: What each condition is called on the staff page.
CONDITIONS: Mapping[Fact, str] = {
    Fact.STILL_TAKING: "still taking pills",
    Fact.STOPPED: "no longer taking pills",
    Fact.PILLS_LEFT: "pills are left over",
    Fact.SUPPORT_ON: "coping tips are on",
    Fact.TAPER_ACTIVE: "a prescriber has approved the taper plan",
}


@dataclass(frozen=True)
class PreviewText:
    """One bubble of the preview: when, the words, and under which condition (empty: always)."""

    local_at: datetime | None  #: The patient's own clock; None for an answer that follows the patient's YES.
    kind: str
    text: str
    next_texts: tuple[str, ...]  #: A check-in's further questions, each sent as the reply to an answer.
    condition: str
    segments: int


@dataclass(frozen=True)
class Preview:
    """What the page shows before saving."""

    findings: Findings
    texts: tuple[PreviewText, ...]
    left_out: tuple[PreviewText, ...]
    taper_note: str  #: Why there is no draft of a taper; empty where there is one.


@dataclass(frozen=True)
class _Page:
    organization: Organization
    enrolment: Enrolment
    channel: Channel
    knowledge: Knowledge
    public_url: str


def preview(
    session: Session,
    organization_id: UUID,
    enrolment: Enrolment,
    *,
    knowledge: Knowledge,
    public_url: str,
    now: datetime,
) -> Preview:
    """Return the findings and every dated text; EnrolmentRefused lists what must be fixed first.

    Writes nothing.
    """
    found = check(session, organization_id, enrolment, knowledge=knowledge, now=now)
    channel = Channel.SMS if enrolment.phone is not None else Channel.EMAIL
    page = _Page(session.get_one(Organization, organization_id), enrolment, channel, knowledge, public_url)
    steps, note = _draft_steps(enrolment, found, knowledge, now)
    schedule = lay_out(
        knowledge.protocols[enrolment.protocol],
        _terms(enrolment, channel, steps),
        catalog=knowledge.catalog,
        now=now,
    )
    texts = (*_before_yes(page, now), *_after_yes(page), *_dated(page, schedule))
    left_out = tuple(_bubble(page, one, first_of_day=False) for one in schedule.left_out)
    return Preview(found, texts, left_out, note)


def _draft_steps(
    enrolment: Enrolment, found: Findings, knowledge: Knowledge, now: datetime
) -> tuple[tuple[LevelStep, ...], str]:
    days = knowledge.protocols[enrolment.protocol].default_steps.get(enrolment.course)
    if enrolment.course is Course.PRN or not days:
        return (), "This course has no taper plan."
    starts_on = enrolments.default_start(enrolment, days[0], Patient(time_zone=enrolment.time_zone), now)
    rx = enrolment.rx
    row = MedicationRequest(
        max_units_per_day=rx.max_units_per_day,
        first_taken_on=rx.first_taken_on,
        is_regular=rx.is_regular,
        dispensed_units=rx.dispensed_units,
    )
    manual = [one.code for one in found.issues if one.effect.value == "manual"]
    request = taper_drafts.request_for(row, starts_on, step_days=days[1] - days[0], manual_reasons=manual)
    ends_on = enrolment.discharge_on + timedelta(days=LAST_DAY)
    try:
        made = taper_drafts.drafted(rules.draft(taper_drafts.longest_steps(request, starts_on, ends_on)))
        taper_drafts.check_end(starts_on + timedelta(days=made.steps[-1].day_offset), ends_on)
    except TaperRefused as refused:
        return (), str(refused)
    return tuple(
        LevelStep(starts_on + timedelta(days=step.day_offset), step.max_units) for step in made.steps
    ), ""


def _terms(enrolment: Enrolment, channel: Channel, steps: tuple[LevelStep, ...]) -> Terms:
    return Terms(
        course=enrolment.course,
        discharge_on=enrolment.discharge_on,
        time_zone=enrolment.time_zone,
        language=enrolment.language,
        channel=channel,
        support=enrolment.support,
        hide_numbers=enrolment.hide_numbers,
        steps=steps,
        taper_version=1 if steps else None,
        announce_taper=bool(steps),
    )


def _before_yes(page: _Page, now: datetime) -> Iterator[PreviewText]:
    zone = page.enrolment.time_zone
    first, again = invitations.times(now, zone)
    for key, at, condition in (
        (invitations.INVITE, first, ""),
        (invitations.REMIND, again, "no answer to the invitation after 24 hours"),
    ):
        said = _render(page, key, {}, first_of_day=False)
        yield PreviewText(_local(at, zone), "consent", said.text, (), condition, said.segments)


def _after_yes(page: _Page) -> Iterator[PreviewText]:
    for key in consent.welcome_keys(page.channel, on_web=page.channel is Channel.EMAIL):
        said = _render(page, key, {}, first_of_day=False)
        yield PreviewText(None, "education", said.text, (), "", said.segments)


def _dated(page: _Page, schedule: Schedule) -> Iterator[PreviewText]:
    seen: set[date] = set()
    for text in schedule.texts:
        yield _bubble(page, text, first_of_day=text.local_on not in seen)
        seen.add(text.local_on)


def _bubble(page: _Page, text: PlannedText, *, first_of_day: bool) -> PreviewText:
    said = _render(page, text.message_key, text.fields, first_of_day=first_of_day)
    more = [key for key in text.message_keys[1:] if page.channel in page.knowledge.catalog.get(key).channels]
    return PreviewText(
        local_at=_local(text.window.due_at, page.enrolment.time_zone),
        kind=text.kind,
        text=said.text,
        next_texts=tuple(_render(page, key, text.fields, first_of_day=False).text for key in more),
        condition=condition_in_words(text.requires),
        segments=said.segments,
    )


def condition_in_words(requires: Fact) -> str:
    """Return what must be true, for the staff page: "if still taking pills and pills are left over"."""
    named = [words for fact, words in CONDITIONS.items() if fact in requires]
    return f"if {' and '.join(named)}" if named else ""


def _render(page: _Page, key: str, fields: Mapping[str, str], *, first_of_day: bool) -> Rendered:
    message = page.knowledge.catalog.get(key)
    language: Language = page.enrolment.language
    filled = {**standing_fields(page.organization, language), **fields}
    if purpose := link_purpose(message, language, page.channel, page.knowledge):
        filled["link"] = f"{page.public_url}/{LETTERS[purpose]}/{_SAMPLE_TOKEN}"
    said = render(
        message,
        language,
        page.channel,
        filled,
        first_of_day=first_of_day,
        preferences_link=f"{page.public_url}/p/{_SAMPLE_TOKEN}",
    )
    return replace(said, text=said.text.strip())


def _local(at: datetime, zone: str) -> datetime:
    return at.astimezone(timing.zone_of(zone))
