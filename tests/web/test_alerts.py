"""One alert on the web: taken, passed on, noted, closed; and the page behind a page text's link."""

import re
from datetime import timedelta

import pytest

from followup.core.vocabulary import (
    AlertOutcome,
    AlertStatus,
    Channel,
    CommunicationStatus,
    Direction,
    RequestOrigin,
    RequestStatus,
    Tier,
)
from followup.services import alerts
from followup.store.models import Alert, AuditEvent, Communication, CommunicationRequest, StaffUser
from tests.web.scene import NOW, add_patient, page_link, raise_alert, say, staff_row

ACTS = ("acknowledge", "take-over", "pass-on", "note", "close")


def row(clinic, alert: str) -> Alert:
    with clinic.session() as session:
        return session.query(Alert).filter_by(public_id=alert).one()


def test_the_page_shows_words_reasons_facts_and_whom_to_call(nurse, clinic):
    page = nurse.text(f"/alerts/{raise_alert(clinic, add_patient(clinic))}")
    assert "Rosalind Achterberg" in page
    assert "<mark>breathing slow</mark>" in page
    assert "words about breathing or waking and taking more than prescribed" in page
    assert 'href="tel:+15095550163"' in page
    assert "oxycodone 5 mg, up to 6 a day" in page
    assert "Dr. Priya Nair" in page
    assert "Waiting to go" in page
    assert "988 Suicide and Crisis Lifeline" in page
    assert "SAMHSA National Helpline" in page
    assert "1-800-662-4357" in page


def close(browser, alert: str, **filled: str):
    """Press Close on the page as it stands now; return the answer."""
    page = browser.text(f"/alerts/{alert}")
    seen = re.search(r'name="seen" value="([^"]*)"', page)
    return browser.post(f"/alerts/{alert}/close", **{"seen": seen[1] if seen else "", **filled})


def test_looking_takes_nothing(nurse, clinic):
    alert = raise_alert(clinic, add_patient(clinic))
    nurse.text(f"/alerts/{alert}")
    assert row(clinic, alert).status is AlertStatus.TRIGGERED


def test_i_have_this_makes_the_member_its_owner(nurse, clinic):
    alert = raise_alert(clinic, add_patient(clinic))
    assert nurse.post(f"/alerts/{alert}/acknowledge").status_code == 303
    assert row(clinic, alert).acknowledged_by == clinic.clinician_id
    page = nurse.text(f"/alerts/{alert}")
    assert "You have this. No one else will be paged." in page
    assert "Let go, page again" in page


def test_the_second_to_press_is_told_and_may_take_it_over(nurse, browser, clinic):
    alert = raise_alert(clinic, add_patient(clinic), "can i shower", tier=Tier.ROUTINE)
    maya = browser()
    maya.sign_in(clinic.coordinator_email)
    maya.post(f"/alerts/{alert}/acknowledge")
    nurse.post(f"/alerts/{alert}/acknowledge")
    page = nurse.text(f"/alerts/{alert}")
    assert "Someone else has this already." in page
    assert "Maya Chen, RN has this" in page
    nurse.post(f"/alerts/{alert}/take-over")
    assert row(clinic, alert).acknowledged_by == clinic.clinician_id


def test_letting_go_opens_it_again(nurse, clinic):
    alert = raise_alert(clinic, add_patient(clinic))
    nurse.post(f"/alerts/{alert}/acknowledge")
    nurse.post(f"/alerts/{alert}/pass-on")
    assert row(clinic, alert).status is AlertStatus.TRIGGERED


