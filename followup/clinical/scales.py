"""Score numbers and yes/no answers by the table of instruments."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from followup.clinical.tables import Row, whole
from followup.core.vocabulary import Question, Tier, worst

FILE = "instruments.toml"
WD5 = (Question.WD1, Question.WD2, Question.WD3, Question.WD4, Question.WD5)


@dataclass(frozen=True, slots=True)
class Reading:
    """What an answer means: tier and flags."""

    tier: Tier
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Band:
    """Numbers up to and including `up_to`."""

    up_to: Decimal
    reading: Reading


@dataclass(frozen=True, slots=True)
class Instrument:
    """The range and bands of one question."""

    low: Decimal
    high: Decimal
    round_up: bool
    whole: bool
    bands: tuple[Band, ...]

    def read(self, number: Decimal) -> Reading | None:
        """Return the band's reading; None when the number is out of range."""
        counted = Decimal(math.ceil(number)) if self.round_up and number.is_finite() else number
        if not self.low <= number <= self.high or (self.whole and number % 1):
            return None
        return next(band.reading for band in self.bands if counted <= band.up_to)


@dataclass(frozen=True, slots=True)
class WithdrawalScore:
    """The five withdrawal items together; `partial` when some were not answered."""

    total: Decimal
    partial: bool
    reading: Reading


@dataclass(frozen=True, slots=True)
class Instruments:
    """The compiled table of instruments."""

    questions: Mapping[Question, Instrument]
    answers: Mapping[Question, Mapping[bool, Reading]]
    routine_total: Decimal
    urgent_total: Decimal
    urgent_item: Decimal
    rise_by: Decimal
    rise_within: timedelta
    rise_now: Decimal

    @classmethod
    def from_table(cls, table: Mapping[str, Any], *, file: str = FILE) -> "Instruments":
        """Compile `instruments.toml`; raises ClinicalError naming file and row of a mistake."""
        top = whole(file, table)
        shared = top.section("shared")
        wd5, rise = top.section("wd5").cited(), top.section("rise").cited()
        return cls(
            questions={
                _question(row, key): _instrument(
                    shared.section(row.text("same_as")) if row.has("same_as") else row
                )
                for key, row in top.section("questions").items()
            },
            answers={
                _question(row, key): {
                    True: _reading(row.cited().section("yes")),
                    False: _reading(row.section("no")),
                }
                for key, row in top.section("answers").items()
            },
            routine_total=wd5.decimal("routine_total"),
            urgent_total=wd5.decimal("urgent_total"),
            urgent_item=wd5.decimal("urgent_item"),
            rise_by=rise.decimal("by"),
            rise_within=timedelta(hours=int(rise.decimal("hours"))),
            rise_now=rise.decimal("now"),
        )

    def score(self, question: Question, number: Decimal) -> Reading | None:
        """Return what the number means; None when it is out of range or the question takes none."""
        instrument = self.questions.get(question)
        return None if instrument is None else instrument.read(number)

    def answer(self, question: Question, yes: bool) -> Reading | None:
        """Return what a plain yes or no means; None when the question takes neither."""
        readings = self.answers.get(question)
        return None if readings is None else readings[yes]

    def withdrawal(
        self, items: Mapping[Question, Decimal], *, single: Decimal | None = None, pregnant: bool = False
    ) -> WithdrawalScore:
        """Score the items that came, with the single 0-4 answer: they can raise it, never lower it."""
        given = [items[question] for question in WD5 if question in items]
        total = sum(given, Decimal(0))
        if total >= self.urgent_total or any(item >= self.urgent_item for item in given):
            reading = Reading(Tier.URGENT, ("severe_withdrawal",))
        elif total >= self.routine_total:
            reading = Reading(Tier.ROUTINE, ("mild_withdrawal",))
        else:
            reading = Reading(Tier.NONE)
        partial = len(given) < len(WD5)
        alone = (self.score(Question.WITHDRAWAL, single) if single is not None else None) or Reading(
            Tier.NONE
        )
        flags = {**dict.fromkeys(reading.flags), **dict.fromkeys(alone.flags)}
        tier = worst(reading.tier, alone.tier, Tier.ROUTINE if partial else Tier.NONE)
        if pregnant and flags:
            tier, flags = worst(tier, Tier.URGENT), {**flags, "pregnancy": None}
        return WithdrawalScore(total, partial, Reading(tier, tuple(flags)))

    def pain_rise(self, before: Decimal, now: Decimal, apart: timedelta) -> Reading:
        """Return urgent when pain rose fast since the last answer, `apart` ago; none otherwise."""
        if now - before >= self.rise_by and now >= self.rise_now and apart <= self.rise_within:
            return Reading(Tier.URGENT, ("severe_pain",))
        return Reading(Tier.NONE)


def _question(row: Row, key: str) -> Question:
    if key not in list(Question):
        raise row.mistake("no question of that name")
    return Question(key)


def _instrument(row: Row) -> Instrument:
    low, high = row.cited().decimal("low"), row.decimal("high")
    bands = tuple(Band(band.decimal("up_to"), _reading(band)) for band in row.rows("bands"))
    ends = [band.up_to for band in bands]
    if not ends or ends != sorted(set(ends)) or not low <= ends[0] or ends[-1] != high:
        raise row.mistake("bands must ascend from low and end at high")
    return Instrument(low, high, row.flag("round_up"), row.flag("whole"), bands)


def _reading(row: Row) -> Reading:
    return Reading(row.word("tier", Tier), row.words("flags"))
