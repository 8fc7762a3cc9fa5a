"""A drain sends what is due, once, with no transaction open during a call, and records how each ended."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select

from followup.core.clock import FrozenClock
from followup.core.ids import new_id, signed_digest
from followup.core.vocabulary import (
    Audience,
    Channel,
    CommunicationStatus,
    Delivery,
    Lane,
    Language,
    LinkPurpose,
    NotDoneReason,
    Question,
    RequestOrigin,
    RequestStatus,
    SuppressionReason,
)
from followup.providers.ports import Accepted, NotAccepted, Outcome, Outgoing, Unknown
from followup.services import drain, leases
from followup.services.knowledge import load_knowledge
from followup.services.outcomes import back_off
from followup.store.models import (
    AccessLink,
    Alert,
    Communication,
    CommunicationRequest,
    Patient,
    Suppression,
)
from tests import factories as make
from tests.factories import NOW

KEY = "0123456789abcdef0123456789abcdef"


@dataclass
class Recorder:
    """A carrier that keeps what it is given and answers as told."""

    answer: Callable[[Outgoing], Outcome] = field(
        default=lambda outgoing: Accepted(f"SM{outgoing.attempt_token}")
    )
    name: str = "twilio"
    given: list[Outgoing] = field(default_factory=list)

    def send(self, outgoing: Outgoing) -> Outcome:
        self.given.append(outgoing)
        return self.answer(outgoing)


def settings(**over):
    values = {
        "in_flight": 8,
        "lease_seconds": 60,
        "drain_seconds": 20.0,
        "public_url": "https://go.example.org",
        "secret_key": SecretStr(KEY),
        "mail_from": "care@example.org",
        **over,
    }
    return SimpleNamespace(**values)


def run(sessions, carrier, *, lane=Lane.ROUTINE, clock=None, **over):
    return drain.run(
        sessions,
        {Channel.SMS: carrier, Channel.EMAIL: carrier},
        lane=lane,
        clock=clock or FrozenClock(NOW),
        settings=settings(**over),
        knowledge=load_knowledge(),
    )


def due(sessions, **over):
    """Write one text that is due; return its request's id."""
    with sessions.begin() as session:
        clinic = make.organization(session)
        channel = over.get("channel", Channel.SMS)
        address = f"{new_id().hex[:12]}@example.org" if channel is Channel.EMAIL else ""
        _, plan, road = make.enrolled(session, clinic, channel=channel, address=address)
        return make.request(session, plan, road.value, **over).id


def ended(sessions, request_id) -> tuple[CommunicationRequest, Communication]:
    with sessions() as session:
        request = session.get_one(CommunicationRequest, request_id)
        found = select(Communication).where(Communication.request_id == request_id)
        return request, session.scalars(found).one()


def tasks(sessions) -> list[str]:
    with sessions() as session:
        return list(session.scalars(select(Alert.task)))


def test_an_accepted_text_is_completed_with_the_carriers_sid(sessions):
    request_id, carrier = due(sessions), Recorder()
    report = run(sessions, carrier)
    request, sent = ended(sessions, request_id)
    assert (report.claimed, report.accepted) == (1, 1)
    assert (request.status, request.lease_until) == (RequestStatus.COMPLETED, None)
    assert (sent.status, sent.delivery, sent.sent_at) == (
        CommunicationStatus.COMPLETED,
        Delivery.QUEUED,
        NOW,
    )
    (outgoing,) = carrier.given
    assert sent.provider_sid == f"SM{outgoing.attempt_token}"
    assert (sent.body, sent.recipient, sent.sender) == (outgoing.body, outgoing.recipient, outgoing.sender)
    assert outgoing.valid_seconds == 4 * 3600


def test_a_lane_without_due_texts_calls_nobody(sessions):
    due(sessions, lane=Lane.URGENT)
    carrier = Recorder()
    assert run(sessions, carrier) == drain.DrainReport()
    assert carrier.given == []


def test_many_batches_are_all_sent_once(sessions):
    with sessions.begin() as session:
        clinic = make.organization(session)
        _, plan, road = make.enrolled(session, clinic)
        for _ in range(230):
            make.request(session, plan, road.value)
    carrier = Recorder()
    report = run(sessions, carrier)
    assert (report.claimed, report.accepted, len(carrier.given)) == (230, 230, 230)
    assert len({outgoing.attempt_token for outgoing in carrier.given}) == 230
    with sessions() as session:
        completed = Communication.status == CommunicationStatus.COMPLETED
        assert session.scalar(select(func.count()).where(completed)) == 230


