"""One form is checked whole, every fault beside its field, and saved whole or not at all."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from followup.clinical.drugs import Form
from followup.clinical.issues import History
from followup.core.contactpoint import EmailAddress, PhoneNumber
from followup.core.vocabulary import (
    CarePlanStatus,
    Channel,
    ConsentStatus,
    Course,
    Fact,
    Lane,
    MedicationStatus,
    RequestOrigin,
    Severity,
    TaperStatus,
)
from followup.services import enrolment as enrolments
from followup.services.enrolment_form import EnrolmentRefused
from followup.store.base import Base
from followup.store.models import (
    AuditEvent,
    CommunicationRequest,
    Consent,
    ContactPoint,
    DetectedIssue,
    MedicationRequest,
    Patient,
    TaperPlan,
)
from tests import factories as make
from tests.factories import NOW
from tests.services import people
from tests.services.people import TODAY, form


@pytest.fixture
def clinic(session):
    return make.organization(session)


def counts(session):
    return {
        table.name: session.scalar(select(func.count()).select_from(table))
        for table in Base.metadata.sorted_tables
    }


def refused(session, clinic, filled, now=NOW):
    """Return the faults of a form that may not be saved, and see that nothing was written."""
    before = counts(session)
    with pytest.raises(EnrolmentRefused) as refusal:
        people.enrol(session, clinic, filled, now=now)
    assert counts(session) == before
    return refusal.value.faults


def of(session, kind, plan):
    return session.scalars(select(kind).where(kind.patient_id == plan.patient_id)).all()


FAULTS = {
    "no given name": ({"given_name": "  "}, "given_name", "empty"),
    "no family name": ({"family_name": ""}, "family_name", "empty"),
    "no operation": ({"procedure": " "}, "procedure", "Name the operation"),
    "neither phone nor e-mail": ({"phone": None}, "phone", "mobile number, an e-mail address, or both"),
    "a zone that is none": ({"time_zone": "America/Gotham"}, "time_zone", "Choose the patient's time zone"),
    "a discharge in two days": ({"discharge_on": TODAY + timedelta(days=2)}, "discharge_on", "one day ahead"),
    "a discharge 36 days ago": ({"discharge_on": TODAY - timedelta(days=36)}, "discharge_on", "36 days ago"),
    "under 18": ({"birth_on": date(2008, 6, 3)}, "birth_on", "18 or older"),
    "born tomorrow": ({"birth_on": TODAY + timedelta(days=1)}, "birth_on", "year of birth"),
    "born in 1806": ({"birth_on": date(1806, 6, 1)}, "birth_on", "year of birth"),
    "a first dose in the future": (
        {"rx": {"first_taken_on": TODAY + timedelta(days=1)}},
        "first_taken_on",
        "future",
    ),
    "an unknown drug": ({"rx": {"drug": "moonshine"}}, "drug", "moonshine"),
    "a program that is none": ({"protocol": "surprise"}, "protocol", "programs of this clinic"),
    "too much acetaminophen": (
        {"rx": {"drug": "hydrocodone", "apap_mg": 500, "max_units_per_day": Decimal(9)}},
        "rx",
        "4,000 mg",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_by_its_field_with_what_to_do(session, clinic, fault):
    changes, field, words = FAULTS[fault]
    faults = refused(session, clinic, form(**changes))
    assert list(faults) == [field]
    assert words in faults[field]


def test_all_faults_are_told_at_once(session, clinic):
    faults = refused(
        session,
        clinic,
        form(
            given_name="",
            phone=None,
            discharge_on=TODAY + timedelta(days=9),
            birth_on=date(2015, 1, 1),
            protocol="x",
        ),
    )
    assert set(faults) == {"given_name", "phone", "discharge_on", "birth_on", "protocol"}


@pytest.mark.parametrize(
    "changes",
    [
        {"birth_on": date(2008, 6, 2)},  # 18 today
        {"birth_on": None},
        {"discharge_on": TODAY + timedelta(days=1)},
        {"discharge_on": TODAY - timedelta(days=35)},
        {"rx": {"first_taken_on": TODAY}},
        {"rx": {"first_taken_on": None}},
        {
            "rx": {"drug": "hydrocodone", "apap_mg": 500, "max_units_per_day": Decimal(8)}
        },  # 4,000 mg to the pill
    ],
)
def test_what_is_just_allowed_is_saved(session, clinic, changes):
    assert people.enrol(session, clinic, form(**changes)).status is CarePlanStatus.DRAFT


def test_today_is_the_patients_own_day(session, clinic):
    honolulu = form(time_zone="Pacific/Honolulu", rx={"first_taken_on": date(2026, 6, 3)})
    midnight = NOW.replace(hour=4) + timedelta(days=1)  # June 3 in New York, still June 2 in Honolulu
    assert set(refused(session, clinic, honolulu, midnight)) == {"first_taken_on"}
    assert people.enrol(session, clinic, replace(honolulu, time_zone="America/New_York"), now=midnight)


# --- what is written ---


def test_a_patient_is_written_with_everything_that_follows(session, clinic):
    filled = form(email=EmailAddress("ana@example.org"), given_name=" Ana ", hide_numbers=True, is_spine=True)
    plan = people.enrol(session, clinic, filled)
    person = people.patient_of(session, plan)
    assert (person.given_name, person.language, person.time_zone) == (
        "Ana",
        filled.language,
        filled.time_zone,
    )
    contacts = of(session, ContactPoint, plan)
    assert {(one.rank, one.system, one.value, one.verified_at) for one in contacts} == {
        (1, Channel.SMS, filled.phone.e164, None),
        (2, Channel.EMAIL, "ana@example.org", None),
    }
    assert (plan.status, plan.course, plan.discharge_on) == (CarePlanStatus.DRAFT, Course.SHORT, TODAY)
    assert plan.ends_on == TODAY + timedelta(days=42)
    assert plan.facts == int(Fact.CONSENT_PENDING | Fact.STILL_TAKING | Fact.SUPPORT_ON)
    assert (plan.hide_numbers, plan.is_spine, plan.is_pregnant) == (True, True, False)
    protocol = people.knowledge().protocols["default"]
    assert (plan.protocol_name, plan.protocol_version, plan.protocol_digest) == (
        "default", protocol.version, protocol.digest,
    )  # fmt: skip
    (consent,) = of(session, Consent, plan)
    assert (consent.channel, consent.address, consent.status) == (
        Channel.SMS, filled.phone.e164, ConsentStatus.PROPOSED,
    )  # fmt: skip


def test_nothing_goes_out_but_the_invitation(session, clinic):
    plan = people.enrol(session, clinic)
    origins = {row.origin for row in of(session, CommunicationRequest, plan)}
    assert origins == {RequestOrigin.INVITATION}


def test_a_patient_without_a_phone_is_invited_by_mail(session, clinic):
    plan = people.enrol(session, clinic, people.by_email())
    assert {row.channel for row in of(session, CommunicationRequest, plan)} == {Channel.EMAIL}


def test_the_answer_names_the_patient_and_the_lane_to_ring(session, clinic):
    made = enrolments.enrol(
        session, clinic.id, form(support=False), by=None, knowledge=people.knowledge(), now=NOW
    )
    assert made.lanes == {Lane.URGENT}
    assert made.patient_public_id.startswith("pat_")
    assert (
        session.scalar(select(Patient.organization_id).where(Patient.public_id == made.patient_public_id))
        == clinic.id
    )
    line = session.scalars(select(AuditEvent).where(AuditEvent.action == "patients.enrol")).one()
    assert line.entity == made.patient_public_id


def test_the_mme_figure_is_stored_with_its_table(session, clinic):
    plan = people.enrol(
        session, clinic, form(rx={"strength_mg": Decimal(10), "max_units_per_day": Decimal(6)})
    )
    (rx,) = of(session, MedicationRequest, plan)
    assert (rx.mme_per_day, rx.mme_table, rx.status) == (Decimal(90), "cdc2022", MedicationStatus.ACTIVE)
    assert (rx.strength_mg, rx.max_units_per_day, rx.apap_mg, rx.is_regular) == (10, 6, None, True)


def test_what_the_prescription_shows_is_stored_with_its_words(session, clinic):
    plan = people.enrol(
        session, clinic, form(rx={"strength_mg": Decimal(10), "max_units_per_day": Decimal(6)})
    )
    issues = {one.code: one for one in of(session, DetectedIssue, plan)}
    assert "mme90" in issues
    assert issues["mme90"].severity is Severity.HIGH
    assert "90 MME" in issues["mme90"].detail
    assert issues["mme90"].medication_request_id == of(session, MedicationRequest, plan)[0].id


# --- a phone that two people share ---


def test_a_number_in_use_asks_for_the_tick(session, clinic):
    first = form()
    people.enrol(session, clinic, first)
    assert list(refused(session, clinic, form(phone=first.phone))) == ["shared_phone_ok"]


def test_with_the_tick_both_rows_say_that_the_phone_is_shared(session, clinic):
    first = form()
    one = people.enrol(session, clinic, first)
    other = people.enrol(session, clinic, form(phone=first.phone, shared_phone_ok=True))
    session.expire_all()
    assert [of(session, ContactPoint, plan)[0].is_shared for plan in (one, other)] == [True, True]


def test_other_clinics_are_never_consulted(session, clinic):
    first = form()
    plan = people.enrol(session, clinic, first)
    elsewhere = people.enrol(session, make.organization(session), form(phone=first.phone))
    assert elsewhere.organization_id != clinic.id
    session.expire_all()
    assert not of(session, ContactPoint, plan)[0].is_shared


def test_a_former_patients_number_is_free(session, clinic):
    first = form()
    plan = people.enrol(session, clinic, first)
    people.patient_of(session, plan).is_active = False
    session.flush()
    assert people.enrol(session, clinic, form(phone=first.phone))


def test_an_ended_number_is_free(session, clinic):
    first = form()
    plan = people.enrol(session, clinic, first)
    of(session, ContactPoint, plan)[0].ended_at = NOW
    session.flush()
    assert people.enrol(session, clinic, form(phone=first.phone))


# --- an address that may get nothing ---


def test_a_blocked_number_or_address_is_refused_beside_its_field(session, clinic):
    filled = form(email=EmailAddress("ana@example.org"))
    make.suppression(session, clinic, filled.phone.e164)
    make.suppression(session, clinic, "ana@example.org", system=Channel.EMAIL)
    faults = refused(session, clinic, filled)
    assert list(faults) == ["phone", "email"]
    assert "text START" in faults["phone"]


def test_a_block_of_another_clinic_or_one_that_was_lifted_is_none(session, clinic):
    filled = form()
    make.suppression(session, make.organization(session), filled.phone.e164)
    make.suppression(session, clinic, filled.phone.e164, ended_at=NOW)
    assert people.enrol(session, clinic, filled)


# --- the draft of a taper ---


def drafts(session, plan):
    return session.scalars(select(TaperPlan).where(TaperPlan.care_plan_id == plan.id)).all()


@pytest.mark.parametrize(
    ("course", "days", "lengths"), [(Course.SHORT, 5, [2, 2, 2, 1]), (Course.LONG, 8, [7, 7, 7, 1])]
)
def test_a_draft_is_made_on_the_days_of_the_course(session, clinic, course, days, lengths):
    plan = people.enrol(session, clinic, form(course=course))
    (draft,) = drafts(session, plan)
    assert (draft.status, draft.version, draft.starts_on) == (
        TaperStatus.DRAFT,
        1,
        TODAY + timedelta(days=days),
    )
    steps = people.levels(session, draft)
    assert [length for _, length, _ in steps] == lengths
    assert [level for *_, level in steps] == [3, 2, 1, 0]
    assert draft.rule_text.startswith("Rule of thumb")


def test_a_late_start_drafts_from_the_first_evening_that_is_left(session, clinic):
    plan = people.enrol(session, clinic, form(discharge_on=TODAY - timedelta(days=20)))
    assert drafts(session, plan)[0].starts_on == TODAY + timedelta(days=1)
    evening = people.enrol(
        session, clinic, form(discharge_on=TODAY - timedelta(days=20)), now=NOW + timedelta(hours=6)
    )
    assert drafts(session, evening)[0].starts_on == TODAY + timedelta(days=2)


NO_DRAFT = {
    "taken as needed": {"course": Course.PRN, "rx": {"is_regular": False}},
    "not taken around the clock": {"rx": {"is_regular": False}},
    "days unknown": {"rx": {"first_taken_on": None}},
    "a month and more": {"rx": {"first_taken_on": TODAY - timedelta(days=30)}},
    "90 MME and more": {"rx": {"strength_mg": Decimal(10), "max_units_per_day": Decimal(6)}},
    "a patch": {"rx": {"form": Form.PATCH}},
    "more than 30 pills a day": {"rx": {"max_units_per_day": Decimal(31), "strength_mg": Decimal("2.5")}},
    "pregnant": {"history": History(pregnant=True)},
    "opioids before": {"history": History(opioid_before=True)},
    "half a pill": {"rx": {"max_units_per_day": Decimal("4.5")}},
}


@pytest.mark.parametrize("why", NO_DRAFT)
def test_where_the_rule_makes_no_draft_the_plan_stands_without_steps(session, clinic, why):
    plan = people.enrol(session, clinic, form(**NO_DRAFT[why]))
    assert drafts(session, plan) == []
    people.yes(session, plan)
    assert not [row for row in people.rows(session, plan) if row.taper_step_id]
    assert people.rows(session, plan)


def test_a_number_is_kept_as_it_was_read(session, clinic):
    plan = people.enrol(session, clinic, form(phone=PhoneNumber.parse("(202) 555-0147")))
    assert of(session, ContactPoint, plan)[0].value == "+12025550147"
