"""Send mails to a real SMTP server, and read its refusals rightly."""

import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword

from followup.core.vocabulary import Delivery
from followup.providers.ports import Accepted, NotAccepted, Unknown
from followup.providers.smtp_email import SmtpSender
from tests.support.processes import free_port

CONNECTION = NotAccepted(permanent=False, code="connection")


@pytest.fixture
def sender_to(make_settings: Any) -> Callable[..., SmtpSender]:
    def to(port: int, **changes: Any) -> SmtpSender:
        return SmtpSender(make_settings(**{"smtp_host": "127.0.0.1", "smtp_port": port, **changes}))

    return to


@pytest.fixture
def sender(sender_to: Any, mail_server: Any) -> SmtpSender:
    return sender_to(mail_server.port)


def arrived(server: Any) -> EmailMessage:
    [content] = server.contents
    return message_from_bytes(content, policy=policy.default)


def test_a_mail_arrives_as_text_and_html_with_the_headers_of_a_machine(
    sender: SmtpSender, mail_server: Any, make_mail: Any
) -> None:
    outgoing = make_mail(
        body="¿Cómo está?\n.\n..dots\n",
        html="<p>¿Cómo está?</p>",
        subject="Su control — día 3",
        unsubscribe_url="https://followup.example.org/p/abc",
        headers={"Content-Language": "es"},
    )
    outcome = sender.send(outgoing)
    mail = arrived(mail_server)
    assert outcome == Accepted(f"{outgoing.attempt_token}@clinic.example.org", Delivery.SENT)
    assert mail_server.envelopes == [("care@clinic.example.org", ["ana@example.org"])]
    assert mail["Message-ID"] == f"<{outgoing.attempt_token}@clinic.example.org>"
    assert (mail["From"], mail["Reply-To"], mail["To"]) == (
        "care@clinic.example.org",
        "care@clinic.example.org",
        "ana@example.org",
    )
    assert mail["Subject"] == "Su control — día 3"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-Unsubscribe"] == "<https://followup.example.org/p/abc>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["Content-Language"] == "es"
    assert mail["Date"].datetime.tzinfo is not None
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert mail.get_body(["plain"]).get_content().replace("\r\n", "\n") == outgoing.body
    assert "¿Cómo está?" in mail.get_body(["html"]).get_content()


def test_a_mail_to_staff_has_no_unsubscribe_header_and_only_text(
    sender: SmtpSender, mail_server: Any, make_mail: Any
) -> None:
    sender.send(make_mail())
    mail = arrived(mail_server)
    assert "List-Unsubscribe" not in mail
    assert "List-Unsubscribe-Post" not in mail
    assert mail.get_content_type() == "text/plain"


def test_only_seven_bits_cross_the_wire(sender: SmtpSender, mail_server: Any, make_mail: Any) -> None:
    sender.send(make_mail(body="ñ" * 3000, html="<p>" + "é" * 3000 + "</p>", subject="ñ" * 100))
    [content] = mail_server.contents
    assert content.isascii()
    assert max(len(line) for line in content.split(b"\r\n")) <= 998


def test_a_display_name_in_the_sender_is_kept_out_of_the_envelope(
    sender: SmtpSender, mail_server: Any, make_mail: Any
) -> None:
    sender.send(make_mail(sender="Clínica Norte <care@clinic.example.org>"))
    assert mail_server.envelopes[0][0] == "care@clinic.example.org"
    assert arrived(mail_server)["From"] == "Clínica Norte <care@clinic.example.org>"


@pytest.mark.parametrize(
    ("command", "answer", "expected"),
    [
        ("RCPT", "550 5.1.1 no such user", NotAccepted(permanent=True, code="550", invalid_address=True)),
        ("RCPT", "551 not local", NotAccepted(permanent=True, code="551", invalid_address=True)),
        ("RCPT", "553 bad name", NotAccepted(permanent=True, code="553", invalid_address=True)),
        ("RCPT", "554 no", NotAccepted(permanent=True, code="554", invalid_address=True)),
        ("RCPT", "550 5.7.1 relaying denied", NotAccepted(permanent=True, code="550")),
        ("RCPT", "552 mailbox full", NotAccepted(permanent=True, code="552")),
        ("RCPT", "450 4.2.0 greylisted", NotAccepted(permanent=False, code="450")),
        ("RCPT", "cut", CONNECTION),
        ("MAIL", "550 5.7.1 sender refused", NotAccepted(permanent=False, code="550")),
        ("MAIL", "451 later", NotAccepted(permanent=False, code="451")),
        ("DATA", "451 4.3.0 try later", NotAccepted(permanent=False, code="451")),
        ("DATA", "554 5.6.0 content refused", NotAccepted(permanent=True, code="554")),
        ("DATA", "cut", Unknown("connection_lost")),
    ],
)
def test_each_refusal_is_read_by_what_it_proves(
    sender: SmtpSender, mail_server: Any, make_mail: Any, command: str, answer: str, expected: Any
) -> None:
    mail_server.answers[command] = answer
    assert sender.send(make_mail()) == expected