def test_calls_run_beside_one_another(sessions):
    with sessions.begin() as session:
        clinic = make.organization(session)
        _, plan, road = make.enrolled(session, clinic)
        for _ in range(8):
            make.request(session, plan, road.value)
    meeting = threading.Barrier(8, timeout=20)

    def meet(outgoing: Outgoing) -> Outcome:
        meeting.wait()
        return Accepted(outgoing.attempt_token)

    assert run(sessions, Recorder(meet)).accepted == 8


def test_no_transaction_is_open_while_the_carrier_talks(sessions):
    request_id = due(sessions)

    def write_meanwhile(outgoing: Outgoing) -> Outcome:
        # On SQLite one open transaction would lock the whole file; the row is committed before the call.
        start = time.monotonic()
        with sessions.begin() as session:
            sent = session.scalars(select(Communication)).one()
            assert sent.status is CommunicationStatus.IN_PROGRESS
            session.get_one(CommunicationRequest, request_id, with_for_update=True).occurrence = "written"
        assert time.monotonic() - start < 5
        return Accepted("SM1")

    assert run(sessions, Recorder(write_meanwhile)).accepted == 1
    assert ended(sessions, request_id)[0].occurrence == "written"


@pytest.mark.parametrize("code", ["throttled", "connection", "30001"])
def test_a_temporary_refusal_is_tried_again_later(sessions, code):
    request_id = due(sessions)
    report = run(sessions, Recorder(lambda _: NotAccepted(permanent=False, code=code)))
    request, sent = ended(sessions, request_id)
    assert report.not_accepted == 1
    assert (request.status, request.lease_until) == (RequestStatus.ACTIVE, None)
    assert NOW < request.next_attempt_at <= NOW + timedelta(seconds=10)
    assert (sent.status, sent.error_code) == (CommunicationStatus.NOT_DONE, code)


def test_a_text_that_was_refused_for_a_while_goes_out_in_the_end(sessions):
    request_id, clock = due(sessions), FrozenClock(NOW)
    run(sessions, Recorder(lambda _: NotAccepted(permanent=False, code="connection")), clock=clock)
    clock.forward(seconds=11)
    assert run(sessions, Recorder(), clock=clock).accepted == 1
    with sessions() as session:
        attempts = session.scalars(select(Communication.attempt).order_by(Communication.attempt)).all()
        assert (attempts, session.get_one(CommunicationRequest, request_id).status) == (
            [1, 2],
            RequestStatus.COMPLETED,
        )


def test_a_text_is_not_tried_again_after_its_window(sessions):
    end = NOW + timedelta(seconds=1)
    request_id = due(sessions, expires_at=end)
    run(sessions, Recorder(lambda _: NotAccepted(permanent=False, code="connection")))
    request, _ = ended(sessions, request_id)
    assert (request.status, request.next_attempt_at) == (RequestStatus.ACTIVE, end)
    late = FrozenClock(end)
    assert run(sessions, Recorder(), clock=late).claimed == 0


@pytest.mark.parametrize("code", ["30001", "connection", "credentials"])
def test_a_temporary_refusal_is_tried_again_however_often_while_the_window_is_open(sessions, code):
    request_id = due(sessions, attempt=40)
    run(sessions, Recorder(lambda _: NotAccepted(permanent=False, code=code)))
    request, _ = ended(sessions, request_id)
    assert request.status is RequestStatus.ACTIVE
    assert NOW < request.next_attempt_at < request.expires_at


def test_the_wait_doubles_is_capped_and_heeds_the_carrier():
    busy = NotAccepted(permanent=False, code="30001")
    assert timedelta(seconds=5) <= back_off(1, busy) <= timedelta(seconds=10)
    assert timedelta(seconds=20) <= back_off(3, busy) <= timedelta(seconds=40)
    assert back_off(60, busy) <= timedelta(minutes=5)
    slow = NotAccepted(permanent=False, code="throttled", retry_after=90)
    assert back_off(1, slow) == timedelta(seconds=90)
    assert back_off(1, NotAccepted(permanent=False, code="credentials")) == timedelta(seconds=60)


