"""Who comes in, who does not, and for how long."""

import re
from datetime import timedelta

import pytest

from followup.core.clock import FrozenClock
from followup.core.vocabulary import StaffRole
from followup.services import staff
from followup.store.models import AuditEvent, StaffUser
from tests.web.scene import NOW, PASSWORD, add_patient, staff_row
from web import access


@pytest.fixture
def wall(monkeypatch):
    """The real clock of sign-ins, held in the test's hand; the house's clock stands still."""
    clock = FrozenClock(NOW)
    monkeypatch.setattr(access, "_clock", clock)
    return clock


def actions(clinic):
    with clinic.session() as session:
        return [
            row.action for row in session.query(AuditEvent).order_by(AuditEvent.created_at, AuditEvent.id)
        ]


def test_the_right_password_opens_the_worklist(visitor, clinic):
    answer = visitor.sign_in(clinic.clinician_email)
    assert (answer.status_code, answer.location) == (303, "/")
    assert "No one is waiting for you" in visitor.text("/")
    assert "staff.sign_in" in actions(clinic)


def test_the_address_may_be_typed_with_capitals_and_spaces(visitor, clinic):
    assert visitor.sign_in(f"  {clinic.clinician_email.upper()} ").status_code == 303


@pytest.mark.parametrize("email", ["priya@front.example", "nobody@front.example"])
def test_a_refusal_never_says_which_was_wrong(visitor, clinic, email):
    answer = visitor.sign_in(email, "wrong, all of it")
    assert answer.status_code == 422
    page = answer.get_data(as_text=True)
    assert "Email or password is not right." in page
    assert f'value="{email}"' in page
    assert "staff.sign_in_refused" in actions(clinic)
    assert visitor.client.get("/").status_code == 302


def test_five_wrong_tries_close_the_door_for_that_account_and_address_only(browser, clinic, other_clinic):
    visitor = browser()
    assert [visitor.sign_in(clinic.clinician_email, "wrong").status_code for _ in range(5)] == [422] * 5
    closed = visitor.sign_in(clinic.clinician_email)
    assert closed.status_code == 429
    assert "Too many tries" in closed.get_data(as_text=True)
    assert browser().sign_in(other_clinic.clinician_email).status_code == 303


def test_right_passwords_are_not_counted(browser, clinic):
    assert {browser().sign_in(clinic.clinician_email).status_code for _ in range(7)} == {303}


def test_fifteen_quiet_minutes_sign_out_and_a_click_starts_them_anew(nurse, wall):
    nurse.client.post("/sign-out")
    nurse.sign_in("priya@front.example")
    wall.forward(minutes=14)
    nurse.text("/")
    wall.forward(minutes=14)
    nurse.text("/")
    wall.forward(minutes=16)
    answer = nurse.client.get("/patients?q=ro")
    assert answer.status_code == 302
    assert answer.location == "/sign-in?next=/patients?q%3Dro&idle=1"
    assert "You were signed out" in nurse.text(answer.location)


def test_a_busy_session_ends_after_twelve_hours(visitor, clinic, wall):
    visitor.sign_in(clinic.clinician_email)
    for _ in range(73):
        wall.forward(minutes=10)
        last = visitor.client.get("/")
    assert last.status_code == 302


def test_skipping_the_demos_clock_signs_nobody_out(nurse, clock):
    clock.forward(days=3)
    nurse.text("/")


def test_a_raised_epoch_ends_every_open_session(nurse, clinic):
    with clinic.session() as session:
        session.query(StaffUser).filter_by(email=clinic.clinician_email).one().session_epoch += 1
    assert nurse.client.get("/").status_code == 302


def test_a_member_who_left_is_out_at_once(nurse, clinic):
    with clinic.session() as session:
        session.query(StaffUser).filter_by(email=clinic.clinician_email).one().is_active = False
    assert nurse.client.get("/").status_code == 302
    assert nurse.sign_in(clinic.clinician_email).status_code == 422


def test_signing_out_ends_the_copied_cookie_too(nurse, browser):
    cookie = nurse.client.get_cookie("followup").value
    assert nurse.client.post("/sign-out").status_code == 303
    thief = browser()
    thief.client.set_cookie("followup", cookie)
    assert thief.client.get("/").status_code == 302


@pytest.mark.parametrize(
    "wanted",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "\t//evil.example"],
)
def test_the_way_on_stays_in_this_house(visitor, clinic, wanted):
    form = {"email": clinic.clinician_email, "password": PASSWORD, "next": wanted}
    assert visitor.client.post("/sign-in", data=form).location == "/"


