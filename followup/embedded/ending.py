"""Wait in a way that Ctrl-C and SIGTERM end."""

import signal
import threading
from typing import Any

_LOOK_SECONDS = 0.1


class Ending:
    """Know whether somebody asked this process to end.

    A plain flag: an event that a signal handler sets can wait for ever for a lock that `wait` holds.
    """

    def __init__(self) -> None:
        """Listen to SIGINT and SIGTERM from now on."""
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, *_: Any) -> None:
        self.asked = True

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until we are asked to end; tell which."""
        left = seconds
        while left > 0 and not self.asked:
            threading.Event().wait(min(left, _LOOK_SECONDS))
            left -= _LOOK_SECONDS
        return self.asked