@pytest.mark.parametrize(
    ("outcome", "reason", "task"),
    [
        (
            NotAccepted(permanent=True, code="21610", opted_out=True),
            SuppressionReason.OPTED_OUT,
            "carrier_opt_out",
        ),
        (
            NotAccepted(permanent=True, code="21211", invalid_address=True),
            SuppressionReason.INVALID,
            "address_refused",
        ),
    ],
)
def test_a_dead_address_is_blocked_and_staff_are_asked(sessions, outcome, reason, task):
    request_id = due(sessions)
    run(sessions, Recorder(lambda _: outcome))
    request, sent = ended(sessions, request_id)
    assert (request.status, sent.status) == (RequestStatus.COMPLETED, CommunicationStatus.NOT_DONE)
    with sessions() as session:
        blocked = session.scalars(select(Suppression)).one()
        assert (blocked.value, blocked.reason) == (request.address, reason)
    assert tasks(sessions) == [task]


def test_a_text_that_is_refused_for_good_asks_staff_and_blocks_nothing(sessions):
    request_id = due(sessions)
    run(sessions, Recorder(lambda _: NotAccepted(permanent=True, code="30007")))
    assert ended(sessions, request_id)[1].reason == NotDoneReason.REFUSED
    assert tasks(sessions) == ["text_refused"]
    with sessions() as session:
        assert session.scalars(select(Suppression)).all() == []


def crash(outgoing: Outgoing) -> Outcome:
    raise RuntimeError("a sender that breaks its word")


@pytest.mark.parametrize("answer", [lambda _: Unknown("timeout"), crash], ids=["timeout", "crash"])
def test_what_nobody_can_vouch_for_is_unknown_and_is_never_resent(sessions, answer):
    request_id, clock = due(sessions), FrozenClock(NOW)
    assert run(sessions, Recorder(answer), clock=clock).unknown == 1
    clock.forward(hours=1)
    leases.mark_lost_leases(sessions, clock.now())
    again = Recorder()
    run(sessions, again, clock=clock)
    request, sent = ended(sessions, request_id)
    assert again.given == []
    assert (request.status, sent.status) == (RequestStatus.IN_PROGRESS, CommunicationStatus.UNKNOWN)


def test_a_routine_unknown_keeps_no_safety_reply_waiting(sessions):
    request_id = due(sessions)
    run(sessions, Recorder(lambda _: Unknown("timeout")))
    with sessions.begin() as session:
        request = session.get_one(CommunicationRequest, request_id)
        plan = session.get_one(make.CarePlan, request.care_plan_id)
        make.request(
            session,
            plan,
            request.address,
            lane=Lane.STAT,
            origin=RequestOrigin.SAFETY,
            message_key="auto_help",
        )
    assert run(sessions, Recorder(), lane=Lane.STAT).accepted == 1


def test_a_drain_that_was_frozen_past_its_lease_sends_nothing(sessions):
    due(sessions)
    clock, carrier = FrozenClock(NOW), Recorder()
    clock.monotonic = iter([0.0, 0.0, *[61.0] * 50]).__next__  # type: ignore[method-assign]
    report = run(sessions, carrier, clock=clock)
    assert (carrier.given, report.unknown) == ([], 1)


def test_a_killed_drains_text_becomes_unknown_when_its_lease_runs_out(sessions):
    request_id = due(sessions, status=RequestStatus.IN_PROGRESS, lease_until=NOW, attempt=1)
    with sessions.begin() as session:
        request = session.get_one(CommunicationRequest, request_id)
        make.sent(session, request, status=CommunicationStatus.IN_PROGRESS, provider_sid=None)
    assert leases.mark_lost_leases(sessions, NOW) == leases.LostLeases(unknown=1, released=0)
    request, sent = ended(sessions, request_id)
    assert (request.status, sent.status) == (RequestStatus.IN_PROGRESS, CommunicationStatus.UNKNOWN)
    assert leases.mark_lost_leases(sessions, NOW) == leases.LostLeases(unknown=0, released=0)


def test_a_text_that_was_taken_but_never_written_waits_again(sessions):
    request_id = due(sessions, status=RequestStatus.IN_PROGRESS, lease_until=NOW, attempt=1)
    assert leases.mark_lost_leases(sessions, NOW) == leases.LostLeases(unknown=0, released=1)
    assert run(sessions, Recorder()).accepted == 1
    assert ended(sessions, request_id)[1].attempt == 2


def test_a_text_that_cannot_be_rendered_stops_no_other_and_staff_are_told(sessions):
    broken, good = due(sessions, message_key="taper_step", fields={}), due(sessions)
    report = run(sessions, Recorder())
    assert (report.claimed, report.accepted, report.not_rendered) == (2, 1, 1)
    request, sent = ended(sessions, broken)
    assert (request.status, request.ended_reason) == (RequestStatus.COMPLETED, NotDoneReason.RENDER_FAILED)
    assert (sent.status, sent.reason) == (CommunicationStatus.NOT_DONE, NotDoneReason.RENDER_FAILED)
    assert tasks(sessions) == ["text_not_sent"]
    assert ended(sessions, good)[0].status is RequestStatus.COMPLETED


