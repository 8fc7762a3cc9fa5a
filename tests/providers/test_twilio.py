"""Judge our requests by Twilio's own description (Prism), and our verdicts by a stub that misbehaves."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import pytest

from followup.core.errors import ContentError
from followup.core.vocabulary import Delivery
from followup.providers import twilio_codes, twilio_http
from followup.providers.ports import Accepted, NotAccepted, Unknown
from followup.providers.twilio_codes import CodeKind, known_codes, meaning_of
from followup.providers.twilio_sms import CarrierSilent, TwilioSender
from tests.support.processes import free_port
from tests.support.servers import PrismServer

SINCE = datetime(2026, 11, 1, 12, tzinfo=UTC)
SID = "SM" + "a" * 32


def refusal(status: int, code: int | None) -> tuple[int, dict[str, str], str]:
    return (
        status,
        {},
        "<html>no</html>" if code is None else f'{{"code": {code}, "message": "+12025550123 no"}}',
    )


@pytest.fixture
def sender(make_settings: Any, http_stub: Any) -> TwilioSender:
    return TwilioSender(make_settings(twilio_api_url=http_stub.url))


@pytest.fixture
def judged(make_settings: Any, prism_url: str) -> TwilioSender:
    return TwilioSender(make_settings(twilio_api_url=prism_url, call_seconds=10))


# --- Prism ---


def test_twilios_description_accepts_our_create(judged: TwilioSender, make_outgoing: Any) -> None:
    outcome = judged.send(make_outgoing())
    assert isinstance(outcome, Accepted)
    assert outcome.provider_sid.startswith("SM")


@pytest.mark.parametrize("seconds", [-1, 0, 1, 36_000, 10**9])
def test_twilios_description_accepts_every_validity_we_send(
    judged: TwilioSender, make_outgoing: Any, seconds: int
) -> None:
    assert isinstance(judged.send(make_outgoing(valid_seconds=seconds)), Accepted)


def test_twilios_description_accepts_our_fetch(judged: TwilioSender) -> None:
    record = judged.fetch(SID)
    assert record.provider_sid.startswith("SM")
    assert record.created_at is not None


def test_twilios_description_accepts_our_list(judged: TwilioSender, prism: PrismServer) -> None:
    before = len(prism.log.read_bytes())
    # Twilio's example of a list breaks Twilio's own description, which a strict Prism punishes: only what it
    # says of the request counts here.
    with suppress(CarrierSilent):
        judged.list_sent("+12025550123", "+12025550100", SINCE)
    verdict = words_of(prism, since=before, until="The request passed the validation rules")
    assert "/Messages.json" in verdict


def words_of(prism: PrismServer, *, since: int, until: str) -> str:
    """Return the new lines of Prism's log, once they hold `until`: they come a moment after its answer."""
    end = time.monotonic() + 5
    while until not in (words := prism.log.read_bytes()[since:].decode()):
        assert time.monotonic() < end, f"Prism did not say: {until}\n{words}"
        time.sleep(0.02)
    return words


def test_the_judge_is_awake(make_settings: Any, make_outgoing: Any, prism_url: str) -> None:
    wrong = TwilioSender(
        make_settings(twilio_api_url=prism_url, twilio_account_sid="nonsense", call_seconds=10)
    )
    assert isinstance(wrong.send(make_outgoing()), NotAccepted)
    with pytest.raises(CarrierSilent):
        wrong.fetch("not-a-sid")


# --- what we send ---


def test_a_request_carries_the_text_its_window_and_the_way_back(
    sender: TwilioSender, http_stub: Any, make_outgoing: Any
) -> None:
    outgoing = make_outgoing(valid_seconds=90_000, body="¿Cómo está? Ñ & =")
    sender.send(outgoing)
    [(path, headers, body)] = http_stub.requests
    assert path == f"/2010-04-01/Accounts/AC{'0' * 32}/Messages.json"
    assert headers["authorization"].startswith("Basic ")
    assert parse_qs(body) == {
        "To": [outgoing.recipient],
        "From": [outgoing.sender],
        "Body": [outgoing.body],
        "StatusCallback": [f"https://followup.example.org/webhooks/twilio/status?a={outgoing.attempt_token}"],
        "ValidityPeriod": ["36000"],
        "SmartEncoded": ["true"],
    }


