"""See that the sandbox takes texts, fails on demand, and reports deliveries as Twilio does."""

import subprocess
import sys
import threading
import time
from typing import Any
from urllib.parse import parse_qsl

import pytest

from followup.core.vocabulary import Channel, Delivery
from followup.providers import sandbox
from followup.providers.ports import Accepted, NotAccepted, Unknown
from followup.providers.sandbox import SandboxSender
from followup.providers.twilio_webhooks import parse_status


def test_what_was_accepted_is_remembered_in_order_and_bounded(
    make_settings: Any, make_outgoing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "MOST_KEPT", 3)
    sender = SandboxSender(make_settings(carrier="sandbox"), Channel.SMS)
    texts = [make_outgoing(body=f"text {number}") for number in range(5)]
    outcomes = [sender.send(text) for text in texts]
    assert outcomes == [Accepted(f"SB{text.attempt_token}") for text in texts]
    assert list(sender.sent) == texts[2:]


def test_a_script_decides_by_recipient_and_leaves_the_others_alone(
    make_settings: Any, make_outgoing: Any
) -> None:
    refused = NotAccepted(permanent=True, code="21610", opted_out=True)
    sender = SandboxSender(make_settings(), Channel.SMS, script={"+12025550111": refused})
    assert sender.send(make_outgoing(recipient="+12025550111")) == refused
    assert isinstance(sender.send(make_outgoing()), Accepted)
    assert [text.recipient for text in sender.sent] == ["+12025550123"]


def test_a_script_may_be_a_function_and_may_change(make_settings: Any, make_outgoing: Any) -> None:
    sender = SandboxSender(
        make_settings(), Channel.SMS, script=lambda text: Unknown("timeout") if text.body else None
    )
    assert sender.send(make_outgoing()) == Unknown("timeout")
    assert isinstance(sender.send(make_outgoing(body="")), Accepted)
    sender.script = None
    assert isinstance(sender.send(make_outgoing()), Accepted)


def test_a_slow_carrier_takes_its_time(make_settings: Any, make_outgoing: Any) -> None:
    sender = SandboxSender(make_settings(), Channel.SMS, delay_seconds=0.1)
    start = time.monotonic()
    sender.send(make_outgoing())
    assert time.monotonic() - start >= 0.1


def demo(make_settings: Any, url: str) -> Any:
    return make_settings(carrier="sandbox", environment="demo", public_url=url)


def test_the_demo_reports_sent_and_then_delivered_with_a_signature_that_holds(
    make_settings: Any, make_outgoing: Any, http_stub: Any
) -> None:
    settings, outgoing = demo(make_settings, http_stub.url), make_outgoing()
    outcome = SandboxSender(settings, Channel.SMS).send(outgoing)
    updates = [
        parse_status(
            parse_qsl(body, keep_blank_values=True),
            signature=headers["X-Twilio-Signature"],
            url=http_stub.url + path,
            settings=settings,
        )
        for path, headers, body in http_stub.wait_for(2)
    ]
    assert [update.delivery for update in updates] == [Delivery.SENT, Delivery.DELIVERED]
    assert {(update.provider, update.provider_sid, update.attempt_token) for update in updates} == {
        ("sandbox", outcome.provider_sid, outgoing.attempt_token)
    }


def test_only_accepted_texts_of_the_demo_are_reported(
    make_settings: Any, make_outgoing: Any, http_stub: Any
) -> None:
    quiet = make_settings(carrier="sandbox", public_url=http_stub.url)
    SandboxSender(quiet, Channel.SMS).send(make_outgoing())
    SandboxSender(demo(make_settings, http_stub.url), Channel.EMAIL).send(make_outgoing())
    refusing = SandboxSender(
        demo(make_settings, http_stub.url), Channel.SMS, script=lambda text: Unknown("x")
    )
    refusing.send(make_outgoing())
    refusing.script = None
    last = make_outgoing()
    refusing.send(last)
    assert {path for path, _, _ in http_stub.wait_for(2)} == {
        f"/webhooks/twilio/status?a={last.attempt_token}"
    }


def test_a_page_that_hangs_or_is_gone_holds_up_no_text(
    make_settings: Any, make_outgoing: Any, http_stub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "_MOST_WAITING", 2)
    monkeypatch.setattr(sandbox, "_CALLBACK_SECONDS", 0.2)
    http_stub.answer = "late"
    sender = SandboxSender(demo(make_settings, http_stub.url), Channel.SMS)
    start = time.monotonic()
    assert all(isinstance(sender.send(make_outgoing()), Accepted) for _ in range(50))
    assert time.monotonic() - start < 0.2
    http_stub.answer = None
    http_stub.requests.clear()
    assert http_stub.wait_for(1)


def test_the_reports_keep_no_process_alive() -> None:
    program = """
import socket
from followup.core.vocabulary import Channel
from followup.providers.ports import Outgoing
from followup.providers.sandbox import SandboxSender
from followup.settings import Settings
hanging = socket.create_server(("127.0.0.1", 0))
url = f"http://127.0.0.1:{hanging.getsockname()[1]}"
settings = Settings(
    _env_file=None, environment="demo", carrier="sandbox", public_url=url, secret_key="s" * 32
)
SandboxSender(settings, Channel.SMS).send(Outgoing("t", Channel.SMS, "+12025550100", "+12025550123", "b", 60))
hanging.accept()
"""
    start = time.monotonic()
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
    assert time.monotonic() - start < sandbox._CALLBACK_SECONDS


def test_reports_start_again_in_a_process_that_inherited_no_thread(
    make_settings: Any, make_outgoing: Any, http_stub: Any
) -> None:
    sender = SandboxSender(demo(make_settings, http_stub.url), Channel.SMS)
    # As after a fork: the object is there, its thread is not.
    ended = threading.Thread(target=lambda: None)
    ended.start()
    ended.join()
    sender._reports._thread = ended
    sender.send(make_outgoing())
    assert http_stub.wait_for(2)
