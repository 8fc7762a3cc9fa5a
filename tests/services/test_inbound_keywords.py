"""STOP, START, HELP, YES and the words that our texts offer: each acts, and none is met with silence."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from followup.clinical.timing import next_opening
from followup.core.vocabulary import (
    AlertKind,
    CarePlanStatus,
    Channel,
    ConsentStatus,
    Fact,
    Language,
    Question,
    RequestOrigin,
    RequestStatus,
    SuppressionReason,
    Tier,
)
from followup.services import blocks, inbound
from followup.store.models import CarePlan, CommunicationRequest, Consent, Patient, Suppression
from followup.store.session import make_engine, session_factory
from tests import factories
from tests.factories import NOW
from tests.services.roads import NIGHT, Road, build


@pytest.fixture
def road(sqlite_url: str) -> Iterator[Road]:
    engine = make_engine(sqlite_url)
    yield build(session_factory(engine))
    engine.dispose()


def blocked(road: Road) -> set[str]:
    with road.sessions() as session:
        return set(session.scalars(select(Suppression.value).where(Suppression.ended_at.is_(None))))


def reasons(road: Road) -> list[SuppressionReason]:
    with road.sessions() as session:
        return list(session.scalars(select(Suppression.reason).where(Suppression.ended_at.is_(None))))


def block(road: Road, reason: SuppressionReason) -> None:
    with road.sessions.begin() as session:
        blocks.suppress(session, road.clinic.id, Channel.SMS, road.phone, reason, None, NOW)


def uninvite(road: Road, *, asked_days_ago: int = 0, shown: bool = True) -> None:
    """Make the patient's consent a question that waits for an answer; its invitation has gone, if `shown`."""
    with road.sessions.begin() as session:
        consent = session.scalars(select(Consent)).one()
        consent.wording_key = "consent_invite"
        factories.request(
            session,
            session.get_one(CarePlan, road.plan.id),
            road.phone,
            message_key="consent_invite",
            message_keys=["consent_invite"],
            origin=RequestOrigin.INVITATION,
            asks=Question.CONSENT,
            status=RequestStatus.COMPLETED if shown else RequestStatus.ACTIVE,
            requires=int(Fact.CONSENT_PENDING),
            action_id="consent_invite",
            occurrence="sms",
        )
        consent.status, consent.answered_at = ConsentStatus.PROPOSED, None
        consent.open_until = NOW + timedelta(days=7 - asked_days_ago)
        plan = session.get_one(CarePlan, road.plan.id)
        plan.status, plan.activated_at = CarePlanStatus.DRAFT, None
        plan.facts = int(Fact.CONSENT_PENDING | Fact.STILL_TAKING)


def consent_status(road: Road) -> ConsentStatus:
    with road.sessions() as session:
        return session.scalars(select(Consent.status)).one()


# --- STOP ---


def test_stop_blocks_every_channel_holds_the_course_and_asks_staff_to_call(road: Road) -> None:
    with road.sessions.begin() as session:
        person = session.get_one(Patient, road.patient.id)
        factories.contact(session, person, system=Channel.EMAIL, value="ana@example.org")
    assert road.text("STOP").handling == "opted_out"
    assert blocked(road) == {road.phone, "ana@example.org"}
    assert road.fresh_plan().status is CarePlanStatus.ON_HOLD
    assert [(alert.task, alert.cannot_text) for alert in road.alerts()] == [("texts_stopped", True)]


def test_we_confirm_a_stop_only_where_the_carrier_does_not(road: Road) -> None:
    road.text("Stop ")
    assert road.answers() == []
    stranger = factories.phone()
    road.text("stop", sender=stranger, confirms=False)
    assert road.answers(stranger) == ["auto_optout"]


def test_a_stop_is_confirmed_once_so_that_two_machines_never_talk_for_ever(road: Road) -> None:
    for minute in range(4):
        road.text("stop", now=NOW + timedelta(minutes=minute), confirms=False)
    assert road.answers() == ["auto_optout"]


def test_help_is_answered_even_after_a_stop(road: Road) -> None:
    road.text("STOP")
    road.text("HELP", now=NOW + timedelta(hours=1), confirms=False)
    assert road.answers() == ["auto_help"]


@pytest.mark.parametrize("words", ["please stop texting me", "ALTO", "no mas"])
def test_a_stop_that_the_carrier_does_not_know_is_confirmed_by_us(road: Road, words: str) -> None:
    assert road.text(words).handling == "opted_out"
    assert road.answers() == ["auto_optout"]


