"""`followup staff` adds a clinic and its people; no account has a password that somebody else chose."""

import pytest
from sqlalchemy import select

from followup.core.errors import InvalidInput, NotFound
from followup.core.vocabulary import StaffRole
from followup.store.models import AuditEvent, Organization, SenderNumber, StaffUser

CLINIC = (
    "staff", "clinic", "--name", "Riverside Care", "--time-zone", "America/Denver", "--phone", "303-555-0100",
    "--sender", "303-555-0101", "--sender", "+1 303 555 0102", "--holiday", "2026-12-25",
)  # fmt: skip
PASSWORD = "three unrelated words"


def member(clinic, *more):
    return (
        "staff", "add", "--clinic", clinic, "--name", "J. Rivera RN", "--email", "Rivera@Example.org",
        "--role", "prescriber", *more,
    )  # fmt: skip


@pytest.fixture
def clinic(run, surroundings):
    result = run(*CLINIC, "--oncall-phone", "303-555-0199")
    assert result.exit_code == 0
    return result.stdout.strip()


def only(sessions, kind):
    with sessions() as session:
        return session.scalars(select(kind)).one()


def test_a_clinic_is_added_with_its_numbers_hours_and_holidays(clinic, sessions):
    found = only(sessions, Organization)
    assert found.public_id == clinic
    assert clinic.startswith("org_")
    assert (found.name, found.time_zone) == ("Riverside Care", "America/Denver")
    assert (found.phone, found.oncall_phone) == ("+13035550100", "+13035550199")
    assert set(found.hours) == {"mon", "tue", "wed", "thu", "fri"}
    assert found.hours["mon"] == ["08:00", "17:00"]
    assert found.hours_text == {"en": "Mon-Fri 8 am-5 pm", "es": "lun-vie 8 am-5 pm"}
    assert found.holidays == ["2026-12-25"]
    with sessions() as session:
        numbers = set(session.scalars(select(SenderNumber.e164)))
        assert session.scalar(select(AuditEvent.action)) == "clinics.add"
    assert numbers == {"+13035550101", "+13035550102"}


def test_a_clinic_may_lack_an_on_call_number(run, surroundings, sessions):
    assert run(*CLINIC).exit_code == 0
    assert only(sessions, Organization).oncall_phone is None


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--name", "A name that is much too long", "needs 1 to 20"),
        ("--name", "  ", "needs 1 to 20"),
        ("--time-zone", "America/Gotham", "not a time zone"),
        ("--phone", "555-0100", "7 digits, needs 10"),
        ("--opens", "18:00", "closes before it opens"),
    ],
)
def test_a_clinic_with_a_fault_is_refused_and_not_written(run, surroundings, sessions, option, value, words):
    with pytest.raises(InvalidInput, match=f"{option}.*: .*{words}"):
        run(*CLINIC, option, value)
    with sessions() as session:
        assert session.scalars(select(Organization)).all() == []


def test_all_faults_of_a_clinic_are_listed_by_their_options_at_once(run, surroundings):
    wrong = (
        "--phone",
        "555",
        "--oncall-phone",
        "12",
        "--sender",
        "99",
        "--time-zone",
        "Mars",
        "--opens",
        "x",
    )
    with pytest.raises(InvalidInput) as refused:
        run(*CLINIC, *wrong, "--name", "")
    lines = str(refused.value).splitlines()
    assert [line.partition(":")[0] for line in lines[1:]] == [
        "--name", "--time-zone", "--opens, --closes", "--phone", "--oncall-phone", "--sender",
    ]  # fmt: skip


def test_numbers_that_are_only_called_may_be_toll_free(run, surroundings, sessions):
    assert run(*CLINIC, "--phone", "800-555-0199", "--oncall-phone", "888 555 0123").exit_code == 0
    found = only(sessions, Organization)
    assert (found.phone, found.oncall_phone) == ("+18005550199", "+18885550123")


def test_a_number_that_another_clinic_sends_from_is_named(run, clinic, sessions):
    with pytest.raises(InvalidInput, match=r"--sender: 303-555-0101: another clinic .* sends from it"):
        run(*CLINIC)
    only(sessions, Organization)


def test_a_sender_that_is_given_twice_is_written_once(run, surroundings, sessions):
    assert run(*CLINIC, "--sender", "(303) 555-0101").exit_code == 0
    with sessions() as session:
        assert len(session.scalars(select(SenderNumber)).all()) == 2


def test_a_member_is_added_with_a_password_that_is_asked_for_twice(run, clinic, sessions):
    result = run(*member(clinic, "--phone", "303-555-0177", "--pages"), input=f"{PASSWORD}\n{PASSWORD}\n")
    assert result.exit_code == 0
    assert PASSWORD not in result.output
    user = only(sessions, StaffUser)
    assert result.stdout.strip().endswith(f"{user.public_id} can sign in.")
    assert (user.email, user.role, user.phone) == ("rivera@example.org", StaffRole.PRESCRIBER, "+13035550177")
    assert user.receives_pages
    assert user.password_hash.startswith("$argon2id$")


def test_a_password_that_differs_is_asked_for_again(run, clinic):
    answers = f"{PASSWORD}\nanother one\n{PASSWORD}\n{PASSWORD}\n"
    assert run(*member(clinic), input=answers).exit_code == 0


def test_a_password_that_is_too_short_adds_nobody(run, clinic, sessions):
    with pytest.raises(InvalidInput, match="needs 12 or more"):
        run(*member(clinic, "--password", "short"))
    with sessions() as session:
        assert session.scalars(select(StaffUser)).all() == []


def test_an_address_signs_in_once(run, clinic):
    assert run(*member(clinic, "--password", PASSWORD)).exit_code == 0
    with pytest.raises(InvalidInput, match="signs in with this email already"):
        run(*member(clinic, "--password", PASSWORD))


def test_a_clinic_that_is_not_there_is_named_with_what_to_do(run, surroundings):
    with pytest.raises(NotFound, match="followup staff clinic"):
        run(*member("org_nowhere", "--password", PASSWORD))


def test_an_unknown_role_is_refused(run, clinic):
    result = run(*member(clinic, "--password", PASSWORD, "--role", "wizard"))
    assert result.exit_code == 2
    assert "coordinator" in result.stderr
