"""Only the clock asks what time it is; a frozen one moves when told."""

from datetime import UTC, datetime, timedelta, timezone

from followup.core.clock import Clock, FrozenClock, SystemClock, unix_millis

NOON = datetime(2026, 6, 2, 12, tzinfo=UTC)


def test_the_machines_clock_is_aware_and_in_utc():
    now = SystemClock().now()
    assert now.utcoffset() == timedelta(0)
    assert abs(now - datetime.fromtimestamp(unix_millis() / 1000, UTC)) < timedelta(seconds=5)


def test_the_monotonic_count_never_goes_back():
    clock = SystemClock()
    counts = [clock.monotonic() for _ in range(5)]
    assert counts == sorted(counts)


def test_a_frozen_clock_stands_still():
    clock: Clock = FrozenClock(NOON)
    assert clock.now() == clock.now() == NOON
    assert clock.monotonic() == 0


def test_a_frozen_clock_tells_utc_whatever_zone_it_was_given():
    clock = FrozenClock(NOON.astimezone(timezone(timedelta(hours=9))))
    assert clock.now() == NOON
    assert clock.now().tzinfo is UTC


def test_moving_forward_moves_both_counts():
    clock = FrozenClock(NOON)
    assert clock.forward(hours=2, minutes=30) == NOON + timedelta(hours=2.5)
    assert clock.monotonic() == 9000


def test_a_jump_back_moves_the_time_but_not_the_monotonic_count():
    clock = FrozenClock(NOON)
    assert clock.move_to(NOON + timedelta(minutes=1)) == NOON + timedelta(minutes=1)
    assert clock.move_to(NOON) == NOON
    assert clock.monotonic() == 60