def test_closing_needs_what_was_done_and_for_danger_a_note(nurse, clinic):
    alert = raise_alert(clinic, add_patient(clinic))
    nurse.post(f"/alerts/{alert}/acknowledge")
    nothing = close(nurse, alert, note="Spoke with the husband.")
    assert nothing.status_code == 422
    assert "Choose what was done." in nothing.get_data(as_text=True)
    assert "Spoke with the husband." in nothing.get_data(as_text=True)
    bare = close(nurse, alert, outcome="sent_to_ed")
    assert bare.status_code == 422
    assert "Note: empty." in bare.get_data(as_text=True)
    assert re.search(r'value="sent_to_ed" required checked', bare.get_data(as_text=True))
    assert row(clinic, alert).status is AlertStatus.ACKNOWLEDGED
    assert close(nurse, alert, outcome="sent_to_ed", note="911 took her in.").status_code == 303
    closed = row(clinic, alert)
    assert (closed.status, closed.outcome, closed.note) == (
        AlertStatus.RESOLVED,
        AlertOutcome.SENT_TO_ED,
        "911 took her in.",
    )
    assert "No one is waiting for you" in nurse.text("/")
    assert "911 took her in." in nurse.text(f"/alerts/{alert}")


def test_a_routine_one_closes_without_a_note(nurse, clinic):
    alert = raise_alert(clinic, add_patient(clinic), "can i shower", tier=Tier.ROUTINE)
    assert close(nurse, alert, outcome="no_need").status_code == 303


def test_notes_add_up_and_closing_keeps_them(nurse, clinic):
    alert = raise_alert(clinic, add_patient(clinic))
    nurse.post(f"/alerts/{alert}/note", note="No answer at 9:42.")
    nurse.post(f"/alerts/{alert}/acknowledge")
    close(nurse, alert, outcome="called", note="Reached at 9:50.")
    nurse.post(f"/alerts/{alert}/note", note="Surgeon told.")
    assert row(clinic, alert).note == "No answer at 9:42.\nReached at 9:50.\nSurgeon told."
    assert nurse.post(f"/alerts/{alert}/note", note="  ").status_code == 422


def test_what_was_closed_by_another_is_said(nurse, clinic):
    alert = raise_alert(clinic, add_patient(clinic))
    nurse.post(f"/alerts/{alert}/acknowledge")
    close(nurse, alert, outcome="called", note="Reached.")
    again = close(nurse, alert, outcome="advice", note="Also reached.")
    assert again.status_code == 409
    assert "This alert is closed." in again.get_data(as_text=True)
    assert row(clinic, alert).note == "Reached."


def test_a_page_that_was_open_when_new_words_came_closes_nothing(nurse, clinic):
    patient = add_patient(clinic)
    alert = raise_alert(clinic, patient, "can i shower", tier=Tier.ROUTINE, flags=("question",))
    old = nurse.text(f"/alerts/{alert}")
    raise_alert(clinic, patient, "and can i drive", tier=Tier.ROUTINE, flags=("question",))
    seen = re.search(r'name="seen" value="([^"]+)"', old)[1]
    refused = nurse.post(f"/alerts/{alert}/close", outcome="advice", note="Yes, after day 2.", seen=seen)
    page = refused.get_data(as_text=True)
    assert refused.status_code == 409
    assert "New words came in. Read them, then close." in page
    assert "and can i drive" in page
    assert "Yes, after day 2." in page, "what was typed is kept"
    assert row(clinic, alert).status is AlertStatus.TRIGGERED
    assert close(nurse, alert, outcome="advice", note="Yes to both.").status_code == 303


def test_an_emergency_that_nobody_read_is_not_closed_from_an_older_page(nurse, clinic):
    patient = add_patient(clinic)
    alert = raise_alert(clinic, patient, "pus from my wound", tier=Tier.URGENT, flags=("infection",))
    nurse.post(f"/alerts/{alert}/acknowledge")
    seen = re.search(r'name="seen" value="([^"]+)"', nurse.text(f"/alerts/{alert}"))[1]
    raise_alert(clinic, patient)
    refused = nurse.post(f"/alerts/{alert}/close", outcome="called", note="About the wound.", seen=seen)
    assert refused.status_code == 409
    assert row(clinic, alert).status is AlertStatus.TRIGGERED
    with clinic.session() as session:
        [page] = (
            session.query(CommunicationRequest)
            .filter_by(message_key="staff_raised", channel=Channel.SMS, status=RequestStatus.ACTIVE)
            .all()
        )
    assert page.alert_id == row(clinic, alert).id


