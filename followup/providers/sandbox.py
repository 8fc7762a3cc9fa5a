"""Stand in for a carrier: reach nobody, take everything, and fail on demand."""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from followup.core.vocabulary import Channel
from followup.providers.ports import Accepted, Outcome, Outgoing
from followup.providers.twilio_webhooks import sign, status_callback_url, webhook_tokens
from followup.settings import Environment, Settings

if TYPE_CHECKING:
    import urllib3

#: What becomes of a text: an outcome per recipient, or a function; None is "accepted".
Script = Callable[[Outgoing], Outcome | None] | Mapping[str, Outcome]

MOST_KEPT = 2_000  #: Texts that `sent` remembers.
_MOST_WAITING = 1_000
_STATUSES = ("sent", "delivered")
_CALLBACK_SECONDS = 5.0


class SandboxSender:
    """A road that ends in this process. In the demo it reports deliveries as Twilio does: late and signed."""

    name = "sandbox"

    def __init__(
        self,
        settings: Settings,
        channel: Channel,
        *,
        script: Script | None = None,
        delay_seconds: float = 0.0,
    ) -> None:
        """Take everything on this channel, after `delay_seconds`, unless the script says otherwise."""
        self.channel = channel
        self.script = script
        self.delay_seconds = delay_seconds
        self.sent: deque[Outgoing] = deque(maxlen=MOST_KEPT)  #: What was accepted, oldest first.
        reports = settings.environment is Environment.DEMO and channel is Channel.SMS
        self._reports = _Reports(settings) if reports else None

    def send(self, outgoing: Outgoing) -> Outcome:
        """Accept the text, or end as the script says."""
        if self.delay_seconds:
            time.sleep(self.delay_seconds)
        outcome = self._scripted(outgoing) or Accepted(f"SB{outgoing.attempt_token}")
        if isinstance(outcome, Accepted):
            self.sent.append(outgoing)
            self._report(outgoing, outcome.provider_sid)
        return outcome

    def _scripted(self, outgoing: Outgoing) -> Outcome | None:
        if callable(self.script):
            return self.script(outgoing)
        return self.script.get(outgoing.recipient) if self.script else None

    def _report(self, outgoing: Outgoing, provider_sid: str) -> None:
        if self._reports:
            self._reports.add(outgoing, provider_sid)


class _Reports:
    """Post status callbacks from one thread that holds up nothing: not a send, not the end of the process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._waiting: queue.Queue[tuple[Outgoing, str]] = queue.Queue(_MOST_WAITING)
        self._thread: threading.Thread | None = None

    def add(self, outgoing: Outgoing, provider_sid: str) -> None:
        """Have one text reported; forgotten when too many wait, as callbacks may get lost."""
        self._start()
        try:
            self._waiting.put_nowait((outgoing, provider_sid))
        except queue.Full:
            return

    def _start(self) -> None:
        # Late, and again when it is not alive: a forked worker inherits this object but no thread.
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="sandbox-callbacks", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        import urllib3  # 8 MB that only the demo's worker needs

        with urllib3.PoolManager(retries=False, timeout=_CALLBACK_SECONDS) as pool:
            while True:
                outgoing, provider_sid = self._waiting.get()
                for status in _STATUSES:
                    self._post(pool, outgoing, provider_sid, status)

    def _post(self, pool: "urllib3.PoolManager", outgoing: Outgoing, provider_sid: str, status: str) -> None:
        from urllib3.exceptions import HTTPError

        url = status_callback_url(self._settings, outgoing.attempt_token)
        form = _status_form(outgoing, provider_sid, status)
        signature = sign(url, form, webhook_tokens(self._settings)[0])
        with suppress(HTTPError):  # the page may be gone; a real callback can get lost as well
            pool.request(
                "POST", url, fields=form, encode_multipart=False, headers={"X-Twilio-Signature": signature}
            )


def _status_form(outgoing: Outgoing, provider_sid: str, status: str) -> dict[str, str]:
    return {
        "AccountSid": "ACsandbox",
        "ApiVersion": "2010-04-01",
        "From": outgoing.sender,
        "MessageSid": provider_sid,
        "MessageStatus": status,
        "SmsSid": provider_sid,
        "SmsStatus": status,
        "To": outgoing.recipient,
    }
