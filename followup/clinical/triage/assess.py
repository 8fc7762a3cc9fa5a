"""Judge one text: the most severe thing in it wins, and what is not understood goes to a person."""

from collections.abc import Sequence
from dataclasses import dataclass

from followup.clinical.keywords import Keyword, KeywordKind, read_keyword
from followup.clinical.phrases import Match
from followup.clinical.reply import Answer, answer_in
from followup.clinical.triage import rules
from followup.clinical.triage.lexicon import Lexicon
from followup.clinical.triage.rules import Finding, PatientFacts
from followup.clinical.triage.text import LIMIT, Text, mostly_foreign_script, read_text
from followup.core.vocabulary import Question, Tier, worst

STRANGE = 4  #: unknown words beside known harmless ones, from which a person looks


@dataclass(frozen=True, slots=True)
class Evidence:
    """The words that led to a tier: places in the original text, the words, the rule's name."""

    start: int
    end: int
    words: str
    rule: str


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a text means; `understood` is false when the program could not read it."""

    tier: Tier
    flags: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    understood: bool
    answer: Answer
    keyword: Keyword


def assess(
    text: str,
    *,
    question: Question | None,
    lexicon: Lexicon,
    facts: PatientFacts | None = None,
    answer: Answer | None = None,
) -> Assessment:
    """Return tier, flags and evidence of a patient's text; takes any string and never raises.

    `question` is the open question, `answer` its reading where the caller has one already.
    """
    facts = facts or PatientFacts()
    keyword = read_keyword(text, lexicon.keywords)
    read = read_text(text)
    answer = answer or answer_in(read, question)
    if keyword.reaction:
        return Assessment(Tier.NONE, ("ok",), (), True, answer, keyword)
    mended = Text(read.original, lexicon.speller.mend(read.words), read.clipped)
    matches = lexicon.find(mended.words)
    found = [
        *_of_keyword(keyword, question),
        *rules.of_answer(answer, facts, lexicon),
        *rules.of_concepts(matches, lexicon),
        *rules.of_fever(mended.words, matches, lexicon),
        *rules.of_pills_in_words(mended.words, matches, facts, lexicon),
        *_of_marks(text, read, matches),
    ]
    found += rules.of_person(found, facts)
    found += _unread(mended, matches, found, keyword, lexicon)
    return _sum_up(mended, found, answer, keyword)


def _of_keyword(keyword: Keyword, question: Question | None) -> list[Finding]:
    kind = keyword.kind
    if kind in (KeywordKind.STOP, KeywordKind.START, KeywordKind.HELP):
        return [Finding(Tier.NONE, (kind.lower(),), "keyword")]
    if keyword.unclear_optout:
        return [Finding(Tier.ROUTINE, ("stop",), "unclear_optout")]
    if kind is KeywordKind.CRAVE:
        return [Finding(Tier.URGENT, ("craving",), "keyword")]
    if kind is KeywordKind.CALL:
        return [Finding(Tier.ROUTINE, ("callback_request",), "keyword")]
    if kind is None or kind in (KeywordKind.YES, KeywordKind.NO):
        return []
    expected = question is Question.DISPOSAL and kind in (KeywordKind.DONE, KeywordKind.LATER)
    return [Finding(Tier.NONE if expected else Tier.ROUTINE, ("ok",) if expected else (), "keyword")]


def _of_marks(text: str, read: Text, matches: Sequence[Match]) -> list[Finding]:
    """Return what the writing itself says: a question mark, another script, more than we judge."""
    found = []
    if "?" in text[:LIMIT] and not any(match.name == "question" for match in matches):
        found.append(Finding(Tier.ROUTINE, ("question",), "question_mark"))
    if mostly_foreign_script(text):
        found.append(Finding(Tier.ROUTINE, ("other_language",), "script"))
    if read.clipped:
        found.append(Finding(Tier.ROUTINE, ("too_long",), "too_long"))
    return found


def _unread(
    read: Text, matches: Sequence[Match], found: Sequence[Finding], keyword: Keyword, lexicon: Lexicon
) -> list[Finding]:
    """Return the finding that sends a text without danger words to a person; none when it was understood."""
    machinery = keyword.kind in (KeywordKind.STOP, KeywordKind.START, KeywordKind.HELP)
    if machinery or any(finding.tier is not Tier.NONE for finding in found):
        return []
    if not found and any(word.text[0].isdigit() for word in read.words):
        return [Finding(Tier.ROUTINE, ("unintelligible", "numeric"), "number_unasked")]
    if not found and not any(lexicon.concepts[match.name].mask for match in matches):
        return [Finding(Tier.ROUTINE, ("unintelligible",), "not_understood")]
    covered = {place for match in matches for place in range(match.first, match.last + 1)}
    strange = [
        word
        for place, word in enumerate(read.words)
        if place not in covered and word.text not in lexicon.filler and not word.text[0].isdigit()
    ]
    if len(strange) >= STRANGE and len(strange) * 2 > len(read.words):
        return [Finding(Tier.ROUTINE, (), "unknown_words")]
    return []


def _sum_up(read: Text, found: Sequence[Finding], answer: Answer, keyword: Keyword) -> Assessment:
    tier = worst(*(finding.tier for finding in found))
    flags = tuple(dict.fromkeys(flag for finding in found for flag in finding.flags))
    if tier is not Tier.NONE:
        flags = tuple(flag for flag in flags if flag != "ok")
    elif not flags or set(flags) == {"numeric"}:
        flags = (*flags, "ok")
    shown = sorted(
        (finding for finding in found if finding.tier is not Tier.NONE),
        key=lambda finding: -finding.tier.rank,
    )
    return Assessment(
        tier,
        flags,
        tuple(_evidence(read, finding) for finding in shown),
        tier.rank >= Tier.URGENT.rank or "unintelligible" not in flags,
        answer,
        keyword,
    )


def _evidence(read: Text, finding: Finding) -> Evidence:
    if finding.first is None or finding.last is None:
        end = len(read.original[:LIMIT])
        return Evidence(0, end, read.original[:end], finding.rule)
    start, end = read.words[finding.first].start, read.words[finding.last].end
    return Evidence(start, end, read.original[start:end], finding.rule)