def test_the_way_on_leads_where_the_member_wanted_to_go(visitor, clinic):
    form = {"email": clinic.clinician_email, "password": PASSWORD, "next": "/patients?q=ro"}
    assert visitor.client.post("/sign-in", data=form).location == "/patients?q=ro"


def test_a_session_that_was_planted_before_the_sign_in_is_not_kept(visitor, clinic):
    with visitor.client.session_transaction() as planted:
        planted["planted"] = "x"
    visitor.sign_in(clinic.clinician_email)
    with visitor.client.session_transaction() as session:
        assert "planted" not in session


def test_a_form_without_its_token_changes_nothing_and_keeps_what_was_typed(app, nurse):
    app.config["WTF_CSRF_ENABLED"] = True
    mine = nurse.client.post(
        "/alerts/alt_x/note", data={"note": "spoke with Ana"}, headers={"Sec-Fetch-Site": "same-origin"}
    )
    assert mine.status_code == 400
    page = mine.get_data(as_text=True)
    assert "spoke with Ana" in page
    assert re.search(r'name="csrf_token" value="[^"]{20,}"', page)
    forged = nurse.client.post(
        "/alerts/alt_x/note", data={"note": "evil"}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert forged.status_code == 400
    assert "evil" not in forged.get_data(as_text=True)


SAME = {"Sec-Fetch-Site": "same-origin"}


def test_what_was_typed_while_signed_out_is_sent_once_more_after_the_sign_in(app, nurse, clinic, wall):
    app.config["WTF_CSRF_ENABLED"] = True
    patient = add_patient(clinic)
    nurse.client.post("/sign-out", data={"csrf_token": token_in(nurse.text("/account"))})
    sign_in_through(nurse, nurse.text("/sign-in"), clinic.clinician_email)
    form = {
        "text": "Call us <b>at noon</b>.",
        "key": "k" * 22,
        "csrf_token": token_in(nurse.text("/account")),
    }
    wall.forward(minutes=16)
    out = nurse.client.post(f"/patients/{patient}/text", data=form, headers=SAME)
    page = out.get_data(as_text=True)
    assert out.status_code == 401
    assert "What you typed is kept" in page
    assert "at noon" not in page, "the next one at this screen cannot read it"
    refused = sign_in_through(nurse, page, clinic.clinician_email, "wrong, all of it")
    again = sign_in_through(nurse, refused.get_data(as_text=True), clinic.clinician_email)
    page = again.get_data(as_text=True)
    assert ">Call us &lt;b&gt;at noon&lt;/b&gt;.</textarea>" in page
    assert f'action="/patients/{patient}/text"' in page
    assert f'<input type="hidden" name="key" value="{"k" * 22}">' in page
    form["csrf_token"] = token_in(page)
    assert nurse.client.post(f"/patients/{patient}/text", data=form, headers=SAME).status_code == 303
    assert "at noon" in nurse.text(f"/patients/{patient}")


def test_another_member_never_sees_what_was_typed_while_signed_out(nurse, clinic, wall):
    nurse.client.post("/sign-out")
    nurse.sign_in(clinic.clinician_email)
    wall.forward(minutes=16)
    page = nurse.client.post("/patients/pat_x/text", data={"text": "at noon"}, headers=SAME)
    answer = sign_in_through(nurse, page.get_data(as_text=True), clinic.coordinator_email)
    assert (answer.status_code, answer.location) == (303, "/")


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}])
def test_another_sites_form_is_not_kept(visitor, clinic, headers):
    answer = visitor.client.post("/patients/pat_x/text", data={"text": "evil"}, headers=headers)
    assert answer.status_code == 401
    assert 'name="kept"' not in answer.get_data(as_text=True)


@pytest.mark.parametrize("kept", ["", "x", "WyIvIixbXSwiIl0.aaaaaa.bbbbbbbbbbbb"])
def test_a_kept_form_that_we_did_not_seal_is_nothing(visitor, clinic, kept):
    form = {"email": clinic.clinician_email, "password": PASSWORD, "kept": kept}
    assert visitor.client.post("/sign-in", data=form).location == "/"


def token_in(page):
    return re.search(r'name="csrf_token" value="([^"]+)"', page)[1]


def sign_in_through(browser, page, email, password=PASSWORD):
    """Fill in the sign-in form of a page and press its button."""
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    return browser.client.post("/sign-in", data={**fields, "email": email, "password": password})


