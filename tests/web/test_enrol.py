"""Enroll: one form, a preview of every text, faults beside their fields, nothing lost or saved too early."""

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import func, select

from followup.core.vocabulary import CarePlanStatus, Channel, ConsentStatus, RequestOrigin
from followup.store.models import (
    AuditEvent,
    CarePlan,
    CommunicationRequest,
    Consent,
    ContactPoint,
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


def press(client, action, **over):
    return doors.submit(client, "/enrol", "/enrol", {**GOOD, **over, "action": action})


def count(app, model):
    with doors.house_of(app).session() as session:
        return session.scalar(select(func.count()).select_from(model))


def text_of(answer):
    return re.sub(r"\s+", " ", answer.get_data(as_text=True))


def test_the_form_asks_the_zone_and_guesses_nothing(client):
    page = client.get("/enrol", base_url=doors.PUBLIC_URL).get_data(as_text=True)
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
    preview = press(client, "preview", history=["frail_organs"], hide_numbers="1").get_data(as_text=True)
    carried = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', preview)
    fields: dict[str, list[str]] = {}
    for name, value in carried:
        fields.setdefault(name, []).append(value)
    assert fields["history"] == ["frail_organs"]
    saved = client.post("/enrol", data={**fields, "action": "enrol"}, base_url=doors.PUBLIC_URL)
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
    assert stranger.post("/enrol", data=GOOD, base_url=doors.PUBLIC_URL).status_code in (400, 401)
    forged = client.post("/enrol", data={**GOOD, "action": "enrol"}, base_url=doors.PUBLIC_URL)
    assert forged.status_code == 400
    assert count(app, Patient) == 0


def test_change_something_goes_back_to_the_form_with_everything_in_it(client):
    page = press(client, "edit", time_zone="Pacific/Honolulu").get_data(as_text=True)
    assert 'value="Marisol"' in page
    assert '<option value="Pacific/Honolulu" selected>' in page
