"""What comes in is stored first, understood once, answered by the law, and never lost."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from followup.core.vocabulary import (
    AlertKind,
    AlertStatus,
    Audience,
    CarePlanStatus,
    Channel,
    CommunicationStatus,
    Direction,
    Lane,
    Question,
    RequestOrigin,
    SuppressionReason,
    Tier,
)
from followup.services import inbound
from followup.services.alerts import acknowledge
from followup.store.models import (
    Alert,
    AuditEvent,
    Communication,
    ContactPoint,
    QuestionnaireResponse,
    StaffUser,
    Suppression,
)
from followup.store.session import make_engine, session_factory
from tests import factories
from tests.factories import NOW
from tests.services.roads import NIGHT, Road, build


@pytest.fixture
def road(sqlite_url: str) -> Iterator[Road]:
    engine = make_engine(sqlite_url)
    yield build(session_factory(engine))
    engine.dispose()


class BrokenLexicon:
    """Stands for a rulebook with a fault: whatever is asked of it fails."""

    def __getattr__(self, name: str) -> object:
        raise RuntimeError(name)


def broken(road: Road) -> Road:
    rules = replace(road.knowledge.rules, lexicon=BrokenLexicon())  # type: ignore[arg-type]
    return replace(road, knowledge=replace(road.knowledge, rules=rules))


# --- stored first, once ---


def test_a_text_is_stored_as_it_came_before_anything_else(road: Road) -> None:
    received = inbound.receive(road.sessions, road.message("hello\x00", raw=b"Body=hello%00"), now=NOW)
    [stored] = road.heard()
    assert received == inbound.Received(stored.id, True)
    assert (stored.status, stored.processed_at) == (CommunicationStatus.IN_PROGRESS, None)
    assert stored.body == "hello\ufffd"
    with road.sessions() as session:
        assert session.get_one(Communication, stored.id).raw == b"Body=hello%00"


def test_a_repeat_of_the_same_provider_id_stores_nothing(road: Road) -> None:
    first = inbound.receive(road.sessions, road.message("hello", sid="SM1"), now=NOW)
    again = inbound.receive(road.sessions, road.message("hello", sid="SM1"), now=NOW)
    assert again == inbound.Received(first.communication_id, False)
    assert len(road.heard()) == 1


def test_a_text_to_a_number_of_no_clinic_is_audited_and_kept_from_every_clinic(road: Road) -> None:
    received = inbound.receive(road.sessions, road.message("hello", recipient="+15005550006"), now=NOW)
    assert received == inbound.Received(None, False)
    assert road.heard() == []
    with road.sessions() as session:
        [line] = session.scalars(select(AuditEvent)).all()
    assert (line.action, line.organization_id) == ("inbound.misdirected", None)


def test_a_text_is_understood_once(road: Road) -> None:
    received = inbound.receive(road.sessions, road.message("i cant breathe"), now=NOW)
    assert received.communication_id is not None
    first, again = (
        inbound.process(road.sessions, received.communication_id, knowledge=road.knowledge, now=NOW)
        for _ in range(2)
    )
    assert (first.handling, again.handling) == ("alerted", "already")
    assert road.answers() == ["auto_emergency"]
    assert len(road.alerts()) == 1


def test_the_sweep_understands_what_the_web_process_left_behind(road: Road) -> None:
    for body in ("i cant breathe", "thank you"):
        inbound.receive(road.sessions, road.message(body), now=NOW)
    early = inbound.sweep(road.sessions, knowledge=road.knowledge, now=NOW + timedelta(seconds=5))
    late = inbound.sweep(road.sessions, knowledge=road.knowledge, now=NOW + timedelta(seconds=11))
    assert (early, late) == (0, 2)
    assert all(one.processed_at for one in road.heard())


def test_one_text_that_cannot_be_processed_does_not_stop_the_sweep(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = inbound.receive(road.sessions, road.message("first"), now=NOW)
    inbound.receive(road.sessions, road.message("i cant breathe"), now=NOW)
    whole = inbound.process

    def failing(sessions: sessionmaker[Session], communication_id: object, **more: object) -> object:
        if communication_id == bad.communication_id:
            raise RuntimeError
        return whole(sessions, communication_id, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(inbound, "process", failing)
    assert inbound.sweep(road.sessions, knowledge=road.knowledge, now=NOW + timedelta(minutes=1)) == 1
    assert [one.tier for one in road.alerts()] == [Tier.EMERGENCY]


# --- danger ---


def test_an_emergency_at_night_is_answered_and_paged_at_once(road: Road) -> None:
    done = road.text("i cant breathe good and my lips look blue", now=NIGHT)
    assert (done.tier, done.handling, done.lanes) == (Tier.EMERGENCY, "alerted", frozenset({Lane.STAT}))
    [reply] = [row for row in road.requests() if row.audience is Audience.PATIENT]
    assert (reply.message_key, reply.origin, reply.lane) == (
        "auto_emergency",
        RequestOrigin.SAFETY,
        Lane.STAT,
    )
    assert (reply.due_at, reply.expires_at) == (NIGHT, NIGHT + timedelta(hours=24))
    assert [(page.channel, page.due_at, page.message_key) for page in road.pages()] == [
        (Channel.SMS, NIGHT, "staff_page_emergency"),
        (Channel.EMAIL, NIGHT, "staff_page_emergency"),
    ]


def test_an_urgent_text_after_hours_gets_the_on_call_number(road: Road) -> None:
    road.ask("ask_pain", asks=Question.PAIN)
    road.text("9", now=NIGHT - timedelta(hours=4))
    assert road.answers() == ["auto_urgent_closed"]


def test_without_an_on_call_number_the_text_of_open_hours_goes(road: Road) -> None:
    with road.sessions.begin() as session:
        session.get_one(type(road.clinic), road.clinic.id).oncall_phone = None
    road.text("i want a pill so bad, the craving is strong", now=NIGHT)
    assert road.answers() == ["auto_craving"]


def test_the_number_that_was_read_stands_in_the_answer_to_an_overdose(road: Road) -> None:
    road.ask("ask_pills", asks=Question.PILLS)
    done = road.text("14")
    [reply] = [row for row in road.requests() if row.audience is Audience.PATIENT and row.in_reply_to_id]
    assert (done.tier, reply.message_key, reply.fields) == (Tier.EMERGENCY, "auto_took_a_lot", {"n": "14"})


def test_the_stored_text_says_what_it_means_and_which_words_say_so(road: Road) -> None:
    road.text("thanks but i cant breathe")
    [heard] = road.heard()
    assert heard.tier is Tier.EMERGENCY
    assert heard.flags
    assert "breathing" in heard.flags
    assert heard.evidence
    assert all(one["words"] in heard.body for one in heard.evidence)


def test_rules_that_crash_make_a_text_urgent_and_never_silent(road: Road) -> None:
    done = broken(road).text("hello there")
    assert (done.tier, done.handling) == (Tier.URGENT, "could_not_read")
    assert road.answers() == ["auto_urgent"]
    assert [alert.tier for alert in road.alerts()] == [Tier.URGENT]
    assert len(road.pages()) == 2


def test_a_fault_anywhere_in_understanding_gives_the_text_to_a_person(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("followup.services.responding.respond", lambda *_: 1 / 0)
    done = road.text("my knee hurts a bit")
    assert (done.tier, done.handling) == (Tier.URGENT, "could_not_read")
    assert road.answers() == ["auto_urgent"]
    assert [alert.tier for alert in road.alerts()] == [Tier.URGENT]
    assert road.heard()[0].handling == "could_not_read"


def test_stop_acts_even_when_the_rules_crash(road: Road) -> None:
    assert broken(road).text("STOP").handling == "opted_out_danger"
    assert road.answers() == ["auto_optout_danger"]
    assert Tier.URGENT in {alert.tier for alert in road.alerts()}


def test_stop_blocks_the_phone_even_when_everything_else_fails(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("followup.services.keyword_acts.stop", lambda *_: 1 / 0)
    assert road.text("please stop texting me").handling == "could_not_read"
    with road.sessions() as session:
        assert session.scalars(select(Suppression.value)).all() == [road.phone]
    assert [(alert.task, alert.cannot_text) for alert in road.alerts()] == [
        ("texts_stopped", True),
        ("", True),
    ]
    assert road.fresh_plan().status is CarePlanStatus.ON_HOLD


def test_no_word_of_a_patient_reaches_the_log(road: Road, caplog: pytest.LogCaptureFixture) -> None:
    broken(road).text("my secret words")
    assert caplog.records
    assert "secret" not in caplog.text


# --- whose it is ---


def test_a_wrong_number_is_told_sorry_and_gets_nothing_more(road: Road) -> None:
    assert road.text("you have the wrong number").tier is Tier.ROUTINE
    assert road.answers() == ["auto_wrong_number"]
    with road.sessions() as session:
        blocks = session.execute(select(Suppression.value, Suppression.reason)).all()
    assert [tuple(block) for block in blocks] == [(road.phone, SuppressionReason.WRONG_NUMBER)]
    assert [alert.cannot_text for alert in road.alerts()] == [True]


def test_an_unknown_number_gets_a_neutral_answer_once_a_day_and_a_person_looks(road: Road) -> None:
    stranger = factories.phone()
    done = road.text("is this the doctor", sender=stranger)
    road.text("hello?", sender=stranger, now=NOW + timedelta(hours=1))
    road.text("anyone there", sender=stranger, now=NOW + timedelta(hours=25))
    assert done.handling == "unknown_sender"
    assert road.answers(stranger) == ["auto_unknown_sender"] * 2
    [alert] = road.alerts()
    assert (alert.kind, alert.tier, alert.patient_id) == (AlertKind.UNKNOWN_SENDER, Tier.ROUTINE, None)
    assert road.pages() == []


def test_danger_from_an_unknown_number_pages_staff(road: Road) -> None:
    stranger = factories.phone()
    road.text("he took all his pills and wont wake up", sender=stranger)
    assert road.answers(stranger) == ["auto_unknown_sender"]
    assert [alert.tier for alert in road.alerts()] == [Tier.EMERGENCY]
    assert len(road.pages()) == 2


def share(road: Road) -> None:
    with road.sessions.begin() as session:
        clinic = session.get_one(type(road.clinic), road.clinic.id)
        other = factories.patient(session, clinic, given_name="Bo")
        factories.contact(session, other, value=road.phone, is_shared=True)


def test_a_number_from_a_shared_phone_never_binds_and_staff_are_asked(road: Road) -> None:
    road.ask("ask_pain", asks=Question.PAIN)
    share(road)
    done = road.text("6")
    assert done.handling == "shared_phone"
    assert [alert.kind for alert in road.alerts()] == [AlertKind.SHARED_PHONE] * 2
    assert len({alert.patient_id for alert in road.alerts()}) == 2
    assert road.answers() == ["auto_shared_phone"]
    with road.sessions() as session:
        assert session.scalars(select(QuestionnaireResponse)).all() == []
    assert road.heard()[0].patient_id is None


def test_an_emergency_from_a_shared_phone_pages_for_every_patient_at_it(road: Road) -> None:
    share(road)
    road.text("i cant breathe")
    assert [alert.tier for alert in road.alerts()] == [Tier.EMERGENCY] * 2
    assert len(road.pages()) == 4
    assert road.answers() == ["auto_emergency"]


def test_a_second_text_from_a_shared_phone_adds_to_the_open_alerts(road: Road) -> None:
    share(road)
    road.text("hello")
    road.text("hello again", now=NOW + timedelta(minutes=5))
    assert len(road.alerts()) == 2
    assert road.answers() == ["auto_shared_phone"]


def test_a_number_from_a_phone_ticked_as_shared_does_not_bind_to_its_only_patient(road: Road) -> None:
    with road.sessions.begin() as session:
        session.scalars(select(ContactPoint)).one().is_shared = True
    road.ask("ask_pain", asks=Question.PAIN)
    assert road.text("6").handling == "shared_phone"
    assert road.text("i cant breathe", now=NOW + timedelta(minutes=1)).tier is Tier.EMERGENCY
    assert road.answers() == ["auto_shared_phone", "auto_emergency"]
    with road.sessions() as session:
        assert session.scalars(select(QuestionnaireResponse)).all() == []


def test_another_clinics_patient_with_the_same_phone_is_not_consulted(road: Road) -> None:
    with road.sessions.begin() as session:
        elsewhere = factories.organization(session)
        factories.contact(session, factories.patient(session, elsewhere), value=road.phone)
    assert road.text("thank you").handling == "ignored_none"
    assert road.heard()[0].patient_id == road.patient.id


def test_a_text_after_the_end_is_still_triaged(road: Road) -> None:
    with road.sessions.begin() as session:
        session.get_one(type(road.plan), road.plan.id).status = CarePlanStatus.COMPLETED
    road.text("can i drive again?")
    road.text("can i fly?", now=NOW + timedelta(hours=2))
    assert road.answers() == ["auto_closed"]
    assert [alert.tier for alert in road.alerts()] == [Tier.ROUTINE]
    road.text("i cant breathe", now=NOW + timedelta(hours=3))
    assert road.answers() == ["auto_closed", "auto_emergency"]
    assert [alert.tier for alert in road.alerts()] == [Tier.EMERGENCY]


# --- what cannot be read ---


@pytest.mark.parametrize(
    ("body", "media", "key"),
    [
        ("", 1, "auto_media"),
        ("", 0, "auto_media"),
        ("look at this", 1, "auto_media"),
        ("hello " * 300, 0, "auto_too_long"),
        ("caf\ufffd", 0, "auto_too_long"),
    ],
)
def test_what_cannot_be_read_goes_to_a_person(road: Road, body: str, media: int, key: str) -> None:
    done = road.text(body, media_count=media)
    assert (done.tier, road.answers()) == (Tier.ROUTINE, [key])
    assert [alert.tier for alert in road.alerts()] == [Tier.ROUTINE]


def test_danger_words_beside_a_picture_are_read(road: Road) -> None:
    assert road.text("i cant breathe", media_count=1).tier is Tier.EMERGENCY
    assert road.answers() == ["auto_emergency"]


def test_a_reaction_to_our_text_is_no_answer(road: Road) -> None:
    road.ask("ask_pain", asks=Question.PAIN)
    done = road.text("Liked \u201cHow is your pain right now, 0-10?\u201d")
    assert (done.handling, road.answers(), road.alerts()) == ("reaction", [], [])


# --- limits ---


def test_one_routine_answer_an_hour_then_one_that_it_was_added_then_silence(road: Road) -> None:
    for minute in range(0, 40, 10):
        road.text("can you refill my prescription?", now=NOW + timedelta(minutes=minute))
    assert road.answers() == ["auto_refill", "auto_reply_saved"]
    assert len(road.alerts()) == 1


def test_at_most_five_automatic_answers_an_hour_and_safety_texts_still_go(road: Road) -> None:
    for minute, word in enumerate(("PAIN", "SLEEP", "ANXIOUS", "PAIN", "SLEEP", "ANXIOUS", "PAIN")):
        road.text(word, now=NOW + timedelta(minutes=minute))
    assert len(road.answers()) == 5
    road.text("i cant breathe", now=NOW + timedelta(minutes=20))
    assert road.answers()[5:] == ["auto_emergency"]


def test_at_most_twenty_safety_texts_an_hour(road: Road) -> None:
    for minute in range(22):
        road.text("i cant breathe", now=NOW + timedelta(minutes=minute))
    assert road.answers() == ["auto_emergency"] * 20
    assert len(road.alerts()) == 1


# --- staff ---


def test_a_code_from_a_staff_phone_takes_the_alert(road: Road) -> None:
    road.text("i cant breathe")
    [alert] = road.alerts()
    assert road.nurse.phone is not None
    done = road.text(f"a {alert.code}", sender=road.nurse.phone, now=NOW + timedelta(minutes=1))
    assert (done.handling, done.alert_id) == ("staff_code", alert.id)
    assert road.alerts()[0].acknowledged_by == road.nurse.id
    assert road.answers(road.nurse.phone) == ["staff_ack_ok"]
    assert road.pages() == []


def test_a_staff_phone_that_says_stop_is_warned_by_mail(road: Road) -> None:
    assert road.nurse.phone is not None
    assert road.text("STOP", sender=road.nurse.phone).handling == "staff_stopped"
    [warning] = road.requests()
    assert (warning.message_key, warning.channel) == ("staff_stop_warning", Channel.EMAIL)
    assert [alert.task for alert in road.alerts()] == ["staff_phone_stopped"]


def test_new_danger_on_a_taken_alert_brings_it_back_and_pages_again(road: Road) -> None:
    road.text("i cant breathe")
    with road.sessions.begin() as session:
        alert = session.scalars(select(Alert)).one()
        nurse = session.get_one(StaffUser, road.nurse.id)
        assert acknowledge(session, alert, by=nurse, now=NOW + timedelta(minutes=1))
    assert road.pages() == []
    road.text("my chest pain is bad", now=NOW + timedelta(minutes=2))
    [alert] = road.alerts()
    assert (alert.status, alert.page_round, alert.acknowledged_by) == (AlertStatus.TRIGGERED, 2, None)
    assert len(road.pages()) == 2


def test_harmless_words_on_a_taken_alert_leave_it_taken(road: Road) -> None:
    road.text("i cant breathe")
    with road.sessions.begin() as session:
        alert = session.scalars(select(Alert)).one()
        acknowledge(session, alert, by=session.get_one(StaffUser, road.nurse.id), now=NOW)
    road.text("can you refill my prescription?", now=NOW + timedelta(minutes=2))
    assert road.alerts()[0].status is AlertStatus.ACKNOWLEDGED


def test_a_patient_who_blocked_us_is_called_not_texted(road: Road) -> None:
    with road.sessions.begin() as session:
        factories.suppression(session, road.clinic, road.phone)
    road.text("i cant breathe")
    assert road.answers() == []
    assert [(alert.tier, alert.cannot_text) for alert in road.alerts()] == [(Tier.EMERGENCY, True)]
    assert len(road.pages()) == 2


def test_nothing_unprocessed_is_left_with_a_direction_of_out(road: Road) -> None:
    row = road.ask("ask_pain", asks=Question.PAIN)
    with road.sessions() as session:
        sent = session.scalars(select(Communication).where(Communication.request_id == row.id)).one()
    assert sent.direction is Direction.OUT
    done = inbound.process(road.sessions, sent.id, knowledge=road.knowledge, now=NOW)
    assert done.handling == "already"
