"""Tell the time. The only module that asks the machine what time it is."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


def unix_millis() -> int:
    """Return the machine's milliseconds since 1970; only to put rows in order, never to judge a rule by."""
    return time.time_ns() // 1_000_000


class Clock(Protocol):
    """What a service needs of time: an aware UTC instant, and a count that never goes back."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds of a clock that no one can set; for leases and time-outs."""
        ...


class SystemClock:
    """Read the machine's clock."""

    def now(self) -> datetime:
        """Return the machine's present instant in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the machine's monotonic seconds."""
        return time.monotonic()


class FrozenClock:
    """Stand still until told to move; for tests and previews."""

    def __init__(self, at: datetime) -> None:
        """Start at `at`, which must be aware."""
        self._at = at.astimezone(UTC)
        self._count = 0.0

    def now(self) -> datetime:
        """Return the instant that was last set."""
        return self._at

    def monotonic(self) -> float:
        """Return seconds moved so far."""
        return self._count

    def forward(self, **amount: float) -> datetime:
        """Move by a timedelta given in words, such as `forward(hours=2)`; return the new instant."""
        step = timedelta(**amount)
        self._at += step
        self._count += step.total_seconds()
        return self._at

    def move_to(self, at: datetime) -> datetime:
        """Jump to `at`; return it."""
        self._count += max(0.0, (at - self._at).total_seconds())
        self._at = at.astimezone(UTC)
        return self._at