def test_danger_that_nobody_has_is_taken_before_it_is_closed(nurse, clinic):
    alert = raise_alert(clinic, add_patient(clinic))
    page = nurse.text(f"/alerts/{alert}")
    assert "To close it, press “I have this” first." in page
    assert 'name="outcome"' not in page
    refused = close(nurse, alert, outcome="called", note="Reached.")
    assert refused.status_code == 409
    assert "Press “I have this” first" in refused.get_data(as_text=True)
    assert row(clinic, alert).status is AlertStatus.TRIGGERED


def test_a_coordinator_who_is_not_paged_takes_an_emergency_and_it_is_written_down(browser, clinic):
    alert = raise_alert(clinic, add_patient(clinic))
    maya, me = browser(), staff_row(clinic, clinic.coordinator_email)
    maya.sign_in(clinic.coordinator_email)
    assert maya.post(f"/alerts/{alert}/acknowledge").status_code == 303
    assert row(clinic, alert).acknowledged_by == me.id
    with clinic.session() as session:
        [written] = session.query(AuditEvent).filter_by(entity=alert, action="alerts.acknowledge").all()
    assert written.staff_id == me.id


def test_a_safety_text_that_did_not_arrive_asks_for_a_call(nurse, clinic):
    patient = add_patient(clinic)
    alert = raise_alert(clinic, patient)
    words = "The safety text could not be delivered. Call."
    assert words not in nurse.text(f"/alerts/{alert}")
    asked = say(
        clinic,
        patient,
        "Call 911 now.",
        at=NOW,
        origin=RequestOrigin.SAFETY,
        status=CommunicationStatus.NOT_DONE,
    )
    with clinic.session() as session:
        heard = session.query(Communication).filter_by(direction=Direction.IN).one()
        session.get(CommunicationRequest, asked).in_reply_to_id = heard.id
        sent = session.query(Communication).filter_by(request_id=asked).one()
        alerts.reply_failed(session, sent, now=NOW)
    assert nurse.text(f"/alerts/{alert}").count(words) == 2, "above the words, and in what happened"


@pytest.mark.parametrize("act", ACTS)
def test_another_clinic_finds_and_changes_nothing(stranger, clinic, act):
    alert = raise_alert(clinic, add_patient(clinic))
    stranger.text(f"/alerts/{alert}", status=404)
    assert stranger.post(f"/alerts/{alert}/{act}", outcome="called", note="x").status_code == 404
    assert row(clinic, alert).status is AlertStatus.TRIGGERED
    assert row(clinic, alert).note is None


def test_old_facts_of_a_resource_are_warned_of(nurse, clinic, clock):
    alert = raise_alert(clinic, add_patient(clinic))
    assert "Check it before you give it." not in nurse.text(f"/alerts/{alert}")
    clock.forward(days=91)
    assert "Last checked Sun Nov 22, 2026. Check it before you give it." in nurse.text(f"/alerts/{alert}")


def test_every_act_is_audited_with_who(nurse, clinic):
    alert = raise_alert(clinic, add_patient(clinic))
    nurse.text(f"/alerts/{alert}")
    nurse.post(f"/alerts/{alert}/acknowledge")
    nurse.post(f"/alerts/{alert}/close", outcome="called", note="Reached.")
    with clinic.session() as session:
        told = session.query(AuditEvent).filter_by(entity=alert).order_by(AuditEvent.id).all()
    assert [one.action for one in told if one.staff_id == clinic.clinician_id] == [
        "alerts.view",
        "alerts.acknowledge",
        "alerts.close",
    ]
    assert "Reached" not in repr([one.detail for one in told])


# --- the page behind the link ---


def test_the_link_says_what_it_is_about_and_nothing_of_the_patient(visitor, clinic):
    alert = raise_alert(clinic, add_patient(clinic))
    page = visitor.text(page_link(clinic, alert))
    assert "A patient wrote about breathing or waking and taking more than prescribed" in page
    assert "Emergency" in page
    assert "1 min late" in page
    assert "For Dr. Priya Nair." in page
    for private in (
        "Rosalind",
        "Achterberg",
        "took 2 extra",
        "hard to wake",
        "58",
        "female",
        "5095550163",
        "Lumbar",
    ):
        # Whole words: a random code or token may hold the same digits.
        assert not re.search(rf"\b{private}\b", page), private