def test_a_stop_is_confirmed_however_many_answers_went_before(road: Road) -> None:
    for minute, word in enumerate(("PAIN", "SLEEP", "ANXIOUS", "PAIN", "SLEEP")):
        road.text(word, now=NOW + timedelta(minutes=minute))
    road.text("STOP", now=NOW + timedelta(minutes=9), confirms=False)
    assert road.answers()[5:] == ["auto_optout"]


def test_stop_beside_danger_words_acts_on_both(road: Road) -> None:
    done = road.text("stop, i cant breathe", now=NIGHT)
    assert (done.handling, done.tier) == ("opted_out_danger", Tier.EMERGENCY)
    assert blocked(road) == {road.phone}
    [reply] = [row for row in road.requests() if row.address == road.phone]
    assert (reply.message_key, reply.origin) == ("auto_optout_danger", RequestOrigin.SAFETY)
    [danger] = [alert for alert in road.alerts() if alert.tier is Tier.EMERGENCY]
    assert danger.cannot_text
    assert len(road.pages()) == 2


def test_stop_after_an_alert_says_on_it_that_we_cannot_text(road: Road) -> None:
    road.text("i cant breathe")
    road.text("STOP", now=NOW + timedelta(minutes=1))
    assert all(alert.cannot_text for alert in road.alerts())


def test_stop_from_an_unknown_number_blocks_it(road: Road) -> None:
    stranger = factories.phone()
    assert road.text("STOP", sender=stranger).handling == "opted_out"
    assert blocked(road) == {stranger}
    assert road.alerts() == []


def test_stop_from_a_shared_phone_ends_the_texts_of_all_who_answer_there(road: Road) -> None:
    with road.sessions.begin() as session:
        clinic = session.get_one(type(road.clinic), road.clinic.id)
        factories.enrolled(session, clinic, address=road.phone)
    road.text("STOP")
    with road.sessions() as session:
        assert set(session.scalars(select(CarePlan.status))) == {CarePlanStatus.ON_HOLD}


def test_an_unclear_wish_to_stop_is_asked_about_once_a_day_and_by_a_person(road: Road) -> None:
    assert road.text("ok lets stop all this").handling == "asked_if_stop"
    road.text("ok lets stop all this", now=NOW + timedelta(hours=1))
    assert road.answers() == ["auto_optout_ask"]
    assert blocked(road) == set()
    assert [alert.tier for alert in road.alerts()] == [Tier.ROUTINE]


@pytest.mark.parametrize("words", ["STOP NOW", "please stop it", "do not text", "end texts"])
def test_a_command_to_stop_needs_no_more_words(road: Road, words: str) -> None:
    assert road.text(words).handling == "opted_out"
    assert blocked(road) == {road.phone}


# --- START, HELP ---


def test_start_lifts_a_wrong_number_where_the_person_once_said_yes(road: Road) -> None:
    road.text("wrong number")
    assert road.text("START", now=NOW + timedelta(hours=1), confirms=False).handling == "opted_in"
    assert blocked(road) == set()
    assert road.answers() == ["auto_wrong_number", "auto_start"]


def test_a_yes_from_a_number_called_wrong_is_not_met_with_silence(road: Road) -> None:
    road.text("wrong number")
    assert road.text("YES", now=NOW + timedelta(hours=1)).handling == "start_refused"
    assert blocked(road) == {road.phone}


@pytest.mark.parametrize("reason", [SuppressionReason.INVALID, SuppressionReason.BOUNCED])
def test_a_start_where_a_block_stays_goes_to_a_person(road: Road, reason: SuppressionReason) -> None:
    block(road, reason)
    assert road.text("START", confirms=False).handling == "start_refused"
    assert reasons(road) == [reason]
    assert [(alert.tier, alert.cannot_text) for alert in road.alerts()] == [(Tier.ROUTINE, True)]


def test_a_start_after_the_course_goes_to_a_person(road: Road) -> None:
    with road.sessions.begin() as session:
        session.get_one(CarePlan, road.plan.id).status = CarePlanStatus.COMPLETED
    assert road.text("START", confirms=False).handling == "start_refused"
    assert road.answers() == ["auto_start_refused"]
    assert [alert.tier for alert in road.alerts()] == [Tier.ROUTINE]


def test_start_on_a_shared_phone_with_an_open_invitation_binds_nobody(road: Road) -> None:
    uninvite(road)
    with road.sessions.begin() as session:
        clinic = session.get_one(type(road.clinic), road.clinic.id)
        factories.enrolled(session, clinic, address=road.phone)
    assert road.text("START", confirms=False).handling == "shared_phone"
    assert road.answers() == ["auto_shared_phone"]
    with road.sessions() as session:
        found = session.scalars(select(Consent.status).where(Consent.patient_id == road.patient.id)).one()
    assert found is ConsentStatus.PROPOSED
    assert {alert.kind for alert in road.alerts()} == {AlertKind.SHARED_PHONE}