def test_a_password_is_never_given_back_by_an_error_page(app, visitor):
    app.config["WTF_CSRF_ENABLED"] = True
    answer = visitor.client.post(
        "/sign-in",
        data={"email": "a@b.example", "password": PASSWORD},
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    assert answer.status_code == 400
    assert PASSWORD not in answer.get_data(as_text=True)


def test_the_password_is_stored_as_argon2id_and_made_new_when_its_cost_rises(clinic, monkeypatch):
    from argon2 import PasswordHasher

    cheap = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1)
    with clinic.session() as session:
        session.query(StaffUser).filter_by(email=clinic.clinician_email).one().password_hash = cheap.hash(
            PASSWORD
        )
    with clinic.session() as session:
        staff.authenticate(session, clinic.clinician_email, PASSWORD, NOW)
    assert staff_row(clinic, clinic.clinician_email).password_hash.startswith(
        "$argon2id$v=19$m=19456,t=2,p=1$"
    )


def test_the_hash_of_nobody_costs_what_a_members_costs():
    assert not staff._hasher.check_needs_rehash(staff._NOBODY)


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "needs 12"),
        ("aaaaaaaaaaaaaaaa", "too easy"),
        ("passwordpassword", "too easy"),
        ("Password12345!", "too easy"),
        ("P@ssw0rdP@ssw0rd1", "too easy"),
        ("qwertyuiop1234567890", "too easy"),
        ("letmein-welcome-1", "too easy"),
        ("blue house blue house ", "too easy"),
        ("123456789012345", "too easy"),
        ("lena.abara-secret", "too easy"),
        ("x" * 129, "at most 128"),
    ],
)
def test_a_weak_password_is_refused_with_the_reason(clinic, password, why):
    with clinic.session() as session, pytest.raises(staff.InvalidInput, match=why):
        staff.add(
            session,
            clinic.id,
            display_name="Lena Abara",
            email="lena.abara@front.example",
            phone=None,
            role=StaffRole.CLINICIAN,
            receives_pages=False,
            password=password,
            now=NOW,
        )


def test_without_a_password_one_is_drawn_and_it_works(clinic):
    with clinic.session() as session:
        user, drawn = staff.add(
            session,
            clinic.id,
            display_name="  Lena   Abara ",
            email="Lena@Front.example",
            phone="(303) 555-0177",
            role=StaffRole.CLINICIAN,
            receives_pages=True,
            password=None,
            now=NOW,
        )
        assert (user.display_name, user.email, user.phone) == (
            "Lena Abara",
            "lena@front.example",
            "+13035550177",
        )
        assert drawn is not None
        assert len(drawn) >= 12
        assert staff.authenticate(session, "lena@front.example", drawn, NOW).id == user.id


def test_one_address_signs_in_to_one_clinic(clinic, other_clinic):
    with (
        other_clinic.session() as session,
        pytest.raises(staff.InvalidInput, match="signs in with this email"),
    ):
        staff.add(
            session,
            other_clinic.id,
            display_name="X",
            email=clinic.clinician_email,
            phone=None,
            role=StaffRole.ADMIN,
            receives_pages=False,
            password=PASSWORD,
            now=NOW,
        )


def test_a_new_password_ends_the_open_sessions(nurse, clinic):
    with clinic.session() as session:
        user = session.query(StaffUser).filter_by(email=clinic.clinician_email).one()
        with pytest.raises(staff.InvalidInput, match="present password"):
            staff.change_password(session, user, old="wrong", new="another long walk by the sea", now=NOW)
        staff.change_password(session, user, old=PASSWORD, new="another long walk by the sea", now=NOW)
    assert nurse.client.get("/").status_code == 302
    assert nurse.sign_in(clinic.clinician_email, "another long walk by the sea").status_code == 303


def test_a_member_changes_the_password_and_only_other_devices_are_signed_out(nurse, browser, clinic):
    tablet = browser()
    tablet.sign_in(clinic.clinician_email)
    wrong = nurse.post("/account", old="not it", new="another long walk by the sea")
    assert wrong.status_code == 422
    assert "Your present password is not right." in wrong.get_data(as_text=True)
    short = nurse.post("/account", old=PASSWORD, new="short")
    assert "needs 12 or more" in short.get_data(as_text=True)
    assert nurse.post("/account", old=PASSWORD, new="another long walk by the sea").status_code == 303
    assert "Your password is changed." in nurse.text("/account")
    assert tablet.client.get("/").status_code == 302


def test_nothing_that_a_visitor_types_reaches_the_audit(visitor, clinic):
    visitor.sign_in("someone@private.example", "my secret words")
    with clinic.session() as session:
        kept = [(row.entity, row.detail) for row in session.query(AuditEvent)]
    assert "private" not in repr(kept)
    assert "secret" not in repr(kept)
    assert timedelta(minutes=15).total_seconds() == visitor.client.application.config["IDLE_SECONDS"]
