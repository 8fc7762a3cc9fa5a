"""Judge what was found in a text: numbers against their question, fever, pills told in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from followup.clinical.holds import pill_report
from followup.clinical.phrases import Match
from followup.clinical.reply import Answer
from followup.clinical.triage.lexicon import Lexicon
from followup.clinical.triage.numbers import Number, find_numbers
from followup.clinical.triage.text import Word
from followup.core.vocabulary import Question, Tier

COLDEST_F, HOTTEST_F = Decimal(94), Decimal(112)  #: numbers that can be a temperature at all
COLDEST_C, HOTTEST_C = Decimal(35), Decimal(44)
NEAR = 6  #: words between a fever word and its number


@dataclass(frozen=True, slots=True)
class PatientFacts:
    """What is known of the patient when the text came; all of it may be unknown."""

    rx_max: Decimal | None = None  #: most pills a day as prescribed
    plan_today: Decimal | None = None  #: the approved plan's level today
    days_past_end: int | None = None  #: whole days since the plan's 0 day
    reports_past_end: int = 0  #: earlier reports of pills 3 days or more after it
    zero_yesterday: bool = False
    regular_week: bool = False
    spine: bool = False
    pregnant: bool = False
    previous_pain: Decimal | None = None
    previous_pain_age: timedelta | None = None  #: how long ago that answer came


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason for a tier: its flags, the rule, and the words by index (None: the whole text)."""

    tier: Tier
    flags: tuple[str, ...]
    rule: str
    first: int | None = None
    last: int | None = None


def of_concepts(matches: Sequence[Match], lexicon: Lexicon) -> Iterator[Finding]:
    """Yield what each concept means, and what some mean together."""
    for match in matches:
        concept = lexicon.concepts[match.name]
        if concept.tier is not None:
            yield Finding(concept.tier, concept.flags, match.name, match.first, match.last)
    places = {match.name: match for match in reversed(matches)}
    for combined in lexicon.combinations:
        if all(name in places for name in combined.names):
            shown = places[combined.names[0]]
            yield Finding(combined.tier, combined.flags, "+".join(combined.names), shown.first, shown.last)


def of_fever(words: Sequence[Word], matches: Sequence[Match], lexicon: Lexicon) -> Iterator[Finding]:
    """Yield what a temperature means; a fever without a number is urgent."""
    for match in matches:
        if match.name != "fever":
            continue
        near = [
            number
            for number in find_numbers(words)
            if -NEAR <= number.index - match.last <= NEAR and _is_temperature(number.value)
        ]
        if near:
            yield from _of_temperature(max(near, key=lambda number: number.value), lexicon)
        elif not words[match.first].text.startswith("temp"):
            yield Finding(Tier.URGENT, ("infection",), "fever", match.first, match.last)


def of_answer(answer: Answer, facts: PatientFacts, lexicon: Lexicon) -> Iterator[Finding]:
    """Yield what the answer to the open question means."""
    question = answer.question
    if question is None:
        return
    if answer.over_scale:
        yield Finding(Tier.URGENT, ("severe_pain", "numeric"), "over_scale")
    elif answer.out_of_range:
        yield Finding(Tier.ROUTINE, ("unintelligible", "numeric"), "out_of_range")
        if question is Question.PILLS and answer.number is not None:
            yield Finding(*_of_count(answer.number, facts, lexicon), "pills")  # a slip of the thumb, or not
    elif answer.number is not None:
        yield from _of_number(question, answer.number, facts, lexicon)
    elif answer.yes is not None and (reading := lexicon.instruments.answer(question, answer.yes)):
        yield Finding(reading.tier, reading.flags, f"{question}_{'yes' if answer.yes else 'no'}")


def of_pills_in_words(
    words: Sequence[Word], matches: Sequence[Match], facts: PatientFacts, lexicon: Lexicon
) -> Iterator[Finding]:
    """Yield what "took 14 since last night" means, whatever was asked."""
    numbers = [number for number in find_numbers(words) if number.counts and not number.of_pain]
    for match in matches:
        near = [
            number
            for number in numbers
            if match.name == "took"
            and 0 < number.index - match.last <= 3
            and words[number.index].clause == words[match.last].clause
        ]
        for number in near:
            tier, flags = _of_count(number.value, facts, lexicon)
            if tier is not Tier.NONE:
                yield Finding(tier, (*flags, "numeric"), "pills_in_words", match.first, number.index)


def of_person(found: Sequence[Finding], facts: PatientFacts) -> Iterator[Finding]:
    """Yield what the patient's own story adds: it raises, never lowers."""
    for finding in found:
        if facts.spine and "urinary_retention" in finding.flags:
            yield Finding(Tier.EMERGENCY, ("cauda_equina",), "spine_retention", finding.first, finding.last)
        if facts.pregnant and {"mild_withdrawal", "severe_withdrawal"} & set(finding.flags):
            yield Finding(Tier.URGENT, ("pregnancy",), "pregnant_withdrawal", finding.first, finding.last)


def _is_temperature(value: Decimal) -> bool:
    return COLDEST_F <= value <= HOTTEST_F or COLDEST_C <= value <= HOTTEST_C


def _of_temperature(number: Number, lexicon: Lexicon) -> Iterator[Finding]:
    for fever in lexicon.fevers:
        if number.value >= (fever.fahrenheit if number.value > HOTTEST_C else fever.celsius):
            flags = {Tier.EMERGENCY: ("high_fever",), Tier.URGENT: ("infection",)}.get(
                fever.tier, ("low_fever",)
            )
            yield Finding(fever.tier, flags, "temperature", number.index, number.index)
            return


def _of_number(
    question: Question, number: Decimal, facts: PatientFacts, lexicon: Lexicon
) -> Iterator[Finding]:
    if question is Question.PILLS:
        report = pill_report(
            number,
            rx_max=facts.rx_max,
            plan_today=facts.plan_today,
            days_past_end=facts.days_past_end,
            reports_past_end=facts.reports_past_end,
            zero_yesterday=facts.zero_yesterday,
            regular_week=facts.regular_week,
        )
        yield Finding(report.tier, (*report.flags, "numeric"), "pills")
        yield Finding(*_of_count(number, facts, lexicon), "pills")
        return
    reading = lexicon.instruments.score(question, number)
    if reading is None:
        yield Finding(Tier.ROUTINE, ("unintelligible", "numeric"), "out_of_range")
        return
    yield Finding(reading.tier, (*reading.flags, "numeric"), str(question))
    if question is Question.PAIN and facts.previous_pain is not None and facts.previous_pain_age is not None:
        rise = lexicon.instruments.pain_rise(facts.previous_pain, number, facts.previous_pain_age)
        yield Finding(rise.tier, rise.flags, "pain_rise")


def _of_count(count: Decimal, facts: PatientFacts, lexicon: Lexicon) -> tuple[Tier, tuple[str, ...]]:
    if facts.rx_max is not None:
        report = pill_report(count, rx_max=facts.rx_max)
        return report.tier, report.flags
    if count >= lexicon.unknown_max:
        return Tier.EMERGENCY, ("overdose", "overuse")
    return Tier.NONE, ()