def test_start_brings_back_the_texts_of_someone_who_once_said_yes(road: Road) -> None:
    road.text("STOP")
    assert road.text("START", now=NOW + timedelta(days=1), confirms=False).handling == "opted_in"
    assert blocked(road) == set()
    assert road.fresh_plan().status is CarePlanStatus.ACTIVE
    [reply] = [row for row in road.requests() if row.message_key == "auto_start"]
    assert reply.fields["end_date"]
    assert not any(alert.cannot_text for alert in road.alerts())


def test_start_without_a_yes_on_file_is_refused_and_a_person_looks(road: Road) -> None:
    with road.sessions.begin() as session:
        session.delete(session.scalars(select(Consent)).one())
    assert road.text("START").handling == "start_refused"
    assert road.answers() == ["auto_start_refused"]
    assert [alert.tier for alert in road.alerts()] == [Tier.ROUTINE]


def test_help_is_answered_three_times_a_day(road: Road) -> None:
    for hour in range(4):
        road.text("HELP", now=NOW + timedelta(hours=hour), confirms=False)
    assert road.answers() == ["auto_help"] * 3
    assert road.alerts() == []


def test_the_carrier_answers_help_itself(road: Road) -> None:
    assert road.text("help").handling == "help"
    assert road.answers() == []
    road.text("AYUDA", now=NOW + timedelta(minutes=1))
    assert road.answers() == ["auto_help"]


def test_help_after_danger_is_added_to_that_alert(road: Road) -> None:
    road.text("i cant breathe")
    done = road.text("HELP", now=NOW + timedelta(hours=2), confirms=False)
    [alert] = road.alerts()
    assert (done.handling, done.alert_id) == ("help_after_danger", alert.id)


def test_help_from_an_unknown_number_is_answered(road: Road) -> None:
    stranger = factories.phone()
    road.text("HELP", sender=stranger, confirms=False)
    assert road.answers(stranger) == ["auto_help"]


# --- the invitation ---


@pytest.mark.parametrize("word", ["YES", "si", "SÍ", "y", "Ok", "START", "Yes!"])
def test_yes_to_the_open_invitation_begins_the_course(road: Road, word: str) -> None:
    uninvite(road)
    done = road.text(word)
    assert (done.handling, consent_status(road)) == ("consented", ConsentStatus.ACTIVE)
    assert road.fresh_plan().status is CarePlanStatus.ACTIVE
    assert sorted(road.answers()) == ["auto_optin", "edu_who_reads"]


def test_no_to_the_invitation_ends_it(road: Road) -> None:
    uninvite(road)
    assert road.text("NO").handling == "declined"
    assert consent_status(road) is ConsentStatus.REJECTED
    assert road.answers() == ["consent_declined"]


def test_anything_else_to_the_invitation_is_asked_about_once(road: Road) -> None:
    uninvite(road)
    road.text("who is this?")
    road.text("i dont know", now=NOW + timedelta(minutes=5))
    assert road.answers() == ["consent_unclear"]
    assert consent_status(road) is ConsentStatus.PROPOSED
    assert len(road.alerts()) == 1


def test_danger_words_win_over_an_open_invitation(road: Road) -> None:
    uninvite(road)
    road.text("yes but i cant breathe")
    assert road.answers() == ["auto_emergency"]
    assert consent_status(road) is ConsentStatus.PROPOSED


def test_a_yes_after_seven_days_begins_nothing_and_a_person_looks(road: Road) -> None:
    uninvite(road, asked_days_ago=8)
    road.text("YES")
    assert consent_status(road) is ConsentStatus.PROPOSED
    assert road.fresh_plan().status is CarePlanStatus.DRAFT
    assert [alert.tier for alert in road.alerts()] == [Tier.ROUTINE]


def test_a_yes_before_the_invitation_went_gets_its_wording_first(road: Road) -> None:
    uninvite(road, shown=False)
    assert road.text("YES", now=NIGHT).handling == "invited"
    assert consent_status(road) is ConsentStatus.PROPOSED
    [shown] = [row for row in road.requests() if row.message_key == "consent_invite"]
    assert (shown.origin, shown.asks, shown.due_at) == (RequestOrigin.REPLY, Question.CONSENT, NIGHT)
    with road.sessions.begin() as session:
        session.get_one(CommunicationRequest, shown.id).status = RequestStatus.COMPLETED
    assert road.text("YES", now=NIGHT + timedelta(minutes=1)).handling == "consented"


