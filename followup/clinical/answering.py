"""Choose which fixed text answers a patient's message, by key: the taxonomy's table, first match wins."""

from collections.abc import Sequence

from followup.clinical.triage.assess import Assessment
from followup.core.vocabulary import Question, Tier

#: Urgent flags in the order of the taxonomy, and the text of each.
URGENT_TEXTS = (
    ("unsafe_home", "auto_unsafe_home"),
    ("exposure_other", "auto_pet"),  # urgent, so it was an animal: a person would be an emergency
    ("mixing", "auto_mixing"),
    ("overuse", "auto_overuse"),
    ("depression", "auto_low_mood"),
    ("craving", "auto_craving"),
    ("early_runout", "auto_ran_out"),
    ("lost_stolen", "auto_ran_out"),
)
#: Texts with a variant for after hours, which names the on-call number.
CLOSED_VARIANTS = frozenset(
    (
        "auto_urgent",
        "auto_overuse",
        "auto_low_mood",
        "auto_craving",
        "auto_mixing",
        "auto_routine",
        "auto_unclear",
    )
)
ROUTINE_TEXTS = (
    ("wrong_number", "auto_wrong_number"),
    ("other_language", "auto_language"),
    ("unintelligible", "auto_unclear"),
    ("refill_request", "auto_refill"),
)
#: Closed variants that need no on-call number.
WITHOUT_NUMBER = frozenset(("auto_routine", "auto_unclear"))


def which_text(
    assessment: Assessment, question: Question | None, clinic_open: bool, has_oncall: bool
) -> str | None:
    """Return the message key that answers a text; None for silence, or the next question."""
    flags = frozenset(assessment.flags)
    if assessment.tier is Tier.NONE:
        return None
    if assessment.tier is Tier.ROUTINE:
        return _variant(_first(ROUTINE_TEXTS, flags, "auto_routine"), clinic_open, has_oncall)
    if assessment.keyword.kind == "STOP":
        return "auto_optout_danger"
    if assessment.tier is Tier.EMERGENCY:
        number_read = question is Question.PILLS and assessment.answer.number is not None
        return _emergency(flags, number_read)
    key = _first(URGENT_TEXTS, flags, "auto_urgent")
    if key == "auto_ran_out" and not has_oncall:
        return "auto_urgent"
    return _variant(key, clinic_open, has_oncall)


def _emergency(flags: frozenset[str], number_read: bool) -> str:
    if "suicidal" in flags:
        return "auto_suicide"
    if "exposure_other" in flags:
        return "auto_exposure"
    if {"overdose", "overuse"} <= flags and "breathing" not in flags:
        return "auto_took_a_lot" if number_read else "auto_took_a_lot_words"
    return "auto_harm_others" if "harm_others" in flags else "auto_emergency"


def _first(table: Sequence[tuple[str, str]], flags: frozenset[str], otherwise: str) -> str:
    return next((key for flag, key in table if flag in flags), otherwise)


def _variant(key: str, clinic_open: bool, has_oncall: bool) -> str:
    closed = not clinic_open and key in CLOSED_VARIANTS and (has_oncall or key in WITHOUT_NUMBER)
    return f"{key}_closed" if closed else key
