"""Pages behind the links of texts: only the holder of the token gets in, and nothing happens by looking."""

import html
import re
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import select

from followup.core.vocabulary import (
    AlertKind,
    AlertStatus,
    CarePlanStatus,
    Channel,
    ConsentStatus,
    Fact,
    Language,
    LinkPurpose,
    Question,
    RequestStatus,
    TaperStatus,
    Tier,
)
from followup.messages.catalog import load_catalog
from followup.services import inbound
from followup.store.models import (
    Alert,
    CarePlan,
    Communication,
    CommunicationRequest,
    Consent,
    Patient,
    QuestionnaireResponse,
    Suppression,
    TaperPlan,
    TaperStep,
)
from tests import factories
from tests.web import doors
from web.security import limiter

ALL_PURPOSES = {
    LinkPurpose.CHECKIN: "c",
    LinkPurpose.CONSENT: "y",
    LinkPurpose.PREFERENCES: "p",
    LinkPurpose.PLAN: "t",
    LinkPurpose.HELP: "h",
    LinkPurpose.DISPOSAL: "d",
}
CHECKIN = [
    "checkin_link_only",
    "ask_pain",
    "ask_pills",
    "ask_withdrawal",
    "ask_wd1",
    "ask_mood",
    "ask_feedback",
]


@pytest.fixture
def app(sqlite_url: str) -> Iterator[Flask]:
    app = doors.build(sqlite_url)
    yield app
    doors.close(app)


@pytest.fixture
def world(app):
    return World(app)


