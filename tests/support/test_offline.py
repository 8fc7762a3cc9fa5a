"""Tests stay on this machine, and a machine must have what FOLLOWUP_REQUIRE names."""

import socket

import pytest

from tests.support.offline import LeavesTheMachine, is_local
from tests.support.requirements import part, required_parts
from tests.support.servers import MissingPart


@pytest.mark.parametrize("method", ["connect", "connect_ex"])
def test_a_connection_to_another_machine_is_refused(method):
    with socket.socket() as caller, pytest.raises(LeavesTheMachine):
        getattr(caller, method)(("192.0.2.1", 80))


def test_a_datagram_to_another_machine_is_refused():
    with socket.socket(type=socket.SOCK_DGRAM) as caller, pytest.raises(LeavesTheMachine):
        caller.sendto(b"", ("192.0.2.1", 53))


@pytest.mark.parametrize(
    ("family", "address", "local"),
    [
        (socket.AF_INET, ("127.0.0.1", 1), True),
        (socket.AF_INET, ("localhost", 1), True),
        (socket.AF_INET6, ("::1", 1, 0, 0), True),
        (socket.AF_UNIX, "a-socket-file", True),
        (socket.AF_INET, ("10.0.0.1", 1), False),
        (socket.AF_INET, ("api.example.org", 443), False),
        (socket.AF_INET6, ("2001:db8::1", 443, 0, 0), False),
    ],
)
def test_only_addresses_of_this_machine_are_local(family, address, local):
    assert is_local(family, address) is local


def test_a_missing_part_is_skipped_aloud(monkeypatch):
    monkeypatch.delenv("FOLLOWUP_REQUIRE", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no such thing"), part("prism"):
        raise MissingPart("no such thing")


def test_a_missing_part_fails_where_it_is_required(monkeypatch):
    monkeypatch.setenv("FOLLOWUP_REQUIRE", "redis,prism")
    with pytest.raises(pytest.fail.Exception, match="no such thing"), part("prism"):
        raise MissingPart("no such thing")


def test_requiring_an_unknown_part_is_an_error(monkeypatch):
    monkeypatch.setenv("FOLLOWUP_REQUIRE", "postgres,prisma")
    with pytest.raises(ValueError, match="prisma"):
        required_parts()
