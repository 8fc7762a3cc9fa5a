"""No name, number or word of a patient in logs, in addresses, in the queue's payloads."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from followup import logs
from followup.core.vocabulary import StaffRole
from tests.world import World, build

WORDS = "my wound smells like rotten fish and i feel hot"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that the service would write, at the most talkative level."""
    root, before = logging.getLogger(), logging.getLogger().level
    logs.configure("DEBUG")
    handler = root.handlers[-1]
    assert isinstance(handler, logging.StreamHandler)
    stream = io.StringIO()
    handler.setStream(stream)
    yield stream
    root.removeHandler(handler)
    root.setLevel(before)


def test_a_weeks_log_names_nobody(sqlite_url: str, log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("sqlalchemy.engine"), "level", logging.INFO)  # every statement
    small_world = build(sqlite_url)
    prescriber = small_world.staff(role=StaffRole.PRESCRIBER)
    ana = small_world.enrol()
    ana.approve_taper(prescriber)
    small_world.forward(days=6)
    ana.texts(WORDS)
    ana.texts("STOP")
    said = log.getvalue()
    small_world.house.engine.dispose()
    assert "INSERT INTO communications" in said
    for secret in (ana.phone, ana.phone[2:], "Ana", "Lopez", "rotten fish", prescriber.phone, "oxycodone"):
        assert secret not in said, secret


def test_a_number_that_slips_into_a_log_line_is_struck_out(log: io.StringIO) -> None:
    logging.getLogger("followup.test").warning("lost +1 (202) 555-0143 of ana.lopez@mail.example")
    line = json.loads(log.getvalue().splitlines()[-1])
    assert line["event"] == "lost [number] of [address]"
    assert line["level"] == "warning"


def test_an_exceptions_text_is_struck_out_too(log: io.StringIO) -> None:
    try:
        raise ValueError("2025550143")
    except ValueError:
        logging.getLogger("followup.test").exception("failed")
    assert "2025550143" not in log.getvalue()


def test_numbers_and_addresses_are_struck_out_as_a_web_form_writes_them() -> None:
    assert logs.struck_out("To=%2B12025550143&Body=x") == "To=[number]&Body=x"
    assert logs.struck_out("To=%2b1%20202%20555%200143 of") == "To=[number] of"
    assert logs.struck_out("mail=ana.lopez%40mail.example&x") == "mail=[address]&x"


def test_ids_and_times_stay_readable() -> None:
    kept = "request 01a20f63-081c-77f6-9573-984e15d9b634 of pat_7k2m9qwxr4td at 2026-06-02"
    assert logs.struck_out(kept) == kept


def test_links_and_callbacks_hold_only_opaque_tokens(small_world: World) -> None:
    ana = small_world.enrol()
    small_world.forward(days=7)
    links = [word for text in ana.received for word in text.split() if word.startswith("http")]
    assert links
    for link in links:
        token = link.rsplit("/", 1)[1]
        assert len(token) == 11
        assert len(link) - len("http://127.0.0.1:5080") == 14
