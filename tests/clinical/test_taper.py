from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followup.clinical.bounds import check_bounds, largest_drop
from followup.clinical.holds import HoldReason, LatestAnswers, auto_hold_reason, pill_report
from followup.clinical.taper import Outcome, TaperRequest, draft, manual, max_units_on
from followup.core.errors import TaperRefused
from followup.core.vocabulary import Tier
from tests.clinical.conftest import golden

ONE = Decimal(1)


def ask(start: str | int, days: int | None = 10, **more: object) -> TaperRequest:
    pills = Decimal(start)
    return TaperRequest(pills, pills, days, **{"regular": True, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "case", golden("taper_cases.csv"), ids=lambda case: f"{case['start']}-{case['days_taken']}"
)
def test_the_draft_is_that_of_the_reference(case: dict[str, str]) -> None:
    got = draft(
        ask(
            case["start"],
            int(case["days_taken"]) if case["days_taken"] else None,
            regular=case["regular"] == "yes",
            unit=Decimal(case["unit"]),
            target_days=int(case["target_days"]) if case["target_days"] else None,
        )
    )
    assert got.outcome == case["outcome"]
    assert got.levels == tuple(Decimal(level) for level in case["plan"].split())
    assert got.total == Decimal(case["total"] or 0)
    assert got.minimum_days == (int(case["minimum_days"]) if case["minimum_days"] else None)


@given(
    start=st.integers(1, 30),
    days=st.integers(4, 29),
    unit=st.sampled_from([ONE, Decimal("0.5")]),
    extra=st.none() | st.integers(0, 20),
)
def test_every_draft_goes_down_to_zero_in_allowed_steps(
    start: int, days: int, unit: Decimal, extra: int | None
) -> None:
    plan = draft(ask(start, days, unit=unit, target_days=None if extra is None else 10 + extra))
    levels = plan.levels
    assert plan.outcome is Outcome.DRAFTED
    assert levels[-1] == 0
    assert 0 not in levels[:-1]
    assert len(levels) >= 2
    assert all(level % unit == 0 for level in levels)
    assert all(
        0 <= a - b <= largest_drop(Decimal(start), unit, days)
        for a, b in zip((start, *levels), levels, strict=False)
    )
    assert sum(step.days for step in plan.steps) == len(levels)
    assert [max_units_on(plan.steps, day) for day in range(len(levels))] == list(levels)


@given(
    levels=st.lists(st.integers(0, 8).map(Decimal), max_size=45),
    start=st.integers(1, 8).map(Decimal),
    days=st.none() | st.integers(4, 60),
)
def test_what_the_bounds_let_through_keeps_them(
    levels: list[Decimal], start: Decimal, days: int | None
) -> None:
    try:
        check_bounds(levels, start=start, unit=ONE, days_taken=days, rx_max=Decimal(8))
    except TaperRefused:
        return
    assert levels == sorted(levels, reverse=True)
    assert levels[0] <= start
    assert levels[-1] == 0
    assert len(levels) <= 42


@pytest.mark.parametrize(
    ("levels", "start", "unit", "rx_max", "why"),
    [
        ([5, 6, 0], 6, "1", 6, "never goes up"),
        ([7, 0], 6, "1", 6, "never goes up"),
        ([2, 0], 6, "1", 6, "drops by 4"),
        ([0], 1, "1", 6, "at least one step"),
        ([1, 1], 1, "1", 6, "ends with a day of 0"),
        ([1, 0, 0], 1, "1", 6, "Only the last day"),
        (["1.5", 0], 2, "1", 6, "in steps of 1"),
        ([1, 0], 8, "1", 6, "above the prescribed"),
        ([1, 0], 0, "1", 6, "above 0"),
        ([1, 0], 1, "0.25", 6, "halves"),
        ([1] * 42 + [0], 1, "1", 6, "most is 42"),
        (["NaN", 0], 1, "1", 6, "0 or more"),
    ],
)
def test_each_bound_refuses_in_plain_words(
    levels: list[object], start: int, unit: str, rx_max: int, why: str
) -> None:
    with pytest.raises(TaperRefused, match=why):
        check_bounds(
            [Decimal(str(level)) for level in levels],
            start=Decimal(start),
            unit=Decimal(unit),
            days_taken=10,
            rx_max=Decimal(rx_max),
        )


def test_reasons_for_a_manual_plan_stop_the_draft() -> None:
    got = draft(ask(6, manual_reasons=("pregnant",)))
    assert (got.outcome, got.reasons) == (Outcome.REFUSE_MANUAL, ("pregnant",))


def test_a_short_supply_is_told_to_the_clinician() -> None:
    got = draft(ask(6, pills_left=Decimal(20), warnings=("older",)))
    assert got.supply_short_by == 10
    assert got.warnings == ("older", "short by 10")
    assert draft(ask(6, pills_left=Decimal(30))).supply_short_by is None


def test_a_step_without_days_or_a_unit_without_size_is_refused() -> None:
    with pytest.raises(TaperRefused, match="at least 1 day"):
        draft(ask(6, step_days=0))
    with pytest.raises(TaperRefused, match="whole pills"):
        draft(ask(6, unit=Decimal(0)))


def test_a_manual_plan_obeys_the_same_bounds() -> None:
    plan = manual(ask(4, 40), [(Decimal(3), 3), (Decimal(2), 3), (Decimal(1), 2)])
    assert [str(level) for level in plan.levels] == ["3", "3", "3", "2", "2", "2", "1", "1", "0"]
    assert manual(ask(1), [(ONE, 2), (Decimal(0), 1)]).total == 2
    with pytest.raises(TaperRefused, match="never goes up"):
        manual(ask(4), [(Decimal(3), 1), (Decimal(4), 1)])
    for rows in ([], [(ONE, 0)], [(ONE, 10**9)]):
        with pytest.raises(TaperRefused, match="Each row"):
            manual(ask(4), rows)


def test_the_level_of_a_day_is_unknown_before_the_plan_and_zero_after_it() -> None:
    steps = draft(ask(4)).steps
    assert max_units_on(steps, -1) is None
    assert max_units_on(steps, 0) == 3
    assert max_units_on(steps, 99) == 0


@pytest.mark.parametrize(
    ("tier", "answers", "reason"),
    [
        (Tier.NONE, LatestAnswers(), None),
        (Tier.ROUTINE, LatestAnswers(Decimal(2), Decimal(1), Decimal(7), False), None),
        (Tier.URGENT, LatestAnswers(), HoldReason.OPEN_ALERT),
        (Tier.EMERGENCY, LatestAnswers(), HoldReason.OPEN_ALERT),
        (Tier.NONE, LatestAnswers(withdrawal=Decimal(3)), HoldReason.WITHDRAWAL),
        (Tier.NONE, LatestAnswers(craving=Decimal(2)), HoldReason.CRAVING),
        (Tier.NONE, LatestAnswers(pain=Decimal(8)), HoldReason.PAIN),
        (Tier.NONE, LatestAnswers(trouble=True), HoldReason.TROUBLE),
    ],
)
def test_the_next_step_is_held_as_the_reference_says(
    tier: Tier, answers: LatestAnswers, reason: HoldReason | None
) -> None:
    assert auto_hold_reason(tier, answers) is reason


@pytest.mark.parametrize(
    ("reported", "more", "tier", "flags"),
    [
        (4, {}, "none", ()),
        (5, {}, "urgent", ("overuse",)),
        (8, {}, "emergency", ("overdose", "overuse")),
        (3, {"plan_today": Decimal(2)}, "routine", ("behind_plan",)),
        (2, {"plan_today": Decimal(2)}, "none", ()),
        (5, {"plan_today": Decimal(2)}, "urgent", ("overuse",)),
        (1, {"plan_today": Decimal(0), "days_past_end": 3}, "routine", ("behind_plan",)),
        (1, {"days_past_end": 2}, "none", ()),
        (1, {"days_past_end": 3, "reports_past_end": 1}, "urgent", ("behind_plan",)),
        (0, {"days_past_end": 3}, "none", ()),
        (
            0,
            {"plan_today": Decimal(2), "zero_yesterday": True, "regular_week": True},
            "routine",
            ("self_taper",),
        ),
        (0, {"plan_today": Decimal(0), "zero_yesterday": True, "regular_week": True}, "none", ()),
    ],
)
def test_a_pill_report_is_judged_against_plan_and_prescription(
    reported: int, more: dict[str, object], tier: str, flags: tuple[str, ...]
) -> None:
    got = pill_report(Decimal(reported), rx_max=Decimal(4), **more)  # type: ignore[arg-type]
    assert (got.tier, got.flags) == (tier, flags)
