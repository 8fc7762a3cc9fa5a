"""Patients on the web: the list, one story with the fate of every text, writing to them, stopping."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from followup.core.vocabulary import (
    CarePlanStatus,
    Channel,
    CommunicationStatus,
    ConsentStatus,
    Delivery,
    Lane,
    NotDoneReason,
    Question,
    RequestOrigin,
    RequestStatus,
    SuppressionReason,
    Tier,
)
from followup.services import consent
from followup.store.models import AuditEvent, CommunicationRequest
from tests.web.scene import NOW, add_patient, add_taper, answer, hear, patient_of, plan_text, raise_alert, say


def names(page: str) -> list[str]:
    return re.findall(r'class="row-name" href="/patients/[^"]+">([^<]+)<', page)


def to_go(clinic) -> list[CommunicationRequest]:
    with clinic.session() as session:
        return session.query(CommunicationRequest).filter_by(origin=RequestOrigin.STAFF).all()


# --- the list ---


def test_the_list_goes_by_family_name_and_shows_what_is_open(nurse, clinic):
    add_patient(clinic, "Zoe", "Abara", phone="+15095550171")
    raise_alert(clinic, add_patient(clinic))
    page = nurse.text("/patients")
    assert names(page) == ["Abara, Zoe", "Achterberg, Rosalind"]
    assert "Emergency" in page


@pytest.mark.parametrize("text", ["achter", "ROSA", "rosalind achterberg", "0163"])
def test_a_patient_is_found_by_name_or_by_the_end_of_the_phone(nurse, clinic, text):
    add_patient(clinic, "Zoe", "Abara", phone="+15095550171")
    add_patient(clinic)
    assert names(nurse.text(f"/patients?q={text}")) == ["Achterberg, Rosalind"]


@pytest.mark.parametrize("text", ["%", "_", "' OR 1=1 --", "\\"])
def test_signs_of_the_query_language_find_nothing_special(nurse, clinic, text):
    add_patient(clinic)
    nurse.client.get("/patients", query_string={"q": text})
    assert nurse.client.get("/patients", query_string={"q": text}).status_code == 200


def test_long_lists_come_in_pages_without_losing_or_doubling_anybody(nurse, clinic, monkeypatch):
    from followup.store.queries import patients

    monkeypatch.setattr(patients.listed, "__kwdefaults__", {"text": "", "after": None, "size": 3})
    for number in range(7):
        add_patient(clinic, f"N{number}", "Same", phone=f"+150955502{number:02d}")
    seen, address = [], "/patients"
    while address:
        page = nurse.text(address)
        seen += names(page)
        more = re.search(r'href="(/patients\?after=[^"]+)">Next', page)
        address = more[1] if more else None
    assert seen == [f"Same, N{number}" for number in range(7)]


def test_another_clinic_finds_nobody_of_it(stranger, clinic):
    patient = add_patient(clinic)
    assert names(stranger.text("/patients")) == []
    stranger.text(f"/patients/{patient}", status=404)
    stranger.text(f"/patients?after={patient}", status=404)
    assert stranger.post(f"/patients/{patient}/text", text="hello").status_code == 404
    assert stranger.post(f"/patients/{patient}/stop", sure="yes").status_code == 404
    assert to_go(clinic) == []


# --- the story ---

FATES = [
    ({"status": CommunicationStatus.IN_PROGRESS}, "Sending"),
    ({"delivery": None}, "Sent, no receipt yet"),
    ({"delivery": Delivery.QUEUED}, "Sent, no receipt yet"),
    ({"delivery": Delivery.SENT}, "Sent, no receipt yet"),
    ({"delivery": Delivery.DELIVERED}, "Delivered"),
    ({"delivery": Delivery.UNDELIVERED, "error_code": "30006"}, "Could not deliver: this is a landline"),
    ({"delivery": Delivery.FAILED}, "Could not deliver: the carrier gave no reason."),
    (
        {"status": CommunicationStatus.NOT_DONE, "reason": NotDoneReason.SUPPRESSED.value},
        "Not sent: the address is blocked.",
    ),
    ({"status": CommunicationStatus.UNKNOWN}, "We do not know if it arrived. Not sent again."),
]


@pytest.mark.parametrize(("facts", "words"), FATES)
def test_each_bubble_says_what_became_of_it(nurse, clinic, facts, words):
    patient = add_patient(clinic)
    say(clinic, patient, "How is your pain right now?", at=NOW - timedelta(hours=1), **facts)
    page = nurse.text(f"/patients/{patient}")
    assert words in page
    others = {other for _, other in FATES if other != words and other not in words}
    assert [other for other in others if f"</svg>{other}" in page] == []


def test_what_is_to_come_is_held_or_was_missed_says_so(nurse, clinic):
    patient = add_patient(clinic)
    plan_text(clinic, patient, NOW + timedelta(hours=2))
    plan_text(clinic, patient, NOW + timedelta(days=1), RequestStatus.ON_HOLD)
    plan_text(clinic, patient, NOW - timedelta(days=1), RequestStatus.EXPIRED)
    page = nurse.text(f"/patients/{patient}")
    assert "Planned for Tue Nov 24, 10:41 am PST" in page
    assert "Held, was planned for Wed Nov 25" in page
    assert "“How is your pain right now?" in page
    assert "Not sent, due 9:41 am: its time passed." in page


def test_the_story_runs_in_order_with_alert_and_note(nurse, clinic):
    patient = add_patient(clinic)
    say(clinic, patient, "How many pills?", at=NOW - timedelta(minutes=11), delivery=Delivery.DELIVERED)
    alert = raise_alert(clinic, patient)
    say(
        clinic,
        patient,
        "Call 911 now.",
        at=NOW - timedelta(minutes=5),
        origin=RequestOrigin.SAFETY,
        delivery=Delivery.DELIVERED,
    )
    nurse.post(f"/alerts/{alert}/acknowledge")
    nurse.post(f"/alerts/{alert}/note", note="Husband is with her.")
    page = nurse.text(f"/patients/{patient}")
    order = [
        "How many pills?",
        "took 2 extra last nite",
        "raised.</b>",
        "Call 911 now.",
        "Dr. Priya Nair has alert",
        "Husband is with her.",
    ]
    found = [page.index(words) for words in order]
    assert found == sorted(found)
    assert "Emergency, someone has it, not closed." in page
    assert "9:35 am" in page
    assert "8:35 am PST" in page
    assert page.count('id="latest"') == 1


def test_words_of_staff_name_their_author(nurse, clinic):
    patient = add_patient(clinic)
    say(clinic, patient, "We will call you at noon.", at=NOW - timedelta(hours=1), origin=RequestOrigin.STAFF)
    page = nurse.text(f"/patients/{patient}")
    assert re.search(
        r"We will call you at noon\.</div><div class=\"meta\"><span>Dr\. Priya Nair</span>", page
    )


def test_the_header_knows_day_zone_prescription_and_consent(nurse, clinic):
    page = nurse.text(f"/patients/{add_patient(clinic)}")
    assert "Mar 2, 1968 (58)" in page
    assert "Day 9 of 42" in page
    assert "8:41 am PST" in page
    assert "oxycodone 5 mg, up to 6 a day, 42 dispensed" in page
    assert "Yes, Sun Nov 15" in page


def test_numbers_are_drawn_and_stand_in_a_table(nurse, clinic):
    patient = add_patient(clinic)
    add_taper(clinic, patient, [5, 4, 3], starts_on=NOW.date() - timedelta(days=3))
    at = NOW - timedelta(days=2)
    asked = say(clinic, patient, "Pain?", at=at, asks=Question.PAIN, delivery=Delivery.DELIVERED)
    answer(clinic, patient, Question.PAIN, 7, at=at + timedelta(minutes=3), asked=asked)
    answer(clinic, patient, Question.PILLS, 6, at=at + timedelta(minutes=4), asked=asked)
    page = nurse.text(f"/patients/{patient}")
    assert 'class="pain-dot"' in page
    assert 'class="over"' in page
    assert re.search(
        r'<th scope="row">7</th><td class="num">7</td><td class="num">6</td><td class="num">5</td>', page
    )
    assert "Up to 4" in page
    assert "answered 1, no answer 0, flagged 0" in page


def test_an_unanswered_question_of_yesterday_is_hollow_and_todays_is_still_open(nurse, clinic):
    patient = add_patient(clinic)
    for hours in (26, 1):
        say(
            clinic,
            patient,
            "Pain?",
            at=NOW - timedelta(hours=hours),
            asks=Question.PAIN,
            delivery=Delivery.DELIVERED,
        )
    assert "answered 0, no answer 1, flagged 0" in nurse.text(f"/patients/{patient}")


def test_a_patients_words_are_never_markup(nurse, clinic):
    patient = add_patient(clinic, "<i>Ros</i>", "O'Hara<script>")
    evil = "<img src=x onerror=alert(1)> {{ 7*7 }}"
    hear(clinic, patient, evil, at=NOW, tier=Tier.NONE, flags=[], evidence=[{"start": 0, "end": 4}])
    for address in (f"/patients/{patient}", "/patients"):
        page = nurse.text(address)
        assert "<img src=x" not in page
        assert "<i>Ros" not in page
        assert "Hara<script>" not in page
    assert "{{ 7*7 }}" in nurse.text(f"/patients/{patient}")


def test_a_patient_without_a_yes_shows_why_no_text_can_go(nurse, clinic):
    patient = add_patient(clinic, status=CarePlanStatus.DRAFT, consent=ConsentStatus.PROPOSED)
    page = nurse.text(f"/patients/{patient}")
    assert "the patient has not said yes to texts or email" in page
    assert "Send text" not in page
    assert "Asked, no answer yet" in page


def test_seeing_a_patient_is_audited(nurse, clinic):
    patient = add_patient(clinic)
    nurse.text(f"/patients/{patient}")
    with clinic.session() as session:
        seen = session.query(AuditEvent).filter_by(action="patients.view").one()
        assert (seen.entity, seen.staff_id) == (patient, clinic.clinician_id)


# --- writing ---


def test_a_text_inside_the_hours_is_due_now(nurse, clinic, clock):
    clock.forward(hours=2)
    patient = add_patient(clinic)
    assert nurse.post(f"/patients/{patient}/text", text=" We will call you\r\nat noon. ").status_code == 303
    assert "On its way. 1 part." in nurse.text(f"/patients/{patient}")
    (row,) = to_go(clinic)
    assert (row.body, row.due_at, row.lane) == ("We will call you\nat noon.", clock.now(), Lane.URGENT)
    assert (row.channel, row.address, row.staff_id) == (Channel.SMS, "+15095550163", clinic.clinician_id)
    assert row.expires_at > row.due_at


def test_a_text_before_the_hours_waits_for_the_opening_and_says_so(nurse, clinic):
    patient = add_patient(clinic)
    nurse.post(f"/patients/{patient}/text", text="We will call you at noon.")
    assert "Planned for Tue Nov 24, 9:00 am PST, when texts may go." in nurse.text(f"/patients/{patient}")


def test_a_text_in_the_last_minutes_goes_the_next_day_instead_of_getting_lost(nurse, clinic, clock):
    clock.forward(hours=11, minutes=16)  # 7:57 pm there
    nurse.post(f"/patients/{add_patient(clinic)}/text", text="Sleep well.")
    (row,) = to_go(clinic)
    assert row.due_at - clock.now() > timedelta(hours=12)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("  ", "Text: empty."),
        ("x" * 481, "481 characters, at most 480"),
        ("Take one oxycodone", "names a drug"),
    ],
)
def test_a_text_that_may_not_go_is_kept_on_the_page_with_the_reason(nurse, clinic, text, why):
    patient = add_patient(clinic)
    answer = nurse.post(f"/patients/{patient}/text", text=text)
    assert answer.status_code == 422
    page = answer.get_data(as_text=True)
    assert why in page
    assert text.strip() in page
    assert to_go(clinic) == []


def test_two_presses_at_once_send_one_text(app, nurse, clinic):
    patient = add_patient(clinic)
    key = re.search(r'name="key" value="([^"]+)"', nurse.text(f"/patients/{patient}"))[1]
    assert key not in nurse.text(f"/patients/{patient}"), "each page has a key of its own"
    cookie = nurse.client.get_cookie("followup").value
    twins = [app.test_client() for _ in range(2)]
    for twin in twins:
        twin.set_cookie("followup", cookie)

    def press(twin):
        return twin.post(f"/patients/{patient}/text", data={"text": "Call us at noon.", "key": key})

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(press, twins))
    assert [(one.status_code, one.location) for one in answers] == [(303, f"/patients/{patient}#latest")] * 2
    assert len(to_go(clinic)) == 1
    nurse.post(f"/patients/{patient}/text", text="Call us at noon.", key=key)
    assert "sent already. Nothing goes out twice." in nurse.text(f"/patients/{patient}")
    assert nurse.post(f"/patients/{patient}/text", text="Or at one.", key=key).status_code == 303
    assert len(to_go(clinic)) == 2, "other words on a page that Back restored are a new text"


def test_a_refused_text_may_be_sent_again_from_the_same_page(nurse, clinic):
    patient = add_patient(clinic)
    form = {"text": "Stop the oxycodone today.", "key": "k" * 22}
    assert nurse.post(f"/patients/{patient}/text", **form).status_code == 422
    assert nurse.post(f"/patients/{patient}/text", **form, names_a_drug="yes").status_code == 303
    assert len(to_go(clinic)) == 1


def test_what_a_text_cannot_hold_is_said_when_it_is_sent(nurse, clinic):
    patient = add_patient(clinic)
    nurse.post(f"/patients/{patient}/text", text="Bien 😀 mañana, está “listo”")
    page = nurse.text(f"/patients/{patient}")
    assert "A text message cannot hold 😀á“”: left out or written plainer." in page
    nurse.post(f"/patients/{patient}/text", text="Plain words.")
    assert "cannot hold" not in nurse.text(f"/patients/{patient}")


def test_a_text_of_nothing_but_what_cannot_go_is_refused(nurse, clinic):
    answer = nurse.post(f"/patients/{add_patient(clinic)}/text", text="😀👍")
    assert answer.status_code == 422
    assert "Write it in words." in answer.get_data(as_text=True)
    assert to_go(clinic) == []


def test_signs_that_steer_a_screen_are_no_part_of_a_text(nurse, clinic):
    nurse.post(f"/patients/{add_patient(clinic)}/text", text="Take\u202e 2\u200b at\x07 noon\nthen rest")
    (row,) = to_go(clinic)
    assert row.body == "Take 2 at noon\nthen rest"


@pytest.mark.parametrize(
    ("act", "field", "fault"), [("text", "say", "Text: empty."), ("stop", "sure", "Tick that the patient")]
)
def test_a_refusal_stands_at_its_form_has_the_focus_and_is_in_the_title(nurse, clinic, act, field, fault):
    page = nurse.post(f"/patients/{add_patient(clinic)}/{act}").get_data(as_text=True)
    assert "<title>(1 to fix) Rosalind" in page
    body = page[: page.index("<dialog")]
    assert body.count(" autofocus") == 1
    assert body.count(fault) == 1
    focused = re.search(r"<(?:textarea|input)[^>]* autofocus", body)[0]
    assert f'{field}-e"' in focused
    assert f'id="{field}-e"' in body


def test_what_was_typed_is_not_lost_when_texts_may_no_longer_go(nurse, clinic):
    patient = add_patient(clinic, consent=ConsentStatus.INACTIVE)
    page = nurse.post(f"/patients/{patient}/text", text="Call us at noon.").get_data(as_text=True)
    assert "Not sent: “Call us at noon.”" in page


@pytest.mark.parametrize(
    "before", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "yesterday", "", "2026-11-24"]
)
def test_any_word_for_before_shows_the_page(nurse, clinic, before):
    address = f"/patients/{add_patient(clinic)}"
    assert nurse.client.get(address, query_string={"before": before}).status_code == 200


@pytest.mark.parametrize("sign", ["\x00", "\u202e", "\u200b"])
def test_a_name_is_found_whatever_sign_was_pasted_with_it(nurse, clinic, sign):
    add_patient(clinic)
    page = nurse.client.get("/patients", query_string={"q": f"Ach{sign}ter"}).get_data(as_text=True)
    assert names(page) == ["Achterberg, Rosalind"]


def test_a_drugs_name_goes_when_someone_says_that_it_must(nurse, clinic):
    patient = add_patient(clinic)
    answer = nurse.post(f"/patients/{patient}/text", text="Stop the oxycodone today.", names_a_drug="yes")
    assert answer.status_code == 303
    assert len(to_go(clinic)) == 1


def test_nothing_goes_to_a_blocked_address_or_a_course_that_does_not_run(nurse, clinic):
    blocked = add_patient(clinic)
    with clinic.session() as session:
        consent.suppress(
            session, clinic.id, Channel.SMS, "+15095550163", SuppressionReason.INVALID, None, NOW
        )
    refused = nurse.post(f"/patients/{blocked}/text", text="hello")
    assert refused.status_code == 422
    assert "address" in refused.get_data(as_text=True)
    held = add_patient(clinic, "Held", "Plan", phone="+15095550172", status=CarePlanStatus.ON_HOLD)
    assert nurse.post(f"/patients/{held}/text", text="hello").status_code == 409
    assert to_go(clinic) == []


def test_the_patient_asked_to_stop_is_the_same_as_their_own_stop(nurse, clinic):
    patient = add_patient(clinic)
    plan_text(clinic, patient, NOW + timedelta(hours=2))
    assert nurse.post(f"/patients/{patient}/stop").status_code == 422
    assert nurse.post(f"/patients/{patient}/stop", sure="yes").status_code == 303
    page = nurse.text(f"/patients/{patient}")
    assert "Blocked: the patient asked to stop" in page
    assert "Send text" not in page
    assert "Texts are stopped at the patient&#39;s wish." in nurse.text("/")
    with clinic.session() as session:
        one = patient_of(session, patient)
        assert (
            session.query(AuditEvent).filter_by(action="consent.opt_out", entity=one.public_id).count() == 1
        )