def test_a_clinic_without_a_number_sends_no_texts_and_staff_are_told(sessions):
    with sessions.begin() as session:
        clinic = make.organization(session, sender=None)
        _, plan, road = make.enrolled(session, clinic)
        make.request(session, plan, road.value)
    assert run(sessions, Recorder()).not_rendered == 1
    assert tasks(sessions) == ["text_not_sent"]


def test_only_the_days_first_text_names_the_clinic(sessions):
    with sessions.begin() as session:
        clinic = make.organization(session)
        person, plan, road = make.enrolled(session, clinic)
        make.request(session, plan, road.value, due_at=NOW - timedelta(minutes=2))
        make.request(session, plan, road.value, due_at=NOW - timedelta(minutes=1))
    carrier, clock = Recorder(), FrozenClock(NOW)
    run(sessions, carrier, clock=clock, in_flight=1)
    named = [outgoing.body.startswith("Riverside Care: ") for outgoing in carrier.given]
    assert named == [True, False]
    with sessions() as session:
        assert session.get_one(Patient, person.id).last_automatic_on == NOW.date()


def test_a_link_of_a_text_opens_by_its_digest_and_by_nothing_that_is_stored(sessions):
    request_id, carrier = due(sessions, message_key="checkin_link"), Recorder()
    run(sessions, carrier)
    token = carrier.given[0].body.split("https://go.example.org/c/")[1][:11]
    with sessions() as session:
        link = session.scalars(select(AccessLink)).one()
        assert link.token_digest == signed_digest(token, KEY)
        assert (link.purpose, link.request_id) == (LinkPurpose.CHECKIN, request_id)
        assert link.expires_at >= NOW + timedelta(hours=4)


@pytest.mark.parametrize(
    ("key", "asks", "letter"),
    [("ask_pain", Question.PAIN, "c"), ("consent_invite", Question.CONSENT, "y")],
)
def test_a_mail_that_asks_holds_a_link_to_the_answer_and_one_to_stop(sessions, key, asks, letter):
    due(sessions, channel=Channel.EMAIL, message_key=key, asks=asks)
    carrier = Recorder()
    run(sessions, carrier)
    (mail,) = carrier.given
    assert mail.subject
    assert f"https://go.example.org/{letter}/" in mail.body
    assert f"https://go.example.org/{letter}/" in (mail.html or "")
    assert (mail.unsubscribe_url or "").startswith("https://go.example.org/p/")
    assert mail.sender == "care@example.org"


def test_words_of_staff_go_as_they_were_written_but_in_the_carriers_alphabet(sessions):
    due(sessions, origin=RequestOrigin.STAFF, message_key="", body="See you at 3 {sic} –\nbring Ana’s list")
    carrier = Recorder()
    run(sessions, carrier)
    assert carrier.given[0].body == "See you at 3 {sic} -\nbring Ana's list"


def test_words_of_staff_go_by_mail_too(sessions):
    due(sessions, channel=Channel.EMAIL, origin=RequestOrigin.STAFF, message_key="", body="Call {me} today")
    carrier = Recorder()
    run(sessions, carrier)
    assert "Call (me) today" in carrier.given[0].body
    assert carrier.given[0].subject == "A note from Riverside Care"


def test_a_page_goes_to_staff_with_the_alerts_link(sessions):
    with sessions.begin() as session:
        clinic = make.organization(session)
        person, plan, _ = make.enrolled(session, clinic)
        nurse, alert = make.staff(session, clinic), make.alert(session, person)
        make.request(
            session, plan, nurse.phone, lane=Lane.STAT, audience=Audience.STAFF, origin=RequestOrigin.PAGE,
            patient_id=None, care_plan_id=None, staff_id=nurse.id, alert_id=alert.id,
            message_key="staff_page_emergency", fields={"alert": alert.code, "time": "11:00 AM"},
        )  # fmt: skip
    carrier = Recorder()
    run(sessions, carrier, lane=Lane.STAT)
    assert "https://go.example.org/a/" in carrier.given[0].body
    with sessions() as session:
        assert session.scalars(select(AccessLink)).one().alert_id == alert.id


def test_a_spanish_text_carries_the_clinics_spanish_hours(sessions):
    due(sessions, message_key="auto_help", language=Language.ES)
    carrier = Recorder()
    run(sessions, carrier)
    assert "555-201-4477" in carrier.given[0].body