def test_start_to_an_invitation_lifts_an_older_stop_of_that_phone(road: Road) -> None:
    uninvite(road, shown=False)
    block(road, SuppressionReason.OPTED_OUT)
    assert road.text("YES").handling == "start_refused"
    assert road.text("START", now=NOW + timedelta(minutes=1)).handling == "invited"
    assert blocked(road) == set()


@pytest.mark.parametrize("words", ["wrong number", "you have the wrong person", "numero equivocado"])
def test_a_wrong_number_that_was_invited_gets_no_reminder(road: Road, words: str) -> None:
    uninvite(road, shown=False)
    assert road.text(words).handling == "alerted"
    assert road.answers() == ["auto_wrong_number"]
    assert [row.message_key for row in road.requests()] == ["auto_wrong_number"]
    assert reasons(road) == [SuppressionReason.WRONG_NUMBER]
    assert consent_status(road) is ConsentStatus.INACTIVE
    assert [(alert.tier, alert.cannot_text) for alert in road.alerts()] == [(Tier.ROUTINE, True)]
    assert road.text("YES", now=NOW + timedelta(minutes=1)).handling == "start_refused"


@pytest.mark.parametrize("first", ["NO", "STOP"])
@pytest.mark.parametrize("word", ["YES", "START"])
def test_a_yes_after_a_no_reaches_a_person(road: Road, first: str, word: str) -> None:
    uninvite(road)
    road.text(first)
    later = NOW + timedelta(days=2)
    assert road.text(word, now=later, confirms=False).handling == "start_refused"
    assert road.answers()[-1] == "auto_start_refused"
    assert "" in {alert.task for alert in road.alerts() if alert.tier is Tier.ROUTINE}


def test_an_ok_after_a_no_is_politeness(road: Road) -> None:
    uninvite(road)
    road.text("NO")
    road.text("ok", now=NOW + timedelta(minutes=1))
    assert road.alerts() == []


def test_a_yes_understood_late_at_night_is_still_confirmed_in_the_morning(road: Road) -> None:
    uninvite(road)
    received = inbound.receive(road.sessions, road.message("YES"), now=NIGHT)
    assert received.communication_id is not None
    late = NIGHT + timedelta(minutes=11)
    inbound.process(road.sessions, received.communication_id, knowledge=road.knowledge, now=late)
    replies = [row for row in road.requests() if row.in_reply_to_id]
    assert {row.message_key for row in replies} == {"auto_optin", "edu_who_reads"}
    opens = next_opening(late, road.patient.time_zone)
    assert opens > late
    assert all(row.due_at == opens and row.expires_at > opens + timedelta(minutes=10) for row in replies)


# --- the words that our texts offer ---


def test_call_promises_a_call_and_opens_a_routine_item(road: Road) -> None:
    assert road.text("CALL").tier is Tier.ROUTINE
    road.text("CALL", now=NIGHT)
    assert road.answers() == ["kw_call", "kw_call_closed"]
    assert [alert.tier for alert in road.alerts()] == [Tier.ROUTINE]


@pytest.mark.parametrize("word", ["LESS", "MORE", "PAUSE", "BACK", "SUPPORT", "PLAN", "DONE", "LATER"])
def test_a_word_whose_promise_we_cannot_keep_yet_goes_to_a_person(road: Road, word: str) -> None:
    assert road.text(word).handling == "keyword"
    assert road.answers() == ["auto_routine"]
    assert [alert.tier for alert in road.alerts()] == [Tier.ROUTINE]


def test_crave_gets_a_tip_and_is_a_craving_report(road: Road) -> None:
    assert road.text("CRAVE").tier is Tier.URGENT
    assert road.answers() == ["auto_craving", "tip_crave_1"]
    assert len(road.pages()) == 2


def test_tips_come_in_turn(road: Road) -> None:
    for day in range(4):
        road.text("SLEEP", now=NOW + timedelta(days=day))
    assert road.answers() == ["tip_sleep_1", "tip_sleep_2", "tip_sleep_3", "tip_sleep_1"]


def test_tips_on_and_off_change_the_plan(road: Road) -> None:
    road.text("TIPS")
    assert road.fresh_plan().has(Fact.SUPPORT_ON)
    road.text("NO TIPS", now=NOW + timedelta(minutes=1))
    assert not road.fresh_plan().has(Fact.SUPPORT_ON)
    assert road.answers() == ["kw_tips_on", "kw_tips_off"]
    assert road.alerts() == []


def test_esp_changes_the_language_and_answers_in_it(road: Road) -> None:
    road.text("ESP")
    [reply] = [row for row in road.requests() if row.in_reply_to_id]
    assert (reply.message_key, reply.language) == ("kw_esp", Language.ES)
    with road.sessions() as session:
        assert session.get_one(Patient, road.patient.id).language is Language.ES
