"""Law for the words of one text in one language: what an SMS, a subject or a staff text may not say."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from followup.core.vocabulary import Channel, Language
from followup.messages.catalog import Message
from followup.messages.law import Law
from followup.messages.readability import (
    MIN_WORDS,
    ease,
    english_words,
    grade,
    spanish_words,
    spell_links,
)
from followup.messages.render import PLACEHOLDER
from followup.messages.segments import fold, is_gsm, size
from followup.messages.wording import Wording

_LINK_WORDS = {Language.EN: "the link", Language.ES: "el enlace"}


@dataclass(frozen=True, slots=True)
class Bench:
    """What a text is held against: the law, the shared wording, samples and keywords by language."""

    law: Law
    wording: Wording
    samples: Mapping[Language, Mapping[str, str]]
    keywords: Mapping[Language, frozenset[str]]

    @classmethod
    def of(cls, law: Law, wording: Wording) -> "Bench":
        """Build a bench, its samples and single keywords looked up once."""
        keywords = {
            language: frozenset(word for one in wording.keywords for word in one.words[language].split())
            for language in Language
        }
        return cls(law, wording, {language: wording.sample(language) for language in Language}, keywords)

    def fill(self, text: str, language: Language) -> str:
        """Return the text with sample values in place of known fields."""
        samples = self.samples[language]
        return PLACEHOLDER.sub(lambda found: samples.get(found[1], found[0]), text)


def folded(text: str, language: Language) -> str:
    """Return the text as an SMS shows it."""
    return fold(text) if language is Language.ES else text


def text_faults(message: Message, language: Language, bench: Bench) -> Iterator[str]:
    """Yield what is wrong with the words of one language."""
    text = message.texts[language]
    yield from _reading_faults(message, language, bench)
    if language is Language.ES and (hit := bench.law.never["informal"].search(text)):
        yield f"tú form: {hit[0]}; write usted"
    if Channel.SMS in message.channels:
        yield from _sms_faults(message, language, bench)
    if Channel.EMAIL in message.channels:
        yield from _subject_faults(message.subjects.get(language), bench)
    elif language in message.subjects:
        yield "a subject on a text that is no mail; leave it out"
    if message.kind == "email" and (hit := bench.law.never["drug"].search(fold(text).lower())):
        yield f"drug word in mail: {hit[0]}; leave it out"
    if message.audience == "staff" and (hit := bench.law.never["staff"].search(text)):
        yield f"a text to staff holds a clinical word: {hit[0]}; leave it to the page behind the link"


def measured(message: Message, language: Language, bench: Bench) -> float | None:
    """Return the English grade or Spanish ease of a text, or None where it is too short to measure."""
    words = english_words if language is Language.EN else spanish_words
    text = message.texts[language]
    if words(text) < MIN_WORDS:
        return None
    filled = bench.fill(spell_links(text, _LINK_WORDS[language]), language)
    return grade(filled) if language is Language.EN else ease(filled)


def _reading_faults(message: Message, language: Language, bench: Bench) -> Iterator[str]:
    score = measured(message, language, bench)
    if score is None or message.same_text:
        return
    if language is Language.EN and score > bench.law.max_grade:
        yield f"grade {score}, over {bench.law.max_grade}; use shorter words and sentences"
    if language is Language.ES and score < bench.law.min_ease:
        yield f"ease {score}, under {bench.law.min_ease}; use shorter words and sentences"


def _sms_faults(message: Message, language: Language, bench: Bench) -> Iterator[str]:
    text = folded(message.texts[language], language)
    filled = folded(bench.fill(message.texts[language], language), language)
    if bad := sorted({char for char in filled if not is_gsm(char)}):
        yield f"not GSM-7: {' '.join(bad)}; use plain signs"
    needs_prefix = "{org}" not in text and message.audience != "staff"
    prefix = bench.fill(bench.wording.prefix, language) if needs_prefix else ""
    if (length := size(prefix + filled)) > bench.law.max_size:
        yield f"too long: {length} of {bench.law.max_size} (two segments, with the prefix); shorten it"
    if re.search(r"\{link\}[.,;:!?)]", text):
        yield "a sign glued to the link breaks it; put a space or end the line"
    low = fold(text).lower()
    for name in ("drug", "clinic", "blame"):
        if hit := bench.law.never[name].search(low):
            yield f"{name} word: {hit[0]}; say it in plain words"
    if message.audience != "staff":
        yield from _patient_faults(message, low, bench)
        yield from _capital_faults(message, language, text, bench)


def _patient_faults(message: Message, low: str, bench: Bench) -> Iterator[str]:
    if hit := bench.law.never["score"].search(low):
        yield f"tells what a score means: {hit[0]}; leave that to a person"
    if message.kind != "education" and bench.law.never["addiction"].search(low):
        yield "addiction word outside education; leave it out"
    rule = bench.law.take_more
    for hit in rule.says.finditer(low):
        before, after = low[max(0, hit.start() - 14) : hit.start()], low[hit.end() : hit.end() + 14]
        if not (rule.before.search(before) or rule.after.search(after)):
            yield f"may read as advice to take more: {hit[0]}; say it another way"


def _capital_faults(message: Message, language: Language, text: str, bench: Bench) -> Iterator[str]:
    rule = bench.law.capitals
    known = bench.keywords[language] | rule.plain | rule.allowed.get(message.key, frozenset())
    for word in dict.fromkeys(re.findall(r"\b[A-ZÑ]{2,}\b", text)):
        if word not in known:
            yield f"{word} in capitals is no keyword; write it small or add the keyword"
        in_place = message.kind in rule.carrier_kinds or message.key in rule.carrier_keys
        if word in rule.carrier - rule.allowed.get(message.key, frozenset()) and not in_place:
            yield f"carrier word outside consent texts: {word}; carriers act on it"
        if word in ("YES", "SI") and message.asks not in rule.yes_asks and message.key not in rule.yes_keys:
            yield f"{word} is asked where it is no answer; ask for another word"


def _subject_faults(subject: str | None, bench: Bench) -> Iterator[str]:
    if not subject:
        yield "no subject on a text that goes by mail; add one"
        return
    low = fold(subject).lower()
    for name in ("drug", "clinic", "subject"):
        if hit := bench.law.never[name].search(low):
            yield f"the subject says too much: {hit[0]}; use a neutral line"
            return