def test_connections_are_kept_between_texts(
    sender: TwilioSender, http_stub: Any, make_outgoing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialled: list[str] = []
    connect = twilio_http._PlainConnection.connect
    monkeypatch.setattr(
        twilio_http._PlainConnection, "connect", lambda self: (dialled.append(self.host), connect(self))[1]
    )
    for _ in range(5):
        assert isinstance(sender.send(make_outgoing()), Accepted)
    assert len(dialled) == 1


def test_threads_share_one_sender(sender: TwilioSender, http_stub: Any, make_outgoing: Any) -> None:
    with ThreadPoolExecutor(20) as threads:
        outcomes = list(threads.map(lambda _: sender.send(make_outgoing()), range(60)))
    assert len({outcome.provider_sid for outcome in outcomes}) == 60
    bodies = [parse_qs(body)["StatusCallback"][0] for _, _, body in http_stub.requests]
    assert len(set(bodies)) == 60


def test_the_surroundings_cannot_move_the_texts_elsewhere(
    make_settings: Any, http_stub: Any, make_outgoing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWILIO_EDGE", "sydney")
    monkeypatch.setenv("TWILIO_REGION", "au1")
    sender = TwilioSender(make_settings(twilio_api_url=http_stub.url))
    assert isinstance(sender.send(make_outgoing()), Accepted)


def test_no_number_and_no_word_reaches_the_log(
    sender: TwilioSender, http_stub: Any, make_outgoing: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    sender.send(make_outgoing())
    http_stub.answer = refusal(400, 21211)
    sender.send(make_outgoing())
    assert "2025550123" not in caplog.text
    assert "pain" not in caplog.text


# --- what we conclude: it was not taken ---


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, 21211, NotAccepted(permanent=True, code="21211", invalid_address=True)),
        (400, 21610, NotAccepted(permanent=True, code="21610", opted_out=True)),
        (400, 21614, NotAccepted(permanent=True, code="21614", invalid_address=True)),
        (400, 21408, NotAccepted(permanent=True, code="21408")),
        (400, 21611, NotAccepted(permanent=False, code="21611")),
        (400, 21617, NotAccepted(permanent=True, code="21617")),
        (400, 98765, NotAccepted(permanent=True, code="98765")),
        (400, 20429, NotAccepted(permanent=False, code="throttled")),
        (401, 20003, NotAccepted(permanent=False, code="credentials")),
        (403, 20003, NotAccepted(permanent=False, code="credentials")),
        (404, 20404, NotAccepted(permanent=False, code="credentials")),
        (404, None, NotAccepted(permanent=False, code="404")),
        (407, None, NotAccepted(permanent=False, code="407")),
    ],
)
def test_a_refusal_is_read_by_the_table(
    sender: TwilioSender,
    http_stub: Any,
    make_outgoing: Any,
    status: int,
    code: int | None,
    expected: NotAccepted,
) -> None:
    http_stub.answer = refusal(status, code)
    assert sender.send(make_outgoing()) == expected


def test_a_refusal_in_the_new_problem_form_is_read_alike(
    sender: TwilioSender, http_stub: Any, make_outgoing: Any
) -> None:
    http_stub.answer = (400, {}, '{"type": "about:blank", "title": "no", "status": 400, "code": 21610}')
    assert sender.send(make_outgoing()) == NotAccepted(permanent=True, code="21610", opted_out=True)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("", None),
        ("-3", None),
        ("soon", None),
        ("Wed, 25 Nov 2026 10:00:00 GMT", None),
    ],
)
def test_too_many_requests_waits_as_long_as_the_carrier_says(
    sender: TwilioSender, http_stub: Any, make_outgoing: Any, header: str, seconds: float | None
) -> None:
    http_stub.answer = (429, {"Retry-After": header} if header else {}, '{"code": 20429}')
    assert sender.send(make_outgoing()) == NotAccepted(permanent=False, code="throttled", retry_after=seconds)
    assert len(http_stub.requests) == 1


def test_a_refused_connection_was_never_sent(make_settings: Any, make_outgoing: Any) -> None:
    sender = TwilioSender(make_settings(twilio_api_url=f"http://127.0.0.1:{free_port()}"))
    assert sender.send(make_outgoing()) == NotAccepted(permanent=False, code="connection")


def test_a_server_that_speaks_no_tls_was_sent_nothing(
    make_settings: Any, http_stub: Any, make_outgoing: Any
) -> None:
    sender = TwilioSender(make_settings(twilio_api_url=http_stub.url.replace("http:", "https:")))
    assert sender.send(make_outgoing()) == NotAccepted(permanent=False, code="connection")
    assert http_stub.requests == []


