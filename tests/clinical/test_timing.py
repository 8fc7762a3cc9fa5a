from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from followup.clinical import timing
from followup.core.errors import ClinicalError
from tests.clinical.conftest import golden

NY = "America/New_York"
ZONES = (
    *("America/New_York", "America/Chicago", "America/Denver", "America/Phoenix", "America/Los_Angeles"),
    *("America/Anchorage", "Pacific/Honolulu", "America/Puerto_Rico", "America/St_Johns", "America/Santiago"),
    *("America/Mexico_City", "Europe/London", "Europe/Madrid", "Asia/Kolkata", "Asia/Tokyo"),
    *(
        "Australia/Lord_Howe",
        "Australia/Sydney",
        "Pacific/Chatham",
        "Pacific/Kiritimati",
        "Africa/Casablanca",
    ),
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize("case", golden("timing_dst.csv"), ids=lambda case: case["zone"] + case["local"])
def test_a_wall_time_becomes_the_instant_of_the_table(case: dict[str, str]) -> None:
    assert timing.local_to_utc(datetime.fromisoformat(case["local"]), case["zone"]) == at(case["utc"])


@pytest.mark.parametrize("zone", ZONES)
def test_one_instant_a_local_date_inside_the_window_over_two_years(zone: str) -> None:
    tz = ZoneInfo(zone)
    seen = set()
    for number in range(730):
        day = date(2026, 6, 1) + timedelta(days=number)
        for wall in (time(10), time(2, 30)):
            window = timing.due(day, wall, 8, zone)
            opens, closes = timing.open_window(day, zone)
            assert opens <= window.due_at < window.expires_at <= closes
            assert window.due_at.astimezone(tz).date() == day
        seen.add(window.due_at)
        assert timing.local_to_utc(datetime.combine(day, time(15)), zone).astimezone(tz).time() == time(15)
    assert len(seen) == 730


def test_an_action_outside_the_window_goes_at_its_opening_with_its_own_length() -> None:
    sunday = timing.due(date(2026, 11, 29), time(10), 7, NY)
    assert (sunday.due_at, sunday.expires_at) == (at("2026-11-29T17:00"), at("2026-11-30T00:00"))
    late = timing.due(date(2026, 11, 30), time(20), 3, NY)
    assert (late.due_at, late.expires_at) == (at("2026-11-30T14:00"), at("2026-11-30T17:00"))


def test_no_window_lasts_past_closing() -> None:
    assert timing.due(date(2026, 11, 30), time(17), 8, NY).expires_at == at("2026-12-01T01:00")


def test_an_action_without_length_is_refused() -> None:
    with pytest.raises(ClinicalError, match="at least 1 hour"):
        timing.due(date(2026, 11, 30), time(17), 0, NY)


def test_a_clinic_narrows_the_window_but_never_widens_it() -> None:
    opens, closes = timing.open_window(date(2026, 11, 30), NY, (time(8), time(17)))
    assert (opens, closes) == (at("2026-11-30T14:00"), at("2026-11-30T22:00"))
    with pytest.raises(ClinicalError, match="No hour is left"):
        timing.open_window(date(2026, 11, 29), NY, (time(8), time(12)))


@pytest.mark.parametrize(
    ("instant", "open_now", "opening"),
    [
        ("2026-11-30T13:59", False, "2026-11-30T14:00"),
        ("2026-11-30T14:00", True, "2026-11-30T14:00"),
        ("2026-11-30T18:00", True, "2026-11-30T18:00"),
        ("2026-12-01T01:00", False, "2026-12-01T14:00"),
        ("2026-11-29T15:00", False, "2026-11-29T17:00"),
    ],
)
def test_the_window_opens_and_closes_to_the_minute(instant: str, open_now: bool, opening: str) -> None:
    assert timing.is_open(at(instant), NY) is open_now
    assert timing.next_opening(at(instant), NY) == at(opening)


@pytest.mark.parametrize("name", ["Nowhere/Land", "", "../etc/passwd", "America"])
def test_a_wrong_zone_is_refused(name: str) -> None:
    with pytest.raises(timing.UnknownZone):
        timing.zone_of(name)


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(ClinicalError, match="zone"):
        timing.is_open(datetime(2026, 1, 1), NY)


def test_the_clinic_is_open_in_its_hours_but_on_holidays() -> None:
    hours = timing.clinic_hours({"mon": ["08:00", "17:00"]})
    assert timing.clinic_is_open(at("2026-11-30T13:00"), NY, hours)
    assert not timing.clinic_is_open(at("2026-11-30T22:00"), NY, hours)
    assert not timing.clinic_is_open(at("2026-11-30T12:59"), NY, hours)
    assert not timing.clinic_is_open(at("2026-12-01T15:00"), NY, hours)
    assert not timing.clinic_is_open(at("2026-11-30T15:00"), NY, hours, {date(2026, 11, 30)})


@pytest.mark.parametrize(
    "table",
    [
        {"day": ["08:00", "17:00"]},
        {"mon": ["8 am", "17:00"]},
        {"mon": ["17:00", "08:00"]},
        {"mon": ["08:00"]},
    ],
)
def test_wrong_clinic_hours_are_named(table: dict[str, list[str]]) -> None:
    with pytest.raises(ClinicalError, match=next(iter(table))):
        timing.clinic_hours(table)


def test_the_next_window_opens_now_or_in_the_morning_and_never_passes_closing() -> None:
    noon = datetime(2026, 6, 2, 16, tzinfo=UTC)  # 12:00 in New York
    assert timing.next_window(noon, 3, "America/New_York") == timing.Window(noon, noon + timedelta(hours=3))
    late = noon + timedelta(hours=7)
    assert timing.next_window(late, 3, "America/New_York") == timing.Window(late, late + timedelta(hours=1))
    night = noon + timedelta(hours=9)
    morning = noon + timedelta(hours=21)
    assert timing.next_window(night, 3, "America/New_York") == timing.Window(
        morning, morning + timedelta(hours=3)
    )
