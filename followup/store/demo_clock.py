"""The demo's clock.

The wall clock plus an offset that one row holds, so that every process skips together.
"""

from datetime import datetime, timedelta

from sqlalchemy import Engine, select

from followup.core.clock import SystemClock
from followup.store.models import ServiceState

OFFSET_KEY = "demo_clock_offset"
_READ_EVERY_SECONDS = 0.2


class DemoClock(SystemClock):
    """Tell the wall clock's time moved on by the stored offset (seconds, never negative)."""

    def __init__(self, engine: Engine) -> None:
        """Read the offset from `engine`, at most five times a second."""
        self._engine = engine
        self._offset = timedelta()
        self._read_at = float("-inf")

    def now(self) -> datetime:
        """Return the demo's present instant in UTC."""
        if self.monotonic() - self._read_at >= _READ_EVERY_SECONDS:
            self._offset = timedelta(seconds=self._stored())
            self._read_at = self.monotonic()
        return super().now() + self._offset

    def _stored(self) -> int:
        # Time is asked in the middle of a write, too: on SQLite a second write lock would wait for
        # the first for ever.
        with self._engine.connect().execution_options(reads_only=True) as connection:
            return connection.scalar(select(ServiceState.number).where(ServiceState.key == OFFSET_KEY)) or 0
