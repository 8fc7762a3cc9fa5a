"""The worklist says who waits, what they wrote, and who has it; each clinic sees its own."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import event

from followup.core.vocabulary import Tier
from followup.services import alerts
from followup.store.models import Alert, AuditEvent
from tests.web.scene import NOW, add_patient, hear, patient_of, raise_alert


def rows(page: str) -> list[str]:
    return re.findall(r'class="row-name" href="[^"]+">([^<]+)<', page)


def test_the_title_is_the_answer_and_the_words_are_marked(nurse, clinic):
    raise_alert(clinic, add_patient(clinic))
    page = nurse.text("/")
    assert "<title>(1) Worklist · Followup</title>" in page
    assert "1 person is waiting for someone" in page
    assert "husband says im <mark>breathing slow</mark> n <mark>hard to wake</mark> up this am" in page
    assert "Words about breathing or waking and taking more than prescribed." in page
    assert "1 min late" in page
    assert "58" in page
    assert "day 9" in page


def test_the_gravest_stands_first_then_the_oldest(nurse, clinic):
    for name, tier, minutes in [
        ("Late", Tier.URGENT, 5),
        ("Early", Tier.URGENT, 20),
        ("Grave", Tier.EMERGENCY, 1),
    ]:
        patient = add_patient(clinic, "Ann", name, phone=f"+1509555018{minutes % 10}")
        raise_alert(clinic, patient, "words", tier=tier, at=NOW - timedelta(minutes=minutes))
    assert rows(nurse.text("/")) == ["Ann Grave", "Ann Early", "Ann Late"]


def test_an_empty_list_says_that_it_is_good(nurse):
    page = nurse.text("/")
    assert "No one is waiting for you" in page
    assert "<title>Worklist · Followup</title>" in page


def test_routine_work_waits_below_and_counts_nobody_as_waiting(nurse, clinic):
    raise_alert(clinic, add_patient(clinic), "can i shower", tier=Tier.ROUTINE, flags=("question",))
    page = nurse.text("/")
    assert "Read and answer today" in page
    assert "Nothing urgent is waiting" in page
    assert "<title>Worklist" in page


def test_what_nobody_could_read_says_so(nurse, clinic):
    raise_alert(clinic, add_patient(clinic), "b4 dinr mb 2 idk", tier=Tier.ROUTINE, flags=())
    assert "We could not read this. A person must." in nurse.text("/")


def test_a_task_says_what_to_do(nurse, clinic):
    patient = add_patient(clinic)
    with clinic.session() as session:
        alerts.open_task(
            session,
            clinic.id,
            task="invitation_unanswered",
            patient=patient_of(session, patient),
            now=NOW,
            knowledge=clinic.house.knowledge,
        )
    assert "The patient has not answered the invitation." in nurse.text("/")


def test_a_taken_alert_shows_its_owner_and_how_long(nurse, clinic, clock):
    alert = raise_alert(clinic, add_patient(clinic))
    nurse.post(f"/alerts/{alert}/acknowledge")
    clock.forward(minutes=14)
    page = nurse.text("/")
    assert "Someone has it, not closed" in page
    assert "You, 14 min" in page
    assert rows(nurse.text("/?view=mine")) == ["Rosalind Achterberg"]


def test_mine_holds_nothing_of_others(nurse, browser, clinic):
    alert = raise_alert(clinic, add_patient(clinic), "can i shower", tier=Tier.ROUTINE)
    maya = browser()
    maya.sign_in(clinic.coordinator_email)
    maya.post(f"/alerts/{alert}/acknowledge")
    assert rows(nurse.text("/?view=mine")) == []
    assert "Maya Chen, RN" in nurse.text("/")


def test_another_clinic_sees_nothing_of_it(stranger, clinic):
    raise_alert(clinic, add_patient(clinic))
    assert rows(stranger.text("/")) == []
    assert "Achterberg" not in stranger.text("/")


def test_what_patients_write_is_never_markup(nurse, clinic):
    evil = '<script>alert(1)</script> <b>hi</b> & "quotes"'
    raise_alert(
        clinic, add_patient(clinic), evil, evidence=[{"start": 0, "end": 8}, {"start": 3, "end": 900}]
    )
    page = nurse.text("/")
    assert "<script>alert" not in page
    assert (
        "<mark>&lt;script&gt;alert(1)&lt;/script&gt; &lt;b&gt;hi&lt;/b&gt; &amp; &#34;quotes&#34;</mark>"
        in page
    )


def test_looking_is_audited_without_a_word_of_it(nurse, clinic):
    raise_alert(clinic, add_patient(clinic))
    nurse.text("/")
    with clinic.session() as session:
        seen = session.query(AuditEvent).filter_by(action="worklist.view").one()
        assert seen.staff_id == clinic.clinician_id
        assert seen.detail == {"rows": 1}


@pytest.mark.parametrize("patients", [1, 8])
def test_the_page_reads_with_five_statements_however_many_wait(nurse, clinic, house, patients):
    for number in range(patients):
        patient = add_patient(clinic, "Ann", f"Nr{number}", phone=f"+150955502{number:02d}")
        hear(clinic, patient, "ok", at=NOW - timedelta(hours=1), tier=Tier.NONE, flags=["ok"])
        raise_alert(clinic, patient)
    nurse.text("/")
    reads: list[str] = []

    def count(_connection, _cursor, statement, *_rest):
        if statement.lstrip().upper().startswith("SELECT"):
            reads.append(statement)

    event.listen(house.engine, "before_cursor_execute", count)
    nurse.text("/")
    event.remove(house.engine, "before_cursor_execute", count)
    assert len(reads) <= 5, reads


def test_an_alert_without_a_patient_is_shown_by_its_sender(nurse, clinic, house):
    from followup.core.vocabulary import AlertKind

    with clinic.session() as session:
        alerts.trigger(
            session,
            clinic.organization(session),
            kind=AlertKind.UNKNOWN_SENDER,
            tier=Tier.ROUTINE,
            sender="+12025550188",
            knowledge=house.knowledge,
            now=NOW,
        )
        public = session.query(Alert).one().public_id
    assert "Unknown sender" in nurse.text("/")
    assert "(202) 555-0188" in nurse.text(f"/alerts/{public}")