def test_opening_the_link_never_acknowledges(visitor, clinic):
    alert = raise_alert(clinic, add_patient(clinic))
    address = page_link(clinic, alert)
    visitor.text(address)
    visitor.client.head(address)
    assert row(clinic, alert).status is AlertStatus.TRIGGERED


def test_one_post_acknowledges_as_the_member_it_was_sent_to(visitor, clinic):
    alert = raise_alert(clinic, add_patient(clinic))
    address = page_link(clinic, alert)
    assert visitor.client.post(address).status_code == 303
    assert row(clinic, alert).acknowledged_by == clinic.clinician_id
    page = visitor.text(address)
    assert "You have it, Dr. Priya Nair." in page
    assert "took 2 extra" not in page


def test_the_post_needs_its_token(app, visitor, clinic):
    app.config["WTF_CSRF_ENABLED"] = True
    alert = raise_alert(clinic, add_patient(clinic))
    address = page_link(clinic, alert)
    assert visitor.client.post(address).status_code == 400
    token = re.search(r'name="csrf_token" value="([^"]+)"', visitor.text(address))[1]
    assert visitor.client.post(address, data={"csrf_token": token}).status_code == 303


def test_a_signed_in_clinician_of_the_clinic_reads_the_words(nurse, clinic):
    page = nurse.text(page_link(clinic, raise_alert(clinic, add_patient(clinic))))
    assert "Rosalind Achterberg, female, 58, day 9 after going home" in page
    assert "<mark>hard to wake</mark>" in page


def test_a_signed_in_clinician_of_another_clinic_does_not(stranger, clinic):
    page = stranger.text(page_link(clinic, raise_alert(clinic, add_patient(clinic))))
    assert "Rosalind" not in page
    assert "hard to wake" not in page


def test_a_forwarded_link_tells_who_has_it(visitor, browser, clinic):
    alert = raise_alert(clinic, add_patient(clinic))
    address = page_link(clinic, alert, to=staff_row(clinic, clinic.coordinator_email).id)
    doctor = browser()
    doctor.sign_in(clinic.clinician_email)
    doctor.post(f"/alerts/{alert}/acknowledge")
    assert "Dr. Priya Nair has it" in visitor.text(address)
    assert "I have this" not in visitor.text(address)


def test_a_link_of_someone_who_left_acts_for_nobody(visitor, clinic):
    alert = raise_alert(clinic, add_patient(clinic))
    address = page_link(clinic, alert)
    with clinic.session() as session:
        session.query(StaffUser).filter_by(email=clinic.clinician_email).one().is_active = False
    assert "I have this" not in visitor.text(address)
    assert visitor.client.post(address).status_code == 403
    assert row(clinic, alert).status is AlertStatus.TRIGGERED


def test_an_old_or_unknown_link_opens_nothing(visitor, clinic, clock):
    alert = raise_alert(clinic, add_patient(clinic))
    address = page_link(clinic, alert)
    visitor.text("/a/nothing-here", status=404)
    clock.forward(days=2)
    visitor.text(address, status=404)
    assert visitor.client.post(address).status_code == 404


def test_hammering_at_one_link_keeps_nobody_from_another(visitor, browser, clinic):
    first = page_link(clinic, raise_alert(clinic, add_patient(clinic)))
    other = page_link(clinic, raise_alert(clinic, add_patient(clinic, "Ann", "Other", phone="+15095550171")))
    assert [visitor.client.post(first).status_code for _ in range(21)][-1] == 429
    assert browser().client.post(other).status_code == 303


def test_a_closed_alert_leaves_nothing_to_press(visitor, nurse, clinic):
    alert = raise_alert(clinic, add_patient(clinic), at=NOW - timedelta(minutes=2))
    address = page_link(clinic, alert)
    nurse.post(f"/alerts/{alert}/acknowledge")
    close(nurse, alert, outcome="called", note="Reached.")
    page = visitor.text(address)
    assert "is closed." in page
    assert "I have this" not in page