def test_a_tls_handshake_that_hangs_was_sent_nothing(
    make_settings: Any, make_outgoing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(twilio_http, "CONNECT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sender = TwilioSender(make_settings(twilio_api_url=f"https://127.0.0.1:{silent.getsockname()[1]}"))
        assert sender.send(make_outgoing()) == NotAccepted(permanent=False, code="connection")


# --- what we conclude: nobody knows ---


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("reset", Unknown("connection_lost")),
        ("late", Unknown("timeout")),
        (refusal(500, 20500), Unknown("20500")),
        (refusal(503, None), Unknown("503")),
        ((302, {"Location": "https://example.org/"}, ""), Unknown("302")),
        ((200, {}, "<html>signed in to the hotel</html>"), Unknown("undecodable")),
        ((201, {}, "<html>ok</html>"), Unknown("undecodable")),
        ((201, {}, '{"sid": "SM1'), Unknown("undecodable")),
        ((201, {}, "[]"), Unknown("undecodable")),
        ((201, {}, "{}"), Unknown("undecodable")),
        ((201, {"Content-Encoding": "gzip"}, "not gzip"), Unknown("connection_lost")),
    ],
)
def test_what_may_have_been_taken_is_unknown_and_asked_once(
    sender: TwilioSender, http_stub: Any, make_outgoing: Any, answer: Any, expected: Unknown
) -> None:
    http_stub.answer = answer
    assert sender.send(make_outgoing()) == expected
    assert len(http_stub.requests) == 1


@pytest.mark.parametrize(
    ("word", "delivery"),
    [
        ("accepted", Delivery.QUEUED),
        ("sending", Delivery.QUEUED),
        ("failed", Delivery.FAILED),
        ("new", Delivery.QUEUED),
    ],
)
def test_the_first_status_is_the_carriers(
    sender: TwilioSender, http_stub: Any, make_outgoing: Any, word: str, delivery: Delivery
) -> None:
    http_stub.answer = (201, {}, f'{{"sid": "{SID}", "status": "{word}"}}')
    assert sender.send(make_outgoing()) == Accepted(SID, delivery)


@pytest.mark.parametrize(
    "answer", ["reset", "late", refusal(500, 20500), refusal(429, 20429), (200, {}, "<html>")]
)
def test_a_carrier_that_does_not_answer_is_silent_without_telling_numbers(
    sender: TwilioSender, http_stub: Any, answer: Any
) -> None:
    http_stub.answer = answer
    with pytest.raises(CarrierSilent) as on_fetch:
        sender.fetch(SID)
    with pytest.raises(CarrierSilent) as on_list:
        sender.list_sent("+12025550123", "+12025550100", SINCE)
    assert "2025550" not in f"{on_fetch.value!r}{on_list.value!r}"
    assert on_list.value.__suppress_context__


def test_a_list_is_read_to_its_limit_and_not_beyond(sender: TwilioSender, http_stub: Any) -> None:
    texts = ", ".join(
        f'{{"sid": "SM{number}", "status": "delivered", "error_code": null, "body": null}}'
        for number in range(50)
    )
    http_stub.answer = (200, {}, f'{{"messages": [{texts}], "next_page_uri": "/2010-04-01/next.json"}}')
    records = sender.list_sent("+12025550123", "+12025550100", SINCE)
    assert [record.provider_sid for record in records] == [f"SM{number}" for number in range(50)]
    assert {record.delivery for record in records} == {Delivery.DELIVERED}
    assert [path.partition("?")[2] for path, _, _ in http_stub.requests] == [
        "To=%2B12025550123&From=%2B12025550100&DateSent%3E=2026-11-01T12%3A00%3A00Z&PageSize=50"
    ]


# --- the table ---


def test_every_code_of_the_reliability_plan_is_in_the_table() -> None:
    named = """21211 21214 21408 21610 21611 21612 21614 21617 20003 20429 30001 30002 30003 30004 30005 30006
               30007 30008 30034 30036 30941 63017"""
    assert set(named.split()) <= set(known_codes())


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("21610", "opted_out"),
        ("30003", "temporary"),
        ("30005", "invalid"),
        ("30006", "invalid"),
        ("30007", "filtered"),
    ],
)
def test_the_table_says_what_a_code_asks_of_us(code: str, kind: str) -> None:
    assert meaning_of(code).kind is CodeKind(kind)


@pytest.mark.parametrize("row", [{}, {"kind": "odd"}, {"kind": "invalid", "why": "no such column"}])
def test_a_broken_row_of_the_table_is_a_content_error(
    row: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(twilio_codes, "load_toml", lambda package, name: {"1": row})
    with pytest.raises(ContentError, match=r"twilio_codes\.toml"):
        known_codes.__wrapped__()


def test_every_reason_is_a_sentence_for_staff() -> None:
    for meaning in known_codes().values():
        assert meaning.reason.endswith(".")
        assert meaning.source.startswith("https://www.twilio.com/docs/api/errors")


@pytest.mark.parametrize("code", [None, "", "99999"])
def test_an_unlisted_code_is_permanent_and_a_person_looks(code: str | None) -> None:
    assert meaning_of(code).is_permanent
    assert meaning_of(code).staff_task
