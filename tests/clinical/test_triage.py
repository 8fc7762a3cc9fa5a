import time
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from followup.clinical.answering import which_text
from followup.clinical.keywords import KeywordKind
from followup.clinical.reply import read_answer
from followup.clinical.rulebook import Rulebook
from followup.clinical.triage.assess import Assessment, assess
from followup.clinical.triage.flags import ADDED, FLAGS
from followup.clinical.triage.rules import PatientFacts
from followup.core.errors import ClinicalError
from followup.core.vocabulary import Question, Tier
from tests.clinical.conftest import golden, tables

CASES = golden("triage_en.csv") + golden("triage_es.csv")
BOOK = Rulebook.from_tables(tables())


def judge(text: str, question: str = "", **facts: Any) -> Assessment:
    return assess(
        text,
        question=Question(question) if question else None,
        lexicon=BOOK.lexicon,
        facts=PatientFacts(**facts),
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['question']}:{case['text']}")
def test_the_table_of_texts_is_judged_as_a_clinician_would(case: dict[str, str]) -> None:
    rx_max = Decimal(case["rx_max"]) if case["rx_max"] else None
    got = judge(case["text"], case["question"], rx_max=rx_max)
    assert got.tier == case["tier"], got
    assert set(case["flags"].split()) <= set(got.flags)


def test_evidence_points_at_the_words_in_the_original() -> None:
    text = "Hello. I can’t  BREATHE since noon"
    got = judge(text)
    assert got.evidence[0].words == "can’t  BREATHE"
    assert text[got.evidence[0].start : got.evidence[0].end] == got.evidence[0].words


def test_a_denial_reaches_a_list_but_not_past_a_but() -> None:
    assert judge("no fever, chills, or rash").tier is Tier.NONE
    assert judge("no fever or chills or any kind of rash").tier is Tier.NONE
    assert judge("no fever but a rash").tier is Tier.URGENT
    assert judge("no i have pus").tier is Tier.URGENT
    assert judge("no, rash or hives on me").tier is Tier.URGENT
    assert judge("no pain. rash or pus").tier is Tier.URGENT
    assert judge("pus, rash, or hives").tier is Tier.URGENT
    assert judge("no fever and my cut has pus").tier is Tier.URGENT
    assert judge("no fever, pus").tier is Tier.URGENT
    assert judge("not that it matters to anyone around here much pus").tier is Tier.URGENT


def test_what_is_longer_than_we_judge_reaches_a_person() -> None:
    assert judge("ok thanks " * 200).tier is Tier.ROUTINE
    assert "too_long" in judge("ok " * 600 + "i want to die").flags


def test_an_answer_with_many_strange_words_reaches_a_person() -> None:
    got = judge("2 zorp blick quen frizz mang dolop", "pain")
    assert (got.tier, got.understood) == (Tier.ROUTINE, True)


def test_an_answer_read_before_is_taken_as_it_is() -> None:
    answer = read_answer("9", Question.PAIN)
    got = assess("9", question=Question.PAIN, lexicon=BOOK.lexicon, answer=answer)
    assert got.answer is answer
    assert got.tier is Tier.URGENT


def test_the_patients_own_story_raises_a_tier() -> None:
    assert judge("i cant pee").tier is Tier.URGENT
    assert judge("i cant pee", spine=True).tier is Tier.EMERGENCY
    assert judge("1", "withdrawal", pregnant=True).tier is Tier.URGENT
    rose = {"previous_pain": Decimal(3), "previous_pain_age": timedelta(hours=20)}
    assert judge("6", "pain", **rose).tier is Tier.URGENT
    assert judge("6", "pain", previous_pain=Decimal(3)).tier is Tier.ROUTINE
    assert judge("3", "pills", rx_max=Decimal(4), plan_today=Decimal(2)).flags == ("behind_plan", "numeric")


def test_a_number_that_the_scale_does_not_take_is_unclear() -> None:
    assert "unintelligible" in judge("1.5", "mood").flags
    assert judge("temp 50").tier is Tier.ROUTINE


def test_yes_where_none_is_asked_for_is_unclear_or_harmless() -> None:
    assert judge("yes", "pills").answer.yes is None
    assert judge("yes", "consent").tier is Tier.NONE


@given(text=st.text(st.characters(exclude_categories=()), max_size=300))
@settings(max_examples=150, deadline=None)
def test_any_text_is_judged_without_an_error_and_shows_its_evidence(text: str) -> None:
    got = judge(text)
    assert set(got.flags) <= FLAGS | ADDED
    assert got.understood or got.tier is not Tier.NONE
    assert all(text[proof.start : proof.end] == proof.words for proof in got.evidence)
    assert got == judge(text)


@pytest.mark.parametrize(
    "text",
    [
        "\x00",
        "\ud800",
        "🙂" * 500,
        "Z̸̡̛" * 500,
        "\u200b",
        "cant " * 400,
        "no , " * 500,
        "a," * 800,
        "no a," + "rash," * 300 + "or rash",
        "9" * 1600,
        "ﷺ" * 1600,
        "not able to " * 140,
    ],
)
def test_odd_texts_are_judged_in_bounded_time(text: str) -> None:
    started = time.process_time()
    judge(text, "pain")
    assert time.process_time() - started < 3