def test_a_server_that_hangs_after_the_whole_mail_leaves_it_unknown(sender_to: Any, make_mail: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=hang_after_the_mail, args=(listener,))
        thread.start()
        outcome = sender_to(listener.getsockname()[1], call_seconds=0.5).send(make_mail())
        thread.join()
    assert outcome == Unknown("connection_lost")


def hang_after_the_mail(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection, connection.makefile("rb") as lines:
        connection.sendall(b"220 hello\r\n")
        for line in lines:
            if line == b".\r\n":
                break
            if line.startswith(b"DATA"):
                connection.sendall(b"354 go on\r\n")
            elif line.startswith((b"ehlo", b"EHLO", b"mail", b"MAIL", b"rcpt", b"RCPT")):
                connection.sendall(b"250 ok\r\n")
        lines.read()  # until the sender gives up


def test_a_server_that_is_not_there_was_sent_nothing(sender_to: Any, make_mail: Any) -> None:
    assert sender_to(free_port()).send(make_mail()) == CONNECTION


def test_a_server_that_says_nothing_was_sent_nothing(sender_to: Any, make_mail: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert sender_to(silent.getsockname()[1], call_seconds=0.3).send(make_mail()) == CONNECTION


def test_no_mail_goes_in_the_clear_where_encryption_is_wanted(
    sender_to: Any, mail_server: Any, make_mail: Any
) -> None:
    assert sender_to(mail_server.port, smtp_starttls=True).send(make_mail()) == CONNECTION
    assert mail_server.contents == []


def test_without_a_mail_server_email_is_off(make_settings: Any, make_mail: Any) -> None:
    sender = SmtpSender(make_settings(smtp_host=""))
    assert sender.send(make_mail()) == NotAccepted(permanent=True, code="email_off")


def test_a_line_break_in_a_header_reaches_no_server(
    sender: SmtpSender, mail_server: Any, make_mail: Any
) -> None:
    outcome = sender.send(make_mail(subject="hello\r\nBcc: someone@example.org"))
    assert outcome == NotAccepted(permanent=True, code="malformed")
    assert mail_server.contents == []


def test_an_address_beyond_ascii_goes_where_the_server_takes_it(
    run_mail_server: Any, sender_to: Any, make_mail: Any
) -> None:
    able, unable = run_mail_server(enable_SMTPUTF8=True), run_mail_server(enable_SMTPUTF8=False)
    mail = make_mail(recipient="ñandú@example.org")
    assert isinstance(sender_to(able.port).send(mail), Accepted)
    assert able.envelopes[0][1] == ["ñandú@example.org"]
    assert sender_to(unable.port).send(mail) == NotAccepted(permanent=True, code="smtputf8")


@pytest.mark.parametrize(
    ("password", "expected"),
    [("right", Accepted), ("wrong", NotAccepted(permanent=False, code="credentials"))],
)
def test_the_mail_server_is_told_our_password(
    run_mail_server: Any, sender_to: Any, make_mail: Any, password: str, expected: Any
) -> None:
    def authenticate(
        server: Any, session: Any, envelope: Any, mechanism: str, given: LoginPassword
    ) -> AuthResult:
        return AuthResult(success=given == LoginPassword(b"clinic", b"right"), handled=False)

    server = run_mail_server(authenticator=authenticate, auth_require_tls=False)
    sender = sender_to(server.port, smtp_username="clinic", smtp_password=password)
    outcome = sender.send(make_mail())
    assert outcome == expected if isinstance(expected, NotAccepted) else isinstance(outcome, expected)
    assert len(server.contents) == (1 if password == "right" else 0)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Make a self-signed certificate of 127.0.0.1, with its key in the same file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("missing on this machine: openssl")
    path = tmp_path / "server.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "crt")],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_text((tmp_path / "key").read_text() + (tmp_path / "crt").read_text())
    return path


def test_starttls_wants_a_certificate_that_is_trusted(
    run_mail_server: Any, sender_to: Any, make_mail: Any, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = run_mail_server(tls_context=context, require_starttls=True)
    sender = sender_to(server.port, smtp_starttls=True)
    assert sender.send(make_mail()) == CONNECTION
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert isinstance(sender.send(make_mail()), Accepted)
    assert len(server.contents) == 1
