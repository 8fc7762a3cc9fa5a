"""Lend the providers' tests a settings factory, a text to send, and servers that misbehave on request."""

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from followup.core.ids import attempt_token
from followup.core.vocabulary import Channel
from followup.providers.ports import Outgoing
from followup.settings import Settings
from tests.support.processes import free_port

ACCOUNT = "AC" + "0" * 32
MESSAGE = '{{"sid": "SM{number:032d}", "status": "queued", "error_code": null}}'

MakeSettings = Callable[..., Settings]
MakeOutgoing = Callable[..., Outgoing]


@pytest.fixture
def make_settings() -> MakeSettings:
    """Make settings of a test installation on Twilio; nothing of this machine's `.env` is read."""

    def make(**changes: Any) -> Settings:
        given = {
            "environment": "test",
            "public_url": "https://followup.example.org",
            "secret_key": "s" * 32,
            "carrier": "twilio",
            "twilio_account_sid": ACCOUNT,
            "twilio_auth_token": "token-now",
            "mail_from": "care@clinic.example.org",
            "smtp_starttls": False,
            "call_seconds": 1.0,
        }
        return Settings(_env_file=None, **{**given, **changes})

    return make


@pytest.fixture
def make_outgoing() -> MakeOutgoing:
    """Make a text to a made-up number, with a token of its own."""

    def make(**changes: Any) -> Outgoing:
        given = {
            "attempt_token": attempt_token(),
            "channel": Channel.SMS,
            "sender": "+12025550100",
            "recipient": "+12025550123",
            "body": "How is your pain now, 0-10?",
            "valid_seconds": 3600,
        }
        return Outgoing(**{**given, **changes})

    return make


@pytest.fixture
def make_mail(make_outgoing: MakeOutgoing) -> MakeOutgoing:
    """Make a mail to a made-up address."""

    def make(**changes: Any) -> Outgoing:
        given = {
            "channel": Channel.EMAIL,
            "sender": "care@clinic.example.org",
            "recipient": "ana@example.org",
            "subject": "Your check-in",
        }
        return make_outgoing(**{**given, **changes})

    return make


@dataclass
class HttpStub:
    """A server that answers every request as `answer` says, after keeping it."""

    url: str
    #: (status, headers, body), or "reset" or "late".
    answer: tuple[int, dict[str, str], str] | str | None = None
    requests: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    _arrived: threading.Condition = field(default_factory=threading.Condition)

    def keep(self, path: str, headers: dict[str, str], body: str) -> int:
        with self._arrived:
            self.requests.append((path, headers, body))
            self._arrived.notify_all()
            return len(self.requests)

    def wait_for(self, count: int, *, seconds: float = 5) -> list[tuple[str, dict[str, str], str]]:
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.requests) >= count, seconds), "too few requests"
            return list(self.requests)


def handler_for(stub: HttpStub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
            number = stub.keep(self.path, dict(self.headers), body)
            answer = stub.answer or (201, {}, MESSAGE.format(number=number))
            if answer == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True
                return
            if answer == "late":
                time.sleep(1.5)
                self.close_connection = True
                return
            status, headers, text = answer
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(text.encode()))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST  # noqa: N815 - http.server's name

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet: the tests' output is theirs."""

    return Handler


@pytest.fixture
def http_stub() -> Iterator[HttpStub]:
    """Run an HTTP server of this test's own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    stub = HttpStub(f"http://127.0.0.1:{server.server_address[1]}")
    server.RequestHandlerClass = handler_for(stub)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield stub
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class MailServer:
    """A real SMTP server that says what `answers` holds for MAIL, RCPT or DATA; "cut" ends the line."""

    port: int
    answers: dict[str, str] = field(default_factory=dict)
    contents: list[bytes] = field(default_factory=list)
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)

    def reply(self, command: str, server: Any) -> str | None:
        answer = self.answers.get(command)
        if answer == "cut":
            server.transport.abort()
        return answer

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's names
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        envelope.mail_from = address
        return self.reply("MAIL", server) or "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self.reply("RCPT", server) or "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if refusal := self.reply("DATA", server):
            return refusal
        self.contents.append(envelope.content)
        self.envelopes.append((envelope.mail_from, list(envelope.rcpt_tos)))
        return "250 kept"


@pytest.fixture
def run_mail_server() -> Iterator[Callable[..., MailServer]]:
    """Start SMTP servers with aiosmtpd's own options, and stop them after the test."""
    controllers: list[Controller] = []

    def run(**options: Any) -> MailServer:
        server = MailServer(free_port())
        controllers.append(Controller(server, hostname="127.0.0.1", port=server.port, **options))
        controllers[-1].start()
        return server

    yield run
    for controller in controllers:
        asyncio.run_coroutine_threadsafe(settle(), controller.loop).result(5)
        controller.stop()


async def settle() -> None:
    """Let the server see that its clients are gone: aiosmtpd would leave their sockets open."""
    talking = asyncio.all_tasks() - {asyncio.current_task()}
    if talking:
        await asyncio.wait(talking, timeout=2)
    await asyncio.sleep(0)


@pytest.fixture
def mail_server(run_mail_server: Callable[..., MailServer]) -> MailServer:
    """Run one SMTP server without TLS."""
    return run_mail_server()
