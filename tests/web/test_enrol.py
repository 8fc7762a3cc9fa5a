"""Enroll: one form, a preview of every text, faults beside their fields, nothing lost or saved too early."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from followup.core.vocabulary import CarePlanStatus, Channel, ConsentStatus, RequestOrigin
from followup.services import once
from followup.store.models import (
    AuditEvent,
    CarePlan,
    CommunicationRequest,
    Consent,
    ContactPoint,
    FormSubmission,
    MedicationRequest,
    Patient,
    TaperPlan,
)
from tests import factories
from tests.web import doors

GOOD = {
    "given_name": "Marisol",
    "family_name": "Etxeberria",
    "birth_on": "07/19/1974",
    "phone": "(202) 555-0123",
    "language": "en",
    "time_zone": "America/Denver",
    "procedure": "Knee replacement",
    "discharge_on": "2026-06-02",
    "drug": "product:oxycodone_apap_5_325",
    "form": "ir_tablet",
    "strength_mg": "",
    "max_units_per_day": "6",
    "dispensed_units": "30",
    "is_regular": "yes",
    "first_taken_on": "2026-05-28",
    "course": "SHORT",
    "support": "yes",
    "protocol": "default",
}


@pytest.fixture
def app(sqlite_url: str) -> Iterator[Flask]:
    app = doors.build(sqlite_url)
    yield app
    doors.close(app)


@pytest.fixture
def clinic(app):
    with doors.house_of(app).session() as session:
        return factories.organization(session)


@pytest.fixture
def client(app, clinic):
    with doors.house_of(app).session() as session:
        member = factories.staff(session, clinic)
    return doors.signed_in(app, member)


def new_form(client):
    """Open the form as a click on Enroll does; return its address with its key."""
    return client.get("/enrol", base_url=doors.PUBLIC_URL).headers["Location"]


def press(client, action, *, form=None, **over):
    """Press a button of the form, and follow to the preview or back to the form."""
    form = form or new_form(client)
    answer = doors.submit(client, "/account", form, {**GOOD, **over, "action": action})
    if answer.status_code == 303 and answer.headers["Location"].startswith("/enrol/"):
        return client.get(answer.headers["Location"], base_url=doors.PUBLIC_URL)
    return answer


def count(app, model):
    with doors.house_of(app).session() as session:
        return session.scalar(select(func.count()).select_from(model))


def text_of(answer):
    return re.sub(r"\s+", " ", answer.get_data(as_text=True))


def test_the_form_asks_the_zone_and_guesses_nothing(client):
    page = client.get(new_form(client), base_url=doors.PUBLIC_URL).get_data(as_text=True)
    zones = page[page.index('id="time_zone"') : page.index("</select>", page.index('id="time_zone"'))]
    assert "selected" not in zones
    assert zones.index("America/New_York") < zones.index("America/Chicago"), (
        "the clinic's own zone stands first"
    )
    assert "Asia/Kathmandu" in zones
    assert " checked" not in page[: page.index("<dialog")]


def test_a_preview_shows_every_text_and_saves_nothing(app, client):
    shown = press(client, "preview")
    assert shown.status_code == 200, text_of(shown)
    page = text_of(shown)
    assert "45.0 MME a day" in page
    assert "Followup from Riverside Care" in page
    assert "only if a prescriber has approved the taper plan" in page
    assert "only if no longer taking pills" in page
    assert "Left out" in page
    assert page.count('<div class="bubble') > 40
    assert count(app, Patient) == 0
    assert count(app, CommunicationRequest) == 0


def test_what_was_typed_travels_through_the_preview_and_is_saved_once(app, client):
    form = new_form(client)
    preview = press(client, "preview", form=form, history=["frail_organs"], hide_numbers="1")
    preview = preview.get_data(as_text=True)
    carried = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', preview)
    fields: dict[str, list[str]] = {}
    for name, value in carried:
        fields.setdefault(name, []).append(value)
    assert fields["history"] == ["frail_organs"]
    saved = client.post(form, data={**fields, "action": "enrol"}, base_url=doors.PUBLIC_URL)
    assert saved.status_code == 303, text_of(saved)
    assert re.fullmatch(r"/patients/pat_\w+", saved.headers["Location"])
    with doors.house_of(app).session() as session:
        patient = session.scalars(select(Patient)).one()
        assert (patient.given_name, patient.time_zone) == ("Marisol", "America/Denver")
        plan = session.scalars(select(CarePlan)).one()
        assert (plan.status, plan.hide_numbers) == (CarePlanStatus.DRAFT, True)
        assert session.scalars(select(ContactPoint)).one().value == "+12025550123"
        rx = session.scalars(select(MedicationRequest)).one()
        assert (rx.drug, rx.strength_mg, rx.apap_mg, rx.mme_per_day) == ("oxycodone", 5, 325, 45)
        assert session.scalars(select(Consent)).one().status is ConsentStatus.PROPOSED
        origins = set(session.scalars(select(CommunicationRequest.origin)))
        assert origins == {RequestOrigin.INVITATION}
        assert session.scalars(select(TaperPlan)).one().approved_at is None
        assert session.scalars(select(AuditEvent.action).where(AuditEvent.action == "patients.enrol")).all()


def test_an_email_patient_needs_no_phone(app, client):
    saved = press(client, "enrol", phone="", email="Mari@Example.org")
    assert saved.status_code == 303, text_of(saved)
    with doors.house_of(app).session() as session:
        road = session.scalars(select(ContactPoint)).one()
        assert (road.system, road.value) == (Channel.EMAIL, "mari@example.org")


@pytest.mark.parametrize(
    ("field", "typed", "advice"),
    [
        ("phone", "(720) 555-019", "9 digits, needs 10."),
        ("phone", "800 555 0199", "toll-free"),
        ("phone", "+1 900 555 0199", "premium-rate|No phone"),
        ("email", "mari@", "name@example.org"),
        ("time_zone", "", "Ask; do not guess"),
        ("time_zone", "Mars/Olympus", "Ask; do not guess"),
        ("birth_on", "31/31/1974", "MM/DD/YYYY"),
        ("birth_on", "2015-01-01", "18 or older"),
        ("discharge_on", "", "Choose the day"),
        ("max_units_per_day", "1,000", "not a number"),
        ("max_units_per_day", "0", "Must be from"),
        ("dispensed_units", "1e9", "not a number"),
        ("strength_mg", "10", "holds 5 mg"),
        ("drug", "heroin", "Choose the pain medicine"),
        ("course", "", "Choose how the pain pills"),
        ("support", "", "Choose yes or no"),
        ("protocol", "../secret", "Choose one of the programs"),
    ],
)
def test_a_fault_stands_beside_its_field_and_nothing_is_lost(app, client, field, typed, advice):
    answer = press(client, "preview", **{field: typed})
    assert answer.status_code == 422
    page = answer.get_data(as_text=True)
    assert re.search(advice, page), page
    assert re.search(r'class="error" id="\w+-e"', page)
    assert 'value="Etxeberria"' in page
    assert count(app, Patient) == 0


def test_too_much_acetaminophen_is_refused_with_the_reason(app, client):
    answer = press(client, "enrol", max_units_per_day="13")
    assert answer.status_code == 422
    assert "More than 4,000 mg of acetaminophen" in text_of(answer)
    assert count(app, Patient) == 0


def test_a_shared_phone_is_asked_about_and_then_marked(app, client, clinic):
    with doors.house_of(app).session() as session:
        factories.enrolled(session, clinic, address="+12025550123")
    first = press(client, "preview")
    assert first.status_code == 422
    assert "Another patient of this clinic has this number" in text_of(first)
    assert press(client, "preview", shared_phone_ok="1").status_code == 200
    assert press(client, "enrol", shared_phone_ok="1").status_code == 303
    with doors.house_of(app).session() as session:
        assert set(session.scalars(select(ContactPoint.is_shared))) == {True}


def test_another_clinics_patients_are_never_consulted(app, client):
    with doors.house_of(app).session() as session:
        factories.enrolled(session, factories.organization(session, name="Hill Care"), address="+12025550123")
    assert press(client, "preview").status_code == 200


def test_nobody_enrolls_without_a_sign_in_or_a_token(app, client):
    stranger = app.test_client()
    assert stranger.get("/enrol", base_url=doors.PUBLIC_URL).status_code == 302
    form = new_form(client)
    assert stranger.post(form, data=GOOD, base_url=doors.PUBLIC_URL).status_code in (400, 401)
    forged = client.post(form, data={**GOOD, "action": "enrol"}, base_url=doors.PUBLIC_URL)
    assert forged.status_code == 400
    assert count(app, Patient) == 0


def test_change_something_goes_back_to_the_form_with_everything_in_it(client):
    page = press(client, "edit", time_zone="Pacific/Honolulu").get_data(as_text=True)
    assert 'value="Marisol"' in page
    assert '<option value="Pacific/Honolulu" selected>' in page


# --- once, and nothing lost ---


@pytest.fixture
def both(database_url):
    """The application on SQLite and on PostgreSQL, with a member signed in."""
    app = doors.build(database_url)
    with doors.house_of(app).session() as session:
        member = factories.staff(session, factories.organization(session))
    yield app, doors.signed_in(app, member)
    doors.close(app)


def twice_at_once(app, client, address, fields):
    """Press one button twice at once, from one browser; return both answers."""
    token = doors.csrf(client, "/account")
    cookie = client.get_cookie("followup", domain="127.0.0.1").value
    twins = [app.test_client() for _ in range(2)]
    for twin in twins:
        twin.set_cookie("followup", cookie, domain="127.0.0.1")

    def post(twin):
        return twin.post(address, data={**fields, "csrf_token": token}, base_url=doors.PUBLIC_URL)

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(post, twins))


@pytest.mark.parametrize("is_previewed", [True, False])
def test_two_presses_at_once_enroll_one_patient(both, is_previewed):
    app, client = both
    form = new_form(client)
    if is_previewed:
        assert press(client, "preview", form=form).status_code == 200
    answers = twice_at_once(app, client, form, {**GOOD, "action": "enrol"})
    assert [one.status_code for one in answers] == [303, 303], [text_of(one) for one in answers]
    assert len({one.headers["Location"] for one in answers}) == 1
    assert count(app, Patient) == 1
    with doors.house_of(app).session() as session:
        patient = session.scalars(select(Patient)).one()
        kept = session.scalars(select(FormSubmission)).one()
        assert (kept.entity, kept.draft) == (patient.public_id, None)
        invitations = select(func.count()).select_from(CommunicationRequest)
        assert session.scalar(invitations) == 2, "an invitation and its reminder"


def test_a_repeat_leads_to_the_patient_and_never_asks_about_a_shared_phone(app, client):
    form = new_form(client)
    first = press(client, "enrol", form=form)
    assert first.status_code == 303
    for action in ("enrol", "preview", "edit"):
        again = press(client, action, form=form)
        assert (again.status_code, again.headers["Location"]) == (303, first.headers["Location"])
    for address in (form, f"{form}/preview"):
        assert client.get(address, base_url=doors.PUBLIC_URL).headers["Location"] == first.headers["Location"]
    assert "Nothing was written twice." in text_of(
        client.get(first.headers["Location"], base_url=doors.PUBLIC_URL)
    )
    assert count(app, Patient) == 1


def test_a_refused_form_may_be_handed_in_again_with_the_same_key(app, client):
    form = new_form(client)
    assert press(client, "enrol", form=form, max_units_per_day="13").status_code == 422
    assert press(client, "enrol", form=form).status_code == 303
    assert count(app, Patient) == 1


def test_back_from_the_preview_finds_everything_that_was_typed(client):
    form = new_form(client)
    press(client, "preview", form=form, family_name="Ibarra", history=["pregnant"])
    page = client.get(form, base_url=doors.PUBLIC_URL).get_data(as_text=True)
    assert 'value="Ibarra"' in page
    assert re.search(r'name="history" value="pregnant" checked', page)
    assert "needs fixing" not in page
    assert "Ibarra" in text_of(client.get(f"{form}/preview", base_url=doors.PUBLIC_URL)), "and forward again"
    assert "Ibarra" not in text_of(client.get(new_form(client), base_url=doors.PUBLIC_URL))


def test_a_refused_form_is_kept_as_well(client):
    form = new_form(client)
    assert press(client, "preview", form=form, family_name="Ibarra", drug="").status_code == 422
    assert 'value="Ibarra"' in client.get(form, base_url=doors.PUBLIC_URL).get_data(as_text=True)


@pytest.mark.parametrize("action", ["preview", "enrol", "edit"])
@pytest.mark.parametrize("over", [{}, {"drug": ""}, {"max_units_per_day": "13"}])
def test_no_page_is_the_answer_to_a_post_so_that_back_never_asks(client, action, over):
    form = new_form(client)
    answer = doors.submit(client, "/account", form, {**GOOD, **over, "action": action})
    assert answer.status_code == 303


def test_what_was_typed_is_for_the_member_who_typed_it(app, client, clinic):
    form = new_form(client)
    press(client, "preview", form=form, family_name="Ibarra")
    with doors.house_of(app).session() as session:
        colleague = doors.signed_in(app, factories.staff(session, clinic))
        stranger = doors.signed_in(app, factories.staff(session, factories.organization(session)))
    for other in (colleague, stranger):
        assert "Ibarra" not in text_of(other.get(form, base_url=doors.PUBLIC_URL))
        seen = other.get(f"{form}/preview", base_url=doors.PUBLIC_URL)
        assert (seen.status_code, seen.headers["Location"]) == (303, "/enrol")
    assert press(colleague, "preview", form=form).status_code == 404
    assert "Ibarra" in text_of(client.get(form, base_url=doors.PUBLIC_URL))


def test_what_was_typed_is_gone_after_an_hour(app, client, clinic):
    form = new_form(client)
    press(client, "preview", form=form, family_name="Ibarra")
    house = doors.house_of(app)
    house.clock.forward(minutes=61)
    assert "Ibarra" not in text_of(client.get(form, base_url=doors.PUBLIC_URL))
    press(client, "preview", family_name="Onda")
    with house.session() as session:
        drafts = [row.draft for row in session.scalars(select(FormSubmission))]
    assert len(drafts) == 1, "the next draft of the clinic sweeps the old one away"
    assert "Ibarra" not in str(drafts)
    assert timedelta(hours=1) == once.DRAFT_KEPT


@pytest.mark.parametrize("key", ["x", "a" * 33, "../../patients", "a" * 21 + "%00"])
def test_an_address_that_is_no_key_is_nothing(client, key):
    assert client.get(f"/enrol/{key}", base_url=doors.PUBLIC_URL).status_code == 404


@pytest.mark.parametrize(
    ("hours", "words"),
    [(0, "The invitation goes out now."), (12, "The invitation goes out Wed Jun 3, 9:00 am MDT, when")],
)
def test_the_page_says_when_the_invitation_goes(app, client, hours, words):
    doors.house_of(app).clock.forward(hours=hours)
    saved = press(client, "enrol", discharge_on="2026-06-01")
    assert words in text_of(client.get(saved.headers["Location"], base_url=doors.PUBLIC_URL))


def test_the_first_field_with_a_fault_takes_the_focus(client):
    page = press(client, "preview", language="", time_zone="", course="").get_data(as_text=True)
    assert "<title>(3) Enroll a patient" in page
    assert page[: page.index("<dialog")].count(" autofocus") == 1
    assert re.search(r'id="time_zone"[^>]* autofocus', page), (
        "the first as the page goes, not as it is checked"
    )


@pytest.mark.parametrize("sign", ["\u202e", "\u200b", "\x1b", "\u2066", "\ufeff"])
def test_signs_that_nobody_sees_are_taken_out_of_what_is_typed(app, client, sign):
    assert press(client, "enrol", given_name=f"Mari{sign}sol").status_code == 303
    with doors.house_of(app).session() as session:
        assert session.scalars(select(Patient.given_name)).one() == "Marisol"


def test_a_year_of_two_digits_is_asked_for_whole(client):
    assert "MM/DD/YYYY, such as 07/19/1974" in text_of(press(client, "preview", birth_on="7/19/74"))
