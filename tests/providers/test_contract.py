"""Hold every sender to the same promise: three outcomes, and never an exception."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from followup.core.errors import SettingsError
from followup.core.vocabulary import Channel
from followup.providers.ports import Accepted, NotAccepted, Outcome, Outgoing, Sender, Unknown
from followup.providers.registry import build_senders
from followup.providers.sandbox import SandboxSender
from followup.providers.smtp_email import SmtpSender
from followup.providers.twilio_sms import TwilioSender

REFUSAL = '{"code": 21211, "message": "no such number", "status": 400}'


@dataclass
class Road:
    """A sender, a maker of what it carries, and how to make its far end refuse or fall silent."""

    sender: Sender
    make: Callable[..., Outgoing]
    refuse: Callable[[], None]
    fall_silent: Callable[[], None]


@pytest.fixture(params=["twilio", "smtp", "sandbox"])
def road(request: pytest.FixtureRequest, make_settings: Any) -> Road:
    fixture = request.getfixturevalue
    if request.param == "twilio":
        stub = fixture("http_stub")
        return Road(
            TwilioSender(make_settings(twilio_api_url=stub.url)),
            fixture("make_outgoing"),
            lambda: setattr(stub, "answer", (400, {}, REFUSAL)),
            lambda: setattr(stub, "answer", "reset"),
        )
    if request.param == "smtp":
        server = fixture("mail_server")
        return Road(
            SmtpSender(make_settings(smtp_host="127.0.0.1", smtp_port=server.port)),
            fixture("make_mail"),
            lambda: server.answers.update(RCPT="550 5.1.1 no such mailbox"),
            lambda: server.answers.update(DATA="cut"),
        )
    sandbox = SandboxSender(make_settings(carrier="sandbox"), Channel.SMS)

    def script(outcome: Outcome) -> Callable[[], None]:
        return lambda: setattr(sandbox, "script", lambda outgoing: outcome)

    return Road(
        sandbox,
        fixture("make_outgoing"),
        script(NotAccepted(permanent=True, code="21211", invalid_address=True)),
        script(Unknown("timeout")),
    )


def test_a_text_is_accepted_under_an_id_that_fits_its_column(road: Road) -> None:
    outcome = road.sender.send(road.make())
    assert isinstance(outcome, Accepted)
    assert 0 < len(outcome.provider_sid) <= 64


def test_two_texts_never_share_an_id(road: Road) -> None:
    sids = {road.sender.send(road.make()).provider_sid for _ in range(5)}
    assert len(sids) == 5


def test_an_address_refused_for_good_is_told_as_such(road: Road) -> None:
    road.refuse()
    outcome = road.sender.send(road.make())
    assert isinstance(outcome, NotAccepted)
    assert outcome.permanent
    assert outcome.invalid_address
    assert len(outcome.code) <= 16


def test_an_answer_that_never_comes_is_unknown(road: Road) -> None:
    road.fall_silent()
    outcome = road.sender.send(road.make())
    assert isinstance(outcome, Unknown)
    assert len(outcome.code) <= 16


@pytest.mark.parametrize(
    "changes",
    [
        {"body": ""},
        {"body": "\x00 nul"},
        {"body": "half a pair \ud83d"},
        {"body": "ñ😀." * 2000},
        {"subject": "two\r\nBcc: lines@example.org"},
        {"recipient": ""},
        {"recipient": "a b@@example\n"},
        {"recipient": "ñandú@example.org"},
        {"sender": "\r\n"},
        {"valid_seconds": -5},
        {"html": "\udc80"},
        {"headers": {"X-Odd": "a\nb"}},
    ],
)
def test_odd_input_ends_in_an_outcome_and_never_in_an_exception(road: Road, changes: dict[str, Any]) -> None:
    assert isinstance(road.sender.send(road.make(**changes)), Accepted | NotAccepted | Unknown)


def test_a_sender_goes_on_after_a_failure(road: Road) -> None:
    road.fall_silent()
    road.sender.send(road.make())
    road.refuse()
    assert isinstance(road.sender.send(road.make()), NotAccepted)


def test_the_name_is_what_rows_hold(road: Road) -> None:
    assert road.sender.name in {"twilio", "smtp", "sandbox"}


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"carrier": "twilio", "smtp_host": "mail.example.org"}, ("twilio", "smtp")),
        ({"carrier": "sandbox", "smtp_host": ""}, ("sandbox", "sandbox")),
        ({"carrier": "sandbox", "smtp_host": "mail.example.org"}, ("sandbox", "smtp")),
    ],
)
def test_the_settings_choose_who_carries_what(make_settings: Any, changes: Any, names: Any) -> None:
    senders = build_senders(make_settings(**changes))
    assert (senders[Channel.SMS].name, senders[Channel.EMAIL].name) == names


def test_an_unknown_carrier_stops_the_start(make_settings: Any) -> None:
    settings = make_settings().model_copy(update={"carrier": "pigeon"})
    with pytest.raises(SettingsError, match="FOLLOWUP_CARRIER"):
        build_senders(settings)