class World:
    """One clinic, one patient with e-mail, and the patient's browser."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.house = doors.house_of(app)
        self.browser = app.test_client()
        with self.house.session() as session:
            clinic = factories.organization(session)
            self.patient, self.plan, self.road = factories.enrolled(
                session, clinic, channel=Channel.EMAIL, address="ana@example.org"
            )
            self.consent_id = session.scalars(select(Consent.id)).one()

    def link(self, purpose, *, keys=("ask_pain",), **over):
        with self.house.session() as session:
            row = factories.request(
                session,
                self.plan,
                self.road.value,
                channel=Channel.EMAIL,
                message_key=keys[0],
                message_keys=list(keys),
            )
            token = doors.link(session, self.patient, purpose, request_id=row.id, **over)
        return f"/{ALL_PURPOSES[purpose]}/{token}"

    def get(self, address):
        return self.browser.get(address, base_url=doors.PUBLIC_URL)

    def post(self, address, **fields):
        return self.browser.post(address, data=fields, base_url=doors.PUBLIC_URL)

    def one(self, statement):
        with self.house.session() as session:
            return session.scalars(statement).one()

    def all(self, statement):
        with self.house.session() as session:
            return list(session.scalars(statement))

    def change(self, model, key, **values):
        with self.house.session() as session:
            row = session.get_one(model, key)
            for name, value in values.items():
                setattr(row, name, value)


def said(answer):
    return html.unescape(re.sub(r"\s+", " ", answer.get_data(as_text=True)))


@pytest.mark.parametrize("purpose", list(ALL_PURPOSES))
@pytest.mark.parametrize("language", ["en", "es"])
def test_every_page_opens_in_both_languages_and_is_kept_by_nobody(world, purpose, language):
    answer = world.get(f"{world.link(purpose, keys=CHECKIN)}?lang={language}")
    expected = 404 if purpose is LinkPurpose.PLAN else 200  # no plan is approved yet
    assert answer.status_code == expected
    page = said(answer)
    box = load_catalog().get("web_emergency_box").texts[Language(language)]
    assert f'<html lang="{language}">' in page
    assert box in page
    assert 'href="tel:911"' in page
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "noindex" in answer.headers["X-Robots-Tag"]
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "<script" not in page
    assert "Lopez" not in page, "no name is shown to whoever holds the phone"
    assert not re.search(r'(src|href)="https?://(?!findtreatment|www\.poison|988lifeline|apps\.dea)', page)


@pytest.mark.parametrize("purpose", list(ALL_PURPOSES))
def test_an_old_link_says_so_in_the_patients_language(world, purpose):
    world.change(Patient, world.patient.id, language=Language.ES)
    answer = world.get(world.link(purpose, expires_at=factories.NOW))
    assert answer.status_code == 410
    words = load_catalog().get("web_err_expired").texts[Language.ES].split("{phone}")
    assert all(part in said(answer) for part in words)


@pytest.mark.parametrize("letter", list(ALL_PURPOSES.values()))
def test_a_guessed_token_opens_nothing_and_says_no_number(world, letter):
    answer = world.get(f"/{letter}/Ab3dE5gH7jK")
    assert answer.status_code == 404
    assert "We can't open this link." in said(answer)
    assert "201-4477" not in said(answer)


@pytest.fixture
def counting():
    """Count from nothing, and leave nothing counted to the other tests of this address."""
    limiter.reset()
    yield
    limiter.reset()


def test_whoever_guesses_links_is_stopped_by_address(world, counting):
    good = world.link(LinkPurpose.HELP)
    letters = ("a", *ALL_PURPOSES.values())
    tries = [world.get(f"/{letters[n % len(letters)]}/Ab3dE5gH7j{n:02d}").status_code for n in range(60)]
    assert set(tries) == {404}
    assert world.get(good).status_code == 429, "all the letters are counted as one"
    words = load_catalog().get("web_err_too_many").texts[Language.EN]
    assert words.split("{")[0].split(".")[0] in said(world.get(good))
    assert world.get("/sign-in").status_code == 200, "the rest of the house stays open"
    elsewhere = {"REMOTE_ADDR": "198.51.100.7"}
    again = world.browser.get(good, base_url=doors.PUBLIC_URL, environ_overrides=elsewhere)
    assert again.status_code == 200


def test_a_link_that_opens_is_never_counted(world, counting):
    good = [world.link(one) for one in (LinkPurpose.HELP, LinkPurpose.DISPOSAL, LinkPurpose.PREFERENCES)]
    old = world.link(LinkPurpose.CHECKIN, expires_at=factories.NOW)
    for _ in range(16):
        assert [world.get(one).status_code for one in (*good, old)] == [200, 200, 200, 410]


def test_a_token_opens_only_the_page_it_was_made_for(world):
    token = world.link(LinkPurpose.HELP).removeprefix("/h/")
    assert all(world.get(f"/{letter}/{token}").status_code == 404 for letter in "cyptd")


# --- check-in ---


def test_no_answer_is_chosen_for_a_patient(world):
    page = said(world.get(world.link(LinkPurpose.CHECKIN, keys=CHECKIN)))
    assert " checked" not in page
    assert page.count('name="ask_pain"') == 12, "0 to 10, and skip"
    assert 'name="ask_wd1"' not in page, "the closer questions wait for the withdrawal answer"


def test_answers_take_the_road_that_texts_take(world):
    link = world.link(LinkPurpose.CHECKIN, keys=CHECKIN)
    answer = world.post(
        link, ask_pain="3", ask_pills="2,5", ask_withdrawal="0", ask_mood="1", ask_feedback="all good"
    )
    assert answer.status_code == 200
    assert "Thank you. Your answers were sent." in said(answer)
    kept = {row.question: row.number for row in world.all(select(QuestionnaireResponse))}
    assert kept == {
        Question.PAIN: Decimal(3),
        Question.PILLS: Decimal("2.5"),
        Question.WITHDRAWAL: Decimal(0),
        Question.MOOD: Decimal(1),
    }
    heard = world.one(select(Communication).where(Communication.channel == Channel.WEB))
    assert "all good" in heard.body
    assert heard.processed_at is not None


def test_what_was_answered_before_is_not_asked_again_but_can_be_changed(world):
    link = world.link(LinkPurpose.CHECKIN, keys=["ask_pain", "ask_mood"])
    world.post(link, ask_pain="3", ask_mood="skip")
    page = said(world.get(link))
    assert 'name="ask_pain"' not in page
    assert 'name="ask_mood"' in page
    world.post(link, ask_mood="2")
    assert "You have sent these answers already" in said(world.get(link))
    assert 'name="ask_pain"' in said(world.get(f"{link}?all=1"))
    world.post(f"{link}?all=1", ask_pain="4")
    rows = world.all(select(QuestionnaireResponse).where(QuestionnaireResponse.question == Question.PAIN))
    assert sorted(row.number for row in rows) == [3, 4]
    assert sum(row.amends_id is not None for row in rows) == 1


def test_the_link_of_a_reply_opens_the_rest_of_its_check_in(world):
    """By SMS the first answer is followed by "please answer the rest here"."""
    with world.house.session() as session:
        keys = ["ask_pain", "checkin_link", "ask_manage", "ask_pills"]
        hour = timedelta(hours=1)
        checkin = factories.request(
            session, world.plan, "+12025550111", message_keys=keys, status="completed",
            due_at=factories.NOW - 3 * hour, asks=Question.PAIN,
        )  # fmt: skip
        factories.request(
            session, world.plan, "+12025550111", message_key="taper_next", message_keys=["taper_next"],
            status="completed", due_at=factories.NOW - hour, asks=Question.TAPER,
        )  # fmt: skip
        checkin_id = checkin.id
    inbound.answer_web(
        world.house.sessions, patient_id=world.patient.id, request_id=checkin_id,
        answers=[(Question.PAIN, "4")], comment="", knowledge=world.house.knowledge, now=factories.NOW,
    )  # fmt: skip
    link = world.link(LinkPurpose.CHECKIN, keys=["checkin_link"])
    page = said(world.get(link))
    assert 'name="ask_manage"' in page
    assert 'name="ask_pills"' in page
    assert 'name="ask_pain"' not in page, "it was answered by text"
    assert 'name="taper_next"' not in page
    world.post(link, ask_manage="6")
    kept = world.one(select(QuestionnaireResponse).where(QuestionnaireResponse.question == Question.MANAGE))
    assert kept.request_id == checkin_id


def test_a_failure_of_ours_is_said_in_the_catalogues_words(world, monkeypatch):
    def broken(*_args, **_kwargs):
        raise RuntimeError("the database is gone")

    link = world.link(LinkPurpose.CHECKIN)
    world.app.testing = False
    monkeypatch.setattr("followup.services.inbound.answer_web", broken)
    answer = world.post(link, ask_pain="2")
    assert answer.status_code == 500
    assert "your answers were not saved" in said(answer)


def test_a_fault_keeps_every_answer(world):
    link = world.link(LinkPurpose.CHECKIN, keys=CHECKIN)
    answer = world.post(link, ask_pain="8", ask_pills="a few", comment="my words stay")
    assert answer.status_code == 422
    page = said(answer)
    assert "Please type a number, like 2." in page
    assert 'value="8" checked' in page
    assert 'value="a few"' in page
    assert "my words stay" in page
    assert world.all(select(QuestionnaireResponse)) == []
    assert "Please pick a number from 0 to 60." in said(world.post(link, ask_pills="61"))
    assert world.post(link, comment="x" * 2000).status_code == 422


def test_an_empty_page_is_asked_about_and_a_skipped_one_is_fine(world):
    link = world.link(LinkPurpose.CHECKIN, keys=["ask_pain"])
    assert "Please pick an answer, or skip this one." in said(world.post(link))
    assert world.post(link, ask_pain="skip").status_code == 200
    assert world.all(select(QuestionnaireResponse)) == []


def test_a_high_withdrawal_answer_opens_the_closer_questions(world):
    link = world.link(LinkPurpose.CHECKIN, keys=CHECKIN)
    answer = world.post(link, ask_withdrawal="2")
    assert answer.status_code == 303
    page = said(world.get(answer.headers["Location"]))
    assert 'name="ask_wd1"' in page
    assert 'name="ask_pain"' not in page
    assert world.post(f"{link}?more=1", ask_wd1="2").status_code == 200
    kept = {row.question for row in world.all(select(QuestionnaireResponse))}
    assert kept == {Question.WITHDRAWAL, Question.WD1}


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (
            "i want to die",
            ["You matter, and help is here now", 'href="tel:988"', 'href="sms:988"', 'href="tel:911"'],
        ),
        ("i cant breathe good and my lips look blue", ["Call 911 now", 'href="tel:911"']),
        ("i took all of my pills at once", ["1-800-222-1222", 'href="tel:18002221222"', 'href="tel:911"']),
    ],
)
def test_danger_in_the_comment_shows_whom_to_call_and_calls_a_clinician(world, words, shown):
    answer = world.post(world.link(LinkPurpose.CHECKIN, keys=["ask_pain"]), ask_pain="2", comment=words)
    page = said(answer)
    assert all(part in page for part in shown), page
    assert "Your answers were sent" not in page
    alert = world.one(select(Alert).where(Alert.kind == AlertKind.REPLY))
    assert (alert.tier, alert.status) == (Tier.EMERGENCY, AlertStatus.TRIGGERED)


def test_after_the_course_nobody_reads_here_and_the_page_says_so(world):
    world.change(CarePlan, world.plan.id, status=CarePlanStatus.COMPLETED)
    assert "This program has ended" in said(world.get(world.link(LinkPurpose.CHECKIN)))


# --- consent ---


@pytest.fixture
def invited(world):
    facts = int(Fact.CONSENT_PENDING | Fact.STILL_TAKING)
    world.change(CarePlan, world.plan.id, status=CarePlanStatus.DRAFT, facts=facts, activated_at=None)
    world.change(Consent, world.consent_id, status=ConsentStatus.PROPOSED, answered_at=None)
    return world


def test_looking_at_the_invitation_answers_nothing(invited):
    link = invited.link(LinkPurpose.CONSENT)
    page = said(invited.get(link))
    assert "Yes, you may text or e-mail me as written above." in page
    assert " checked" not in page
    assert invited.one(select(Consent)).status is ConsentStatus.PROPOSED


def test_a_yes_needs_its_box_and_its_button(invited):
    link = invited.link(LinkPurpose.CONSENT)
    assert invited.post(link, answer="yes").status_code == 422
    assert invited.one(select(Consent)).status is ConsentStatus.PROPOSED
    answer = invited.post(link, answer="yes", agree="1")
    assert answer.status_code == 303
    consent = invited.one(select(Consent))
    assert (consent.status, consent.answered_by) == (ConsentStatus.ACTIVE, "patient:web")
    assert invited.one(select(CarePlan)).status is CarePlanStatus.ACTIVE
    assert "You are signed up" in said(invited.get(answer.headers["Location"]))
    planned = invited.all(select(CommunicationRequest).where(CommunicationRequest.action_id.is_not(None)))
    assert len(planned) > 20


@pytest.mark.parametrize("language", ["en", "es"])
def test_a_yes_without_its_box_marks_the_box_and_keeps_the_language_switch(invited, language):
    link = invited.link(LinkPurpose.CONSENT)
    answer = invited.post(f"{link}?lang={language}", answer="yes")
    assert answer.status_code == 422
    page = said(answer)
    error = load_catalog().get("web_err_summary").texts[Language(language)]
    assert re.search(rf'<span class="error" id="agree-e" role="alert">.*?{re.escape(error)}</span>', page)
    box = re.search(r'<input type="checkbox" name="agree"[^>]*>', page)[0]
    assert 'aria-describedby="agree-e"' in box
    assert "checked" not in box
    other = "es" if language == "en" else "en"
    assert f'href="{link}?lang={other}" lang="{other}"' in page
    assert f'<html lang="{other}">' in said(invited.get(f"{link}?lang={other}"))


def test_a_stop_can_be_read_in_the_other_language(world):
    link = world.link(LinkPurpose.CONSENT)
    page = said(world.post(f"{link}/stop?lang=en"))
    assert f'href="{link}?lang=es" lang="es"' in page


def test_no_thank_you_ends_it(invited):
    link = invited.link(LinkPurpose.CONSENT)
    answer = invited.post(link, answer="no")
    assert "we will not text you" in said(invited.get(answer.headers["Location"]))
    assert invited.one(select(Consent)).status is ConsentStatus.REJECTED
    assert invited.post(link, answer="yes", agree="1").status_code == 303
    assert invited.one(select(Consent)).status is ConsentStatus.REJECTED, "a no is not undone by an old page"


def test_a_yes_after_seven_days_no_longer_counts(invited):
    invited.change(Consent, invited.consent_id, open_until=factories.NOW)
    invited.post(invited.link(LinkPurpose.CONSENT), answer="yes", agree="1")
    assert invited.one(select(Consent)).status is ConsentStatus.PROPOSED


def test_a_yes_can_be_taken_back_on_the_same_page(world):
    link = world.link(LinkPurpose.CONSENT)
    assert "Stop all messages" in said(world.get(link))
    assert "Yes, stop them" in said(world.get(f"{link}/stop"))
    assert world.one(select(Consent)).status is ConsentStatus.ACTIVE
    world.post(f"{link}/stop")
    assert world.one(select(Consent)).status is ConsentStatus.INACTIVE


# --- preferences ---


def test_choices_are_kept_and_change_what_is_planned(world):
    link = world.link(LinkPurpose.PREFERENCES)
    answer = world.post(link, language="es", support="1", hide_numbers="1")
    assert answer.status_code == 303
    page = said(world.get(answer.headers["Location"]))
    assert load_catalog().get("pref_saved").texts[Language.ES] in page
    assert world.one(select(Patient)).language is Language.ES
    plan = world.one(select(CarePlan))
    assert plan.hide_numbers
    assert plan.has(Fact.SUPPORT_ON)
    waiting = world.all(
        select(CommunicationRequest.language).where(CommunicationRequest.status == RequestStatus.ACTIVE)
    )
    assert set(waiting) == {Language.ES}
    world.post(link, language="en")
    assert not world.one(select(CarePlan)).has(Fact.SUPPORT_ON)


def test_a_strange_choice_is_refused_and_changes_nothing(world):
    answer = world.post(world.link(LinkPurpose.PREFERENCES), language="tlh")
    assert answer.status_code == 400
    assert "That was not saved." in said(answer)
    assert world.one(select(Patient)).language is Language.EN


def test_stop_asks_first_and_then_ends_every_channel(world):
    link = world.link(LinkPurpose.PREFERENCES)
    assert "Yes, stop them" in said(world.get(f"{link}/stop"))
    assert world.all(select(Suppression)) == []
    assert "You will get no more e-mail" in said(world.post(f"{link}/stop"))
    assert world.one(select(Suppression)).value == "ana@example.org"
    assert world.one(select(CarePlan)).status is CarePlanStatus.ON_HOLD
    assert world.one(select(Alert)).task == "texts_stopped"


@pytest.mark.parametrize("tail", ["", "/unsubscribe"])
def test_one_click_of_a_mail_program_unsubscribes_however_old_the_mail(world, tail):
    link = world.link(LinkPurpose.PREFERENCES, expires_at=factories.NOW - timedelta(days=40))
    answer = world.post(link + tail, **{"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert world.one(select(Suppression)).value == "ana@example.org"


def test_a_mail_scanner_that_opens_the_address_unsubscribes_nobody(world):
    link = world.link(LinkPurpose.PREFERENCES)
    assert world.get(f"{link}/unsubscribe").status_code == 200
    assert world.post(f"{link}/unsubscribe").status_code == 200
    assert world.all(select(Suppression)) == []


# --- the plan of today ---


@pytest.fixture
def tapered(world):
    with world.house.session() as session:
        plan = TaperPlan(
            created_at=factories.NOW,
            organization_id=world.plan.organization_id,
            care_plan_id=world.plan.id,
            version=1,
            status=TaperStatus.APPROVED,
            starts_on=date(2026, 6, 1),
            start_units=Decimal(4),
            unit=Decimal(1),
            days_taken=10,
            warnings=[],
            digest="0" * 64,
            rule_text="",
        )
        session.add(plan)
        session.flush()
        for sequence, (starts_on, days, most) in enumerate(
            [(date(2026, 6, 1), 2, 3), (date(2026, 6, 3), 2, 2), (date(2026, 6, 5), 1, 0)], 1
        ):
            session.add(
                TaperStep(
                    created_at=factories.NOW,
                    organization_id=plan.organization_id,
                    taper_plan_id=plan.id,
                    sequence=sequence,
                    starts_on=starts_on,
                    days=days,
                    max_units=Decimal(most),
                )
            )
        world.taper_id = plan.id
    return world


def test_today_is_a_ceiling_from_the_approved_plan(tapered):
    page = said(tapered.get(tapered.link(LinkPurpose.PLAN)))
    assert "Today: up to 3 pain pills. Fewer is fine." in page
    assert "Next step: Wed, Jun 3" in page


def test_a_draft_is_shown_to_no_patient(tapered):
    tapered.change(TaperPlan, tapered.taper_id, status=TaperStatus.DRAFT)
    answer = tapered.get(tapered.link(LinkPurpose.PLAN))
    assert answer.status_code == 404
    assert "up to 3" not in said(answer)


def test_a_held_plan_stays_at_its_level_and_names_no_next_step(tapered):
    tapered.change(TaperPlan, tapered.taper_id, status=TaperStatus.ON_HOLD, held_at=factories.NOW)
    tapered.house.clock.forward(days=3)
    page = said(tapered.get(tapered.link(LinkPurpose.PLAN, expires_at=factories.NOW + timedelta(days=9))))
    assert "Your next step is on hold" in page
    assert "up to 3 pain pills" in page
    assert "Next step:" not in page


def test_the_last_day_says_zero(tapered):
    tapered.house.clock.forward(days=4)
    page = said(tapered.get(tapered.link(LinkPurpose.PLAN, expires_at=factories.NOW + timedelta(days=9))))
    assert "Today: 0 pain pills." in page


def test_hidden_numbers_are_shown_only_when_asked_for(tapered):
    tapered.change(CarePlan, tapered.plan.id, hide_numbers=True)
    link = tapered.link(LinkPurpose.PLAN)
    assert "up to 3" not in said(tapered.get(link))
    assert "up to 3" in said(tapered.get(f"{link}?numbers=show"))


def test_trouble_with_the_plan_holds_it_and_reaches_staff(tapered):
    answer = tapered.post(f"{tapered.link(LinkPurpose.PLAN)}/trouble")
    assert answer.status_code == 200
    assert tapered.one(select(TaperPlan)).status is TaperStatus.ON_HOLD
    assert tapered.all(select(Alert))


# --- leftover pills, help ---


def test_pills_that_are_gone_are_noted(world):
    link = world.link(LinkPurpose.DISPOSAL, keys=["disposal_1"])
    world.change(CarePlan, world.plan.id, facts=int(Fact.CONSENTED | Fact.PILLS_LEFT))
    page = said(world.get(link))
    assert "apps.deadiversion.usdoj.gov" in page
    assert world.post(link, answer="done").status_code == 200
    assert not world.one(select(CarePlan)).has(Fact.PILLS_LEFT)
    assert world.post(link, answer="").status_code == 400


def test_help_names_the_clinic_and_the_national_lines(world):
    page = said(world.get(world.link(LinkPurpose.HELP)))
    for part in ("555-201-4477", "555-201-4499", "1-800-662-4357", 'href="tel:988"', "findtreatment.gov"):
        assert part in page
    assert "We have not checked this one of late" not in page


def test_a_number_that_nobody_checked_lately_is_marked(world):
    world.house.clock.forward(days=400)
    page = said(world.get(world.link(LinkPurpose.HELP, expires_at=factories.NOW + timedelta(days=500))))
    assert "We have not checked this one of late" in page


def test_too_many_tries_are_slowed_down(world):
    answers = [world.get("/h/Ab3dE5gH7jK").status_code for _ in range(70)]
    assert answers[0] == 404
    assert answers[-1] == 429
