"""Say when the next step-down text is held, and judge a pill report against the plan (reference 5.3)."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from followup.core.vocabulary import Tier, worst


class HoldReason(StrEnum):
    """Why a step-down text does not go out (reference 5.3.8)."""

    OPEN_ALERT = "open_alert"
    WITHDRAWAL = "withdrawal"
    CRAVING = "craving"
    PAIN = "pain"
    TROUBLE = "trouble"


@dataclass(frozen=True, slots=True)
class LatestAnswers:
    """The newest answer to each question since the last step; None where there is none."""

    withdrawal: Decimal | None = None  #: 0-4
    craving: Decimal | None = None  #: 0-4
    pain: Decimal | None = None  #: 0-10
    trouble: bool | None = None  #: the answer to the taper question


@dataclass(frozen=True, slots=True)
class PillReport:
    """What a pill count means: a tier and its flags."""

    tier: Tier
    flags: tuple[str, ...]


def auto_hold_reason(open_tier: Tier, answers: LatestAnswers) -> HoldReason | None:
    """Return why the next step-down text is held, None when nothing holds it.

    `open_tier` is the most severe tier among the patient's open alerts.
    """
    held = (
        (open_tier in (Tier.EMERGENCY, Tier.URGENT), HoldReason.OPEN_ALERT),
        (answers.withdrawal is not None and answers.withdrawal >= 3, HoldReason.WITHDRAWAL),
        (answers.craving is not None and answers.craving >= 2, HoldReason.CRAVING),
        (answers.pain is not None and answers.pain >= 8, HoldReason.PAIN),
        (answers.trouble is True, HoldReason.TROUBLE),
    )
    return next((reason for present, reason in held if present), None)


def pill_report(
    reported: Decimal,
    *,
    rx_max: Decimal | None,
    plan_today: Decimal | None = None,
    days_past_end: int | None = None,
    reports_past_end: int = 0,
    zero_yesterday: bool = False,
    regular_week: bool = False,
) -> PillReport:
    """Return tier and flags of the pills taken in 24 hours.

    `plan_today` is the plan's level (None: no plan runs), `days_past_end` whole days since its
    0 day, `reports_past_end` earlier reports of pills 3 days or more after it, `zero_yesterday`
    whether the last report was 0, `regular_week` at least 7 days of regular use before the plan.
    """
    tier, flags = _against_prescription(reported, rx_max)
    if rx_max is None or reported <= rx_max:
        if reported > 0 and days_past_end is not None and days_past_end >= 3:
            tier = worst(tier, Tier.URGENT if reports_past_end else Tier.ROUTINE)
            flags = (*flags, "behind_plan")
        elif plan_today is not None and reported > plan_today:
            tier, flags = worst(tier, Tier.ROUTINE), (*flags, "behind_plan")
    if reported == 0 and zero_yesterday and regular_week and plan_today is not None and plan_today > 0:
        tier, flags = worst(tier, Tier.ROUTINE), (*flags, "self_taper")
    return PillReport(tier, flags)


def _against_prescription(reported: Decimal, rx_max: Decimal | None) -> tuple[Tier, tuple[str, ...]]:
    if rx_max is None or reported <= rx_max:
        return Tier.NONE, ()
    if reported >= 2 * rx_max:
        return Tier.EMERGENCY, ("overdose", "overuse")
    return Tier.URGENT, ("overuse",)
