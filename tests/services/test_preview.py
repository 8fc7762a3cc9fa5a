"""What staff see before saving is what the patient gets: the same texts, times and words."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from followup.core.vocabulary import Course, Fact, Language, RequestOrigin
from followup.messages.render import render
from followup.services import enrolment_form
from followup.services import preview as previews
from followup.services.enrolment_form import EnrolmentRefused
from followup.services.rendering import standing_fields
from followup.store.base import Base
from tests import factories as make
from tests.factories import NOW, ZONE
from tests.services import people
from tests.services.people import TODAY, form

URL = "https://followup.example.org"
KNOWLEDGE = people.knowledge()


@pytest.fixture
def clinic(session):
    return make.organization(session)


def preview(session, clinic, filled, now=NOW):
    return previews.preview(session, clinic.id, filled, knowledge=KNOWLEDGE, public_url=URL, now=now)


def local(at):
    return at.astimezone(ZoneInfo(ZONE))


FORMS = {
    "short": {},
    "long, in Spanish": {"course": Course.LONG, "language": Language.ES},
    "as needed, without tips": {"course": Course.PRN, "support": False},
    "numbers hidden": {"hide_numbers": True},
    "by mail": {"mail": True},
    "ten days late": {"discharge_on": TODAY - timedelta(days=10), "course": Course.LONG},
    "without a draft": {"rx": {"first_taken_on": None}},
    "home tomorrow": {"discharge_on": TODAY + timedelta(days=1)},
}


def filled_in(name):
    changes = dict(FORMS[name])
    return people.by_email(**changes) if changes.pop("mail", False) else form(**changes)


@pytest.mark.parametrize("name", FORMS)
def test_the_preview_is_what_is_planned_after_yes_and_approval(session, clinic, name):
    filled = filled_in(name)
    shown = preview(session, clinic, filled)
    plan = people.enrol(session, clinic, filled)
    if people.draft_of(session, plan) is not None:
        people.approve(session, plan, people.prescriber(session, clinic))
    people.yes(session, plan)
    planned = people.rows(session, plan)
    dated = [one for one in shown.texts if one.local_at is not None and one.kind != "consent"]
    assert sorted(one.local_at for one in dated) == [local(row.due_at) for row in planned]
    words = {(one.local_at, one.text) for one in dated}
    for row in planned:
        said = words_of(row, clinic)
        assert any(at == local(row.due_at) and said in text for at, text in words), row.message_key


def words_of(row, clinic):
    """Return a row's own words as the drain would fill them, cut before a link, whose token is random."""
    message = KNOWLEDGE.catalog.get(row.message_key)
    fields = {**standing_fields(clinic, row.language), **row.fields, "link": "LINK"}
    said = render(
        message, row.language, row.channel, fields, first_of_day=False, preferences_link="LINK"
    ).text
    return said.strip().split("LINK")[0].strip()


@pytest.mark.parametrize("name", ["short", "by mail"])
def test_invitation_reminder_and_answers_to_the_yes_stand_first(session, clinic, name):
    filled = filled_in(name)
    shown = preview(session, clinic, filled).texts
    plan = people.enrol(session, clinic, filled)
    invited = people.rows(session, plan, origin=RequestOrigin.INVITATION)
    assert [(one.kind, one.local_at) for one in shown[:2]] == [
        ("consent", local(row.due_at)) for row in invited
    ]
    assert shown[1].condition == "no answer to the invitation after 24 hours"
    people.yes(session, plan)
    answers = [one for one in shown if one.local_at is None]
    assert len(answers) == len(people.told(session, plan))


def test_looking_writes_nothing(session, clinic):
    before = {
        table.name: session.scalar(select(func.count()).select_from(table))
        for table in Base.metadata.sorted_tables
    }
    preview(session, clinic, form())
    assert not session.new
    assert not session.dirty
    after = {
        table.name: session.scalar(select(func.count()).select_from(table))
        for table in Base.metadata.sorted_tables
    }
    assert after == before


def test_a_form_with_faults_has_no_preview(session, clinic):
    with pytest.raises(EnrolmentRefused):
        preview(session, clinic, form(given_name=""))


def test_findings_are_those_that_will_be_stored(session, clinic):
    filled = form()
    assert preview(session, clinic, filled).findings == enrolment_form.findings(filled, KNOWLEDGE, now=NOW)


def test_no_place_of_any_text_stays_unfilled(session, clinic):
    for name in FORMS:
        shown = preview(session, clinic, filled_in(name))
        for one in (*shown.texts, *shown.left_out):
            assert "{" not in one.text + "".join(one.next_texts)
            assert one.text == one.text.strip() != ""


def test_the_first_text_of_a_day_names_the_clinic(session, clinic):
    dated = [one for one in preview(session, clinic, form()).texts if one.local_at and one.kind != "consent"]
    firsts: dict[date, str] = {}
    for one in dated:
        firsts.setdefault(one.local_at.date(), one.text)
    assert all(clinic.name in text for text in firsts.values())


def test_a_check_in_shows_the_questions_that_follow(session, clinic):
    checkin = next(
        one
        for one in preview(session, clinic, form()).texts
        if one.local_at == datetime(2026, 6, 5, 10, tzinfo=ZoneInfo(ZONE))
    )
    assert len(checkin.next_texts) == 2


def test_conditions_are_said_in_words(session, clinic):
    conditions = {one.condition for one in preview(session, clinic, form()).texts}
    assert "" in conditions
    assert "if still taking pills and a prescriber has approved the taper plan" in conditions
    assert "if no longer taking pills and pills are left over" in conditions


def test_a_text_for_everyone_has_no_condition():
    assert previews.condition_in_words(Fact.CONSENTED) == ""


@pytest.mark.parametrize(
    ("name", "words"),
    [("short", ""), ("as needed, without tips", "no taper plan"), ("without a draft", "days_unknown")],
)
def test_the_note_says_why_there_is_no_draft(session, clinic, name, words):
    note = preview(session, clinic, filled_in(name)).taper_note
    assert words in note
    assert bool(note) == bool(words)


def test_what_the_cap_leaves_out_is_listed(session, clinic):
    late = preview(session, clinic, form(discharge_on=TODAY - timedelta(days=30)))
    assert late.left_out
    assert not {one.text for one in late.left_out} & {one.text for one in late.texts}


def test_a_mail_shows_its_link_and_no_segments(session, clinic):
    shown = preview(session, clinic, people.by_email())
    assert all(one.segments == 0 for one in shown.texts)
    assert any(f"{URL}/c/" in one.text for one in shown.texts if one.kind == "checkin")
