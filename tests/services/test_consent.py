"""A yes opens, a no ends, a STOP stops everything, and only a former yes comes back."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from followup.core.contactpoint import EmailAddress
from followup.core.errors import Conflict
from followup.core.vocabulary import (
    AlertStatus,
    CarePlanStatus,
    Channel,
    ConsentStatus,
    Fact,
    Lane,
    RequestOrigin,
    RequestStatus,
    SuppressionReason,
)
from followup.services import consent as consents
from followup.services import invitations, planning
from followup.store.models import (
    Alert,
    AuditEvent,
    Communication,
    CommunicationRequest,
    Consent,
    ContactPoint,
    Suppression,
)
from followup.store.queries import consents as queries
from tests import factories as make
from tests.factories import NOW, ZONE
from tests.services import people

KNOWLEDGE = people.knowledge()


@pytest.fixture
def clinic(session):
    return make.organization(session)


@pytest.fixture
def plan(session, clinic):
    return people.enrol(session, clinic)


def invited(session, plan, *statuses):
    return people.rows(session, plan, *statuses, origin=RequestOrigin.INVITATION)


def kinds(session, plan):
    return {row.action_id[0] for row in people.rows(session, plan)}


def opt_out(session, plan, now=NOW, **over):
    consent = people.invitation(session, plan)
    values = {
        "channel": consent.channel,
        "address": consent.address,
        "patients": [people.patient_of(session, plan)],
        "communication_id": people.heard(session, plan, "STOP", now=now).id,
        "knowledge": KNOWLEDGE,
        "now": now,
        **over,
    }
    consents.opt_out(session, plan.organization_id, **values)


def opt_in(session, plan, now=NOW, **over):
    consent = people.invitation(session, plan)
    values = {
        "address": consent.address,
        "patients": [people.patient_of(session, plan)],
        "communication_id": people.heard(session, plan, "START", now=now).id,
        "knowledge": KNOWLEDGE,
        "now": now,
        **over,
    }
    return consents.opt_in(session, plan.organization_id, **values)


def decline(session, plan, now=NOW):
    consent = people.invitation(session, plan)
    return consents.decline(
        session, consent, by="patient:sms", communication_id=people.heard(session, plan, "NO").id, now=now
    )


def open_blocks(session):
    return {
        (one.system, one.value): one.reason
        for one in session.scalars(select(Suppression).where(Suppression.ended_at.is_(None)))
    }


# --- yes, and approval, in either order ---


def test_a_yes_alone_opens_education_and_check_ins(session, plan):
    people.yes(session, plan)
    assert plan.status is CarePlanStatus.ACTIVE
    assert plan.has(Fact.CONSENTED)
    assert not plan.has(Fact.CONSENT_PENDING)
    assert not plan.has(Fact.TAPER_ACTIVE)
    assert kinds(session, plan) >= {"C", "E", "K", "X"}
    assert not [row for row in people.rows(session, plan) if row.taper_step_id]


def test_an_approval_alone_opens_nothing(session, clinic, plan):
    people.approve(session, plan, people.prescriber(session, clinic))
    assert plan.status is CarePlanStatus.DRAFT
    assert people.rows(session, plan) == []


def test_yes_and_approval_in_either_order_plan_the_same(session, clinic):
    by = people.prescriber(session, clinic)
    first, second = people.enrol(session, clinic), people.enrol(session, clinic)
    people.yes(session, first)
    people.approve(session, first, by)
    people.approve(session, second, by)
    people.yes(session, second)
    planned = [people.what(people.rows(session, plan)) for plan in (first, second)]
    assert planned[0] == planned[1]
    assert [row.occurrence for row in people.rows(session, first) if row.taper_step_id] == [
        "v1.1", "v1.2", "v1.3", "v1.4",
    ]  # fmt: skip
    assert first.facts == second.facts


def test_a_yes_is_kept_with_wording_channel_time_and_who(session, plan):
    before = people.invitation(session, plan)
    assert before.wording_text.startswith("Followup from {org}")
    consent = people.yes(session, plan)
    assert (consent.status, consent.channel, consent.answered_at) == (ConsentStatus.ACTIVE, Channel.SMS, NOW)
    assert (consent.answered_by, consent.wording_key) == ("patient:sms", "consent_invite")
    assert consent.wording_version == KNOWLEDGE.wording_version
    assert session.get_one(Communication, consent.communication_id).body == "YES"


def test_a_yes_verifies_the_address_it_came_from_and_no_other(session, clinic):
    plan = people.enrol(session, clinic, people.form(email=EmailAddress("ana@example.org")))
    people.yes(session, plan)
    found = session.scalars(select(ContactPoint).where(ContactPoint.patient_id == plan.patient_id))
    assert {one.system: one.verified_at for one in found} == {Channel.SMS: NOW, Channel.EMAIL: None}


def test_a_yes_ends_the_invitation_and_its_reminder(session, plan):
    assert len(invited(session, plan)) == 2
    people.yes(session, plan)
    assert invited(session, plan) == []
    assert {row.ended_reason for row in invited(session, plan, RequestStatus.REVOKED)} == {"answered"}


def test_a_yes_by_text_is_answered_twice_and_rings_both_lanes(session, plan):
    consent = people.invitation(session, plan)
    lanes = consents.give(
        session, consent, by="patient:sms", communication_id=people.heard(session, plan, "YES").id,
        knowledge=KNOWLEDGE, now=NOW,
    )  # fmt: skip
    assert lanes == {Lane.STAT, Lane.ROUTINE}
    assert people.told(session, plan) == ["auto_optin", "edu_who_reads"]


def test_a_yes_by_button_is_welcomed_too_and_told_who_reads_five_minutes_later(session, clinic):
    plan = people.enrol(session, clinic, people.by_email())
    consent = people.yes(session, plan)
    assert people.told(session, plan) == ["auto_optin", "edu_welcome", "edu_who_reads", "email_consent_copy"]
    due = {
        row.message_key: row.due_at
        for row in session.scalars(
            select(CommunicationRequest).where(CommunicationRequest.patient_id == plan.patient_id)
        )
    }
    assert due["edu_who_reads"] == NOW + timedelta(minutes=5)
    assert due["auto_optin"] == NOW
    assert consent.channel is Channel.EMAIL


def test_an_invitation_is_answered_once(session, plan):
    people.yes(session, plan)
    with pytest.raises(Conflict, match="answered already"):
        people.yes(session, plan)
    with pytest.raises(Conflict, match="answered already"):
        decline(session, plan)


def test_a_yes_after_seven_days_answers_nothing(session, plan):
    with pytest.raises(Conflict, match="too old"):
        people.yes(session, plan, now=NOW + timedelta(days=7))
    assert people.rows(session, plan) == []


def test_a_yes_on_day_6_begins_at_day_6(session, plan):
    people.yes(session, plan, now=NOW + timedelta(days=6))
    first = min(row.due_at for row in people.rows(session, plan))
    assert first.date() == date(2026, 6, 8)


# --- no ---


def test_a_no_ends_it(session, plan):
    assert decline(session, plan) == {Lane.STAT}
    consent = people.invitation(session, plan)
    assert (consent.status, consent.answered_at, consent.ended_at) == (ConsentStatus.REJECTED, NOW, NOW)
    assert plan.status is CarePlanStatus.REVOKED
    assert people.told(session, plan) == ["consent_declined"]
    assert [*invited(session, plan), *people.rows(session, plan)] == []


def test_after_a_no_neither_yes_start_nor_approval_opens_anything(session, clinic, plan):
    decline(session, plan)
    assert not opt_in(session, plan)
    people.approve(session, plan, people.prescriber(session, clinic))
    assert people.rows(session, plan) == []


# --- stop ---


@pytest.fixture
def both(session, clinic):
    """Return the running plan of a patient with a phone and an address, who has said yes on both."""
    plan = people.enrol(session, clinic, people.form(email=EmailAddress("ana@example.org")))
    people.yes(session, plan)
    make.consent(session, people.patient_of(session, plan), "ana@example.org", channel=Channel.EMAIL)
    people.approve(session, plan, people.prescriber(session, clinic))
    return plan


def test_a_stop_blocks_every_channel_and_puts_the_course_on_hold(session, both):
    number = next(row.address for row in people.rows(session, both))
    opt_out(session, both, channel=Channel.SMS, address=number)
    assert open_blocks(session) == {
        (Channel.SMS, number): SuppressionReason.OPTED_OUT,
        (Channel.EMAIL, "ana@example.org"): SuppressionReason.OPTED_OUT,
    }
    found = session.scalars(select(Consent).where(Consent.patient_id == both.patient_id))
    assert {one.status for one in found} == {ConsentStatus.INACTIVE}
    assert (both.status, both.hold_reason, both.held_at) == (CarePlanStatus.ON_HOLD, "opted_out", NOW)
    assert not both.has(Fact.CONSENTED)


def test_after_a_stop_nothing_waits_to_be_sent(session, both):
    opt_out(session, both)
    assert people.rows(session, both, RequestStatus.ACTIVE, RequestStatus.ON_HOLD) == []
    assert {row.ended_reason for row in people.rows(session, both, RequestStatus.REVOKED)} >= {"opted_out"}


def test_after_a_stop_nothing_is_planned_any_more(session, both):
    opt_out(session, both)
    assert planning.apply(session, both, knowledge=KNOWLEDGE, now=NOW) == 0
    assert people.rows(session, both) == []


def test_a_stop_asks_staff_once(session, both):
    opt_out(session, both)
    opt_out(session, both, now=NOW + timedelta(minutes=1))
    assert people.tasks(session, both) == ["texts_stopped"]


def test_a_second_stop_changes_no_block(session, both):
    opt_out(session, both)
    before = open_blocks(session)
    opt_out(session, both, now=NOW + timedelta(minutes=1))
    assert open_blocks(session) == before
    assert len(session.scalars(select(Suppression)).all()) == len(before)


def test_a_stop_before_any_answer_ends_the_invitation(session, plan):
    opt_out(session, plan)
    assert invited(session, plan) == []
    assert plan.status is CarePlanStatus.ON_HOLD
    assert people.invitation(session, plan).status is ConsentStatus.INACTIVE
    assert not opt_in(session, plan), "nobody had said yes"
    assert plan.status is CarePlanStatus.ON_HOLD


def test_a_stop_from_a_shared_phone_stops_all_its_patients(session, clinic):
    filled = people.form()
    one = people.enrol(session, clinic, filled)
    other = people.enrol(session, clinic, people.form(phone=filled.phone, shared_phone_ok=True))
    for plan in (one, other):
        people.yes(session, plan)
    opt_out(session, one, patients=[people.patient_of(session, plan) for plan in (one, other)])
    assert people.rows(session, one) == people.rows(session, other) == []


def test_a_stop_of_a_stranger_blocks_the_number(session, clinic, plan):
    opt_out(session, plan, address="+12025550199", patients=[])
    assert list(open_blocks(session)) == [(Channel.SMS, "+12025550199")]
    assert plan.status is CarePlanStatus.DRAFT


def test_a_block_of_one_clinic_is_none_of_another(session, clinic, plan):
    opt_out(session, plan)
    other = make.organization(session)
    address = people.invitation(session, plan).address
    assert queries.open_suppression(session, clinic.id, Channel.SMS, address)
    assert queries.open_suppression(session, other.id, Channel.SMS, address) is None


# --- start ---


def test_a_start_after_a_former_yes_brings_the_course_back(session, both):
    before = people.what(people.rows(session, both))
    opt_out(session, both, channel=Channel.SMS, address=next(iter(people.rows(session, both))).address)
    number = session.scalars(
        select(ContactPoint.value).where(
            ContactPoint.patient_id == both.patient_id, ContactPoint.system == Channel.SMS
        )
    ).one()
    assert opt_in(session, both, address=number)
    assert open_blocks(session) == {}
    assert (both.status, both.hold_reason) == (CarePlanStatus.ACTIVE, None)
    assert both.has(Fact.CONSENTED | Fact.TAPER_ACTIVE)
    assert people.what(people.rows(session, both)) == before


def test_a_start_is_a_consent_of_its_own_with_its_own_wording(session, plan):
    people.yes(session, plan)
    opt_out(session, plan)
    later = NOW + timedelta(days=1)
    assert opt_in(session, plan, now=later)
    current = session.scalars(
        select(Consent).where(Consent.patient_id == plan.patient_id, Consent.status == ConsentStatus.ACTIVE)
    ).one()
    assert (current.wording_key, current.answered_by, current.answered_at) == (
        "auto_start",
        "patient:start",
        later,
    )
    assert current.communication_id is not None


def test_a_start_of_someone_who_never_stopped_changes_nothing(session, plan):
    people.yes(session, plan)
    before = people.what(people.rows(session, plan))
    assert opt_in(session, plan)
    assert people.what(people.rows(session, plan)) == before
    assert len(session.scalars(select(Consent).where(Consent.patient_id == plan.patient_id)).all()) == 1


def test_a_start_lifts_only_what_a_stop_set(session, clinic, plan):
    people.yes(session, plan)
    make.suppression(
        session, clinic, people.invitation(session, plan).address, reason=SuppressionReason.INVALID
    )
    opt_in(session, plan)
    assert set(open_blocks(session).values()) == {SuppressionReason.INVALID}


def test_a_start_from_another_number_is_no_yes_of_this_one(session, plan):
    people.yes(session, plan)
    opt_out(session, plan)
    assert not opt_in(session, plan, address="+12025550111")
    assert plan.status is CarePlanStatus.ON_HOLD


# --- invitation, reminder, chase ---


def local(row):
    return row.due_at.astimezone(ZoneInfo(ZONE)).replace(tzinfo=None)


@pytest.mark.parametrize(
    ("enrolled_at", "first", "again"),
    [
        ("2026-06-02T11:00", "2026-06-02T11:00", "2026-06-03T11:00"),
        ("2026-06-02T09:10", "2026-06-02T09:10", "2026-06-03T10:00"),
        ("2026-06-02T07:30", "2026-06-02T09:00", "2026-06-03T10:00"),
        ("2026-06-02T21:00", "2026-06-03T09:00", "2026-06-04T10:00"),
        ("2026-06-06T11:00", "2026-06-06T11:00", "2026-06-07T12:00"),  # the reminder falls on a Sunday
        ("2026-06-07T09:30", "2026-06-07T12:00", "2026-06-08T12:00"),  # the invitation does
        ("2026-06-06T21:00", "2026-06-07T12:00", "2026-06-08T12:00"),
    ],
)
def test_the_invitation_goes_when_texts_may_and_the_reminder_24_hours_later_from_10(
    enrolled_at, first, again
):
    now = datetime.fromisoformat(enrolled_at).replace(tzinfo=ZoneInfo(ZONE)).astimezone(UTC)
    told = [
        at.astimezone(ZoneInfo(ZONE)).replace(tzinfo=None).isoformat(timespec="minutes")
        for at in invitations.times(now, ZONE)
    ]
    assert told == [first, again]


def test_invitation_and_reminder_are_written_with_the_proposed_consent(session, plan):
    invite, remind = invited(session, plan)
    consent = people.invitation(session, plan)
    assert consent.status is ConsentStatus.PROPOSED
    assert consent.open_until == NOW + timedelta(days=7)
    assert (invite.message_key, remind.message_key) == ("consent_invite", "consent_reminder")
    assert (local(invite).time(), local(remind)) == (time(11), datetime(2026, 6, 3, 11))
    assert invite.lane is Lane.URGENT
    assert invite.requires == remind.requires == int(Fact.CONSENT_PENDING)
    assert local(invite).replace(hour=20) == invite.expires_at.astimezone(ZoneInfo(ZONE)).replace(tzinfo=None)


def chase(sessions, now):
    return invitations.chase(sessions, knowledge=KNOWLEDGE, now=now)


@pytest.fixture
def waiting(sessions):
    """Commit a patient who never answers; return how to read them."""
    with sessions.begin() as session:
        return people.enrol(session, make.organization(session))


def asked(sessions, plan):
    with sessions() as session:
        return session.scalars(select(Alert).where(Alert.patient_id == plan.patient_id)).all()


def test_staff_are_asked_once_when_the_reminder_stays_unanswered_for_a_day(sessions, waiting):
    due = NOW + timedelta(days=2)
    assert chase(sessions, due - timedelta(seconds=1)) == 0
    assert asked(sessions, waiting) == []
    assert chase(sessions, due) == 1
    assert chase(sessions, due + timedelta(minutes=1)) == 0
    assert [one.task for one in asked(sessions, waiting)] == ["invitation_unanswered"]


def test_a_task_that_staff_closed_is_not_opened_again(sessions, waiting):
    chase(sessions, NOW + timedelta(days=2))
    with sessions.begin() as session:
        for alert in session.scalars(select(Alert)):
            alert.status = AlertStatus.RESOLVED
    assert chase(sessions, NOW + timedelta(days=3)) == 0
    assert len(asked(sessions, waiting)) == 1


def test_nobody_is_chased_who_answered(sessions, waiting):
    with sessions.begin() as session:
        people.yes(session, session.get_one(type(waiting), waiting.id))
    assert chase(sessions, NOW + timedelta(days=3)) == 0


def test_every_answer_is_audited_without_the_address(session, plan):
    people.yes(session, plan)
    opt_out(session, plan)
    opt_in(session, plan)
    lines = session.scalars(select(AuditEvent).where(AuditEvent.action.startswith("consent."))).all()
    assert {line.action for line in lines} == {"consent.give", "consent.opt_out", "consent.opt_in"}
    address = people.invitation(session, plan).address
    assert not [line for line in lines if address in str(line.detail)]


def test_the_last_day_is_named_in_the_patients_language(session, clinic, plan):
    assert consents.end_label(session, people.patient_of(session, plan)) == "Tue, Jul 14"
    assert consents.end_label(session, make.patient(session, clinic)) == ""