@given(harmless=st.sampled_from(["thanks", "doing fine", "no fever", "2", "haha", "taper is going well"]))
def test_danger_words_win_wherever_they_stand(harmless: str) -> None:
    assert judge(f"{harmless}. i want to die").tier is Tier.EMERGENCY
    assert judge(f"i want to die. {harmless}").tier is Tier.EMERGENCY


def result(tier: Tier, *flags: str, kind: KeywordKind | None = None, number: int | None = None) -> Assessment:
    blank = judge("ok")
    return replace(
        blank,
        tier=tier,
        flags=flags,
        keyword=replace(blank.keyword, kind=kind),
        answer=replace(blank.answer, number=None if number is None else Decimal(number)),
    )


@pytest.mark.parametrize(
    ("assessment", "open_now", "oncall", "key"),
    [
        (result(Tier.NONE), True, True, None),
        (result(Tier.EMERGENCY, "suicidal", kind=KeywordKind.STOP), True, True, "auto_optout_danger"),
        (result(Tier.URGENT, "overuse", kind=KeywordKind.STOP), True, True, "auto_optout_danger"),
        (result(Tier.EMERGENCY, "overdose", "overuse", "suicidal"), True, True, "auto_suicide"),
        (result(Tier.EMERGENCY, "exposure_other", "overdose"), True, True, "auto_exposure"),
        (result(Tier.EMERGENCY, "overdose", "overuse", number=9), True, True, "auto_took_a_lot"),
        (result(Tier.EMERGENCY, "overdose", "overuse"), True, True, "auto_took_a_lot_words"),
        (result(Tier.EMERGENCY, "overdose", "overuse", "breathing", number=9), True, True, "auto_emergency"),
        (result(Tier.EMERGENCY, "harm_others"), True, True, "auto_harm_others"),
        (result(Tier.EMERGENCY, "chest_pain"), False, True, "auto_emergency"),
        (result(Tier.URGENT, "mixing", "unsafe_home"), True, True, "auto_unsafe_home"),
        (result(Tier.URGENT, "exposure_other"), False, True, "auto_pet"),
        (result(Tier.URGENT, "overuse", "mixing"), False, True, "auto_mixing_closed"),
        (result(Tier.URGENT, "overuse"), True, True, "auto_overuse"),
        (result(Tier.URGENT, "depression", "craving"), False, True, "auto_low_mood_closed"),
        (result(Tier.URGENT, "craving"), False, False, "auto_craving"),
        (result(Tier.URGENT, "early_runout"), False, True, "auto_ran_out"),
        (result(Tier.URGENT, "lost_stolen"), True, False, "auto_urgent"),
        (result(Tier.URGENT, "rash"), False, True, "auto_urgent_closed"),
        (result(Tier.URGENT, "rash"), False, False, "auto_urgent"),
        (result(Tier.ROUTINE, "question"), True, True, "auto_routine"),
        (result(Tier.ROUTINE, "question"), False, False, "auto_routine_closed"),
        (result(Tier.ROUTINE, "unintelligible"), False, True, "auto_unclear_closed"),
        (result(Tier.ROUTINE, "refill_request"), False, True, "auto_refill"),
        (result(Tier.ROUTINE, "other_language"), True, True, "auto_language"),
        (result(Tier.ROUTINE, "wrong_number", "unintelligible"), True, True, "auto_wrong_number"),
    ],
)
def test_the_first_match_of_the_taxonomy_answers(
    assessment: Assessment, open_now: bool, oncall: bool, key: str | None
) -> None:
    assert which_text(assessment, Question.PILLS, open_now, oncall) == key


@pytest.mark.parametrize(
    ("file", "section", "key", "value", "why"),
    [
        ("lexicon_en.toml", "phrases", "weather", ["sunny"], r"lexicon_en\.toml: phrases: weather"),
        ("lexicon_en.toml", "phrases", "rash", ["~"], "rash"),
        ("triage.toml", "concepts", "weather", {"kind": "mark"}, "without phrases: weather"),
        ("triage.toml", "concepts", "rash", {"tier": "bad"}, r"concepts\.rash"),
        ("triage.toml", "concepts", "rash", {"tier": "urgent", "flags": ["sunny"]}, "unknown flags: sunny"),
        ("triage.toml", "concepts", "rash", {"kind": "song"}, "not a known word"),
        ("triage.toml", "concepts", "rash", {"tier": "urgent", "unless": ["rain"]}, "not a known word"),
    ],
)
def test_a_mistake_in_the_lexicon_is_named(
    file: str, section: str, key: str, value: object, why: str
) -> None:
    changed: Any = deepcopy(tables())
    changed[file][section][key] = value
    with pytest.raises(ClinicalError, match=why):
        Rulebook.from_tables(changed)


def test_a_combination_needs_two_concepts() -> None:
    changed: Any = deepcopy(tables())
    changed["triage.toml"]["combine"][0]["all"] = ["sedation"]
    with pytest.raises(ClinicalError, match=r"combine\[1\]: needs two"):
        Rulebook.from_tables(changed)
