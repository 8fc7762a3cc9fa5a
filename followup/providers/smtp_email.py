"""Send mails through the clinic's mail server."""

import re
import smtplib
import ssl
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTPUTF8
from email.utils import format_datetime, parseaddr

from followup.core.clock import SystemClock
from followup.core.vocabulary import Delivery
from followup.providers.ports import Accepted, NotAccepted, Outcome, Outgoing, Unknown
from followup.settings import Settings

#: Refusals of RCPT that speak of the mailbox itself (RFC 5321 4.2.2): none such, not local, name, failed.
_NO_SUCH_MAILBOX = frozenset({550, 551, 553, 554})
#: X.7.* is a matter of policy, such as a refused relay (RFC 3463 3.8): the mailbox may well exist.
_POLICY = re.compile(rb"5\.7\.\d")
_SID_CHARACTERS = 64
#: 7 bits: not every server on the way takes 8 (RFC 6152).
_FORM = SMTPUTF8.clone(cte_type="7bit")


class SmtpSender:
    """The road out by e-mail. Each mail has a connection of its own, so threads may share the sender."""

    name = "smtp"

    def __init__(self, settings: Settings) -> None:
        """Keep where the mail server is; nothing is opened yet."""
        self._settings = settings

    def send(self, outgoing: Outgoing) -> Outcome:
        """Hand one mail over; Unknown only when the answer to the whole mail did not come."""
        if not self._settings.smtp_host:
            return NotAccepted(permanent=True, code="email_off")
        try:
            mail = self._mail(outgoing)
            content = mail.as_bytes(policy=_FORM.clone(utf8=not outgoing.recipient.isascii()))
        except (ValueError, LookupError):
            # A header with a line break, or an address that no header can hold.
            return NotAccepted(permanent=True, code="malformed")
        return self._deliver(mail, content)

    def _mail(self, outgoing: Outgoing) -> EmailMessage:
        sender = outgoing.sender or self._settings.mail_from
        mail = EmailMessage(policy=_FORM)
        mail["From"] = mail["Reply-To"] = sender
        mail["To"] = outgoing.recipient
        mail["Subject"] = outgoing.subject or ""
        mail["Date"] = format_datetime(SystemClock().now())
        mail["Message-ID"] = self._message_id(outgoing.attempt_token, sender)
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers to us
        if outgoing.unsubscribe_url:
            mail["List-Unsubscribe"] = f"<{outgoing.unsubscribe_url}>"
            mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
        mail.set_content(outgoing.body)
        if outgoing.html is not None:
            mail.add_alternative(outgoing.html, subtype="html")
        for header, value in outgoing.headers.items():
            mail[header] = value  # last: set_content forgets every Content- header that it finds
        return mail

    def _message_id(self, token: str, sender: str) -> str:
        address = parseaddr(self._settings.mail_from or sender)[1]
        return f"<{token}@{address.rpartition('@')[2] or 'localhost'}>"

    def _deliver(self, mail: EmailMessage, content: bytes) -> Outcome:
        try:
            smtp = self._connected()
        except smtplib.SMTPAuthenticationError:
            return NotAccepted(permanent=False, code="credentials")
        except (OSError, ValueError):  # smtplib's own errors are OSErrors too
            return NotAccepted(permanent=False, code="connection")
        try:
            return _hand_over(smtp, mail, content)
        finally:
            _leave(smtp)

    def _connected(self) -> smtplib.SMTP:
        settings = self._settings
        smtp = smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=settings.call_seconds)
        try:
            smtp.ehlo_or_helo_if_needed()
            if settings.smtp_starttls:
                smtp.starttls(context=ssl.create_default_context())
                smtp.ehlo()
            if settings.smtp_username:
                smtp.login(settings.smtp_username, settings.smtp_password.get_secret_value())
        except Exception:
            smtp.close()
            raise
        return smtp


def _hand_over(smtp: smtplib.SMTP, mail: EmailMessage, content: bytes) -> Outcome:
    try:
        refused = _envelope(smtp, parseaddr(mail["From"])[1], mail["To"])
    except OSError:
        return NotAccepted(permanent=False, code="connection")
    if refused:
        return refused
    try:
        smtp.send(_stuffed(content))
        code, _ = smtp.getreply()
    except OSError:
        # The server may have taken all of it before the line was cut.
        return Unknown("connection_lost")
    if code == 250:
        return Accepted(mail["Message-ID"].strip("<>")[:_SID_CHARACTERS], Delivery.SENT)
    return NotAccepted(permanent=code >= 500, code=str(code))


def _envelope(smtp: smtplib.SMTP, sender: str, recipient: str) -> NotAccepted | None:
    options = []
    if not recipient.isascii():
        if not smtp.has_extn("smtputf8"):
            return NotAccepted(permanent=True, code="smtputf8")
        smtp.command_encoding = "utf-8"
        options = ["SMTPUTF8", "BODY=8BITMIME"]
    code, _ = smtp.mail(sender, options)
    if code != 250:
        # Our own sender was refused: nothing is proved about this person's address.
        return NotAccepted(permanent=False, code=str(code))
    code, words = smtp.rcpt(recipient)
    if code not in (250, 251):
        gone = code in _NO_SUCH_MAILBOX and not _POLICY.match(words)
        return NotAccepted(permanent=code >= 500, code=str(code), invalid_address=gone)
    code, _ = smtp.docmd("DATA")
    return None if code == 354 else NotAccepted(permanent=code >= 500, code=str(code))


def _leave(smtp: smtplib.SMTP) -> None:
    # How the farewell ends says nothing about the mail, so it gets a second and no more.
    with suppress(OSError):
        if smtp.sock is not None:
            smtp.sock.settimeout(1.0)
        smtp.quit()
    smtp.close()


def _stuffed(content: bytes) -> bytes:
    # RFC 5321 4.5.2: a line that begins with a dot gets a second one; a lone dot ends the mail.
    lines = re.sub(rb"(?m)^\.", b"..", content)
    return lines + (b"" if lines.endswith(b"\r\n") else b"\r\n") + b".\r\n"
