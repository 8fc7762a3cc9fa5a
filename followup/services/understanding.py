"""Say what a patient's text means: triage with what is known of the patient, and what the service adds."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from followup.clinical import timing
from followup.clinical.keywords import Keyword, KeywordKind, read_keyword
from followup.clinical.reply import Answer
from followup.clinical.triage.assess import Assessment, Evidence, assess
from followup.clinical.triage.rules import PatientFacts
from followup.core.vocabulary import Question, Tier, worst
from followup.services import planning
from followup.services import taper as tapers
from followup.services.hearing import Hearing
from followup.services.knowledge import Knowledge
from followup.store.models import CarePlan, Patient, TaperPlan
from followup.store.queries import inbound as queries
from followup.store.queries import tapers as taper_queries

log = logging.getLogger(__name__)

LONGEST = 1600  #: characters that one text may have; what is longer is read in part, so a person looks
_PAST_END_DAYS = 3  #: the taxonomy: any opioid 3 days or more after the plan's 0-day
_REGULAR_DAYS = 7  #: reference 5.3, pill rules: after 7 days or more of regular use
_LOW_AGAIN = timedelta(days=7)  #: reference 7.4: a second 3 within 7 days is urgent
_LOW = Decimal(3)
_PAIN_ASKED = timedelta(hours=48)  #: reference 7.4: 8 or more within 48 h of a pain question is urgent
_SEVERE, _MOST = Decimal(8), Decimal(10)
_BROKEN = "\ufffd"  #: stands where a byte could not be read


@dataclass(frozen=True)
class Understood:
    """What a text means, by the rules and by what the service adds; `crashed` if the rules failed on it."""

    assessment: Assessment
    is_media: bool = False
    is_cut: bool = False
    crashed: bool = False

    @property
    def tier(self) -> Tier:
        """Return how fast a person must look."""
        return self.assessment.tier

    @property
    def flags(self) -> tuple[str, ...]:
        """Return the taxonomy's words."""
        return self.assessment.flags

    @property
    def keyword(self) -> Keyword:
        """Return the keyword that the text is, if any."""
        return self.assessment.keyword

    @property
    def answer(self) -> Answer:
        """Return the answer to the open question."""
        return self.assessment.answer

    @property
    def is_danger(self) -> bool:
        """Tell whether a clinician must look today or now."""
        return self.tier in (Tier.URGENT, Tier.EMERGENCY)


def understand(hearing: Hearing, *, text: str | None = None, question: Question | None = None) -> Understood:
    """Judge the text of the hearing, or another `text` for another `question`.

    Where the rules fail on it, the text is urgent and a person reads it: never silence.
    """
    words = hearing.communication.body if text is None else text
    asked = question or hearing.question
    facts = _facts(hearing)
    try:
        assessed = assess(words, question=asked, lexicon=hearing.knowledge.rules.lexicon, facts=facts)
    except Exception as failure:
        # Only its kind is logged: a traceback could hold the patient's words.
        log.error("triage failed on communication %s: %s", hearing.communication.id, type(failure).__name__)
        return Understood(_unread(hearing.knowledge, words, asked), crashed=True)
    assessed = _added(hearing, assessed, asked)
    if text is not None:
        return Understood(assessed)
    return _as_it_came(hearing, assessed)


def note(hearing: Hearing, understood: Understood) -> None:
    """Write tier, flags and the words behind them on the stored text."""
    note_all(hearing, [understood], understood.tier, understood.flags)


def note_all(hearing: Hearing, understood: Sequence[Understood], tier: Tier, flags: Iterable[str]) -> None:
    """Write on the stored text what its parts came to, and the words behind it."""
    communication = hearing.communication
    communication.tier = tier
    communication.flags = list(flags)
    communication.evidence = [_shown(one) for part in understood for one in part.assessment.evidence]


def raised(assessment: Assessment, tier: Tier, flags: Iterable[str], rule: str) -> Assessment:
    """Return the assessment with a tier and flags added: the worst tier wins, it is never lowered."""
    end = len(assessment.answer.words)
    evidence = (*assessment.evidence, Evidence(0, end, assessment.answer.words, rule))
    together = tuple(dict.fromkeys((*(one for one in assessment.flags if one != "ok"), *flags)))
    return replace(assessment, tier=worst(assessment.tier, tier), flags=together, evidence=evidence)


def _as_it_came(hearing: Hearing, assessed: Assessment) -> Understood:
    body = hearing.communication.body
    is_media = hearing.communication.media_count > 0 or not body.strip()
    is_cut = len(body) > LONGEST or _BROKEN in body
    if is_media:
        assessed = raised(assessed, Tier.ROUTINE, ("unintelligible",), "media_or_empty")
    elif is_cut:
        assessed = raised(assessed, Tier.ROUTINE, ("unintelligible",), "too_long_or_broken")
    return Understood(assessed, is_media=is_media, is_cut=is_cut)


def _unread(knowledge: Knowledge, words: str, question: Question | None) -> Assessment:
    # A STOP acts even when nothing else can be read.
    keyword = read_keyword(words, knowledge.rules.keywords)
    kept = keyword if keyword.kind is KeywordKind.STOP else Keyword()
    evidence = (Evidence(0, len(words), words, "could_not_read"),)
    return Assessment(Tier.URGENT, ("unintelligible",), evidence, False, Answer(question, words=words), kept)


def _shown(evidence: Evidence) -> dict[str, Any]:
    return {
        "start": evidence.start,
        "end": evidence.end,
        "words": evidence.words[:LONGEST].replace("\x00", _BROKEN),
        "rule": evidence.rule,
    }


def _added(hearing: Hearing, assessed: Assessment, question: Question | None) -> Assessment:
    if hearing.patient is None or assessed.keyword.reaction:
        return assessed
    answer = assessed.answer
    if answer.ambiguous and not answer.given and _wants_yes_or_no(hearing):
        return raised(assessed, Tier.ROUTINE, ("unintelligible",), "ok_is_no_answer")
    if question is Question.MOOD and answer.number == _LOW and _was_low(hearing, hearing.patient):
        return raised(assessed, Tier.URGENT, ("depression",), "mood_low_twice")
    if question is None and _is_late_pain(hearing, hearing.patient, assessed):
        return raised(assessed, Tier.URGENT, ("severe_pain",), "late_severe_pain")
    return assessed


def _wants_yes_or_no(hearing: Hearing) -> bool:
    # "Reply DONE or LATER" has the question of disposal too, and an "ok" to it is plain politeness.
    return hearing.request is None or not hearing.request.message_key.startswith("disposal_")


def _was_low(hearing: Hearing, patient: Patient) -> bool:
    since = hearing.now - _LOW_AGAIN
    asked = hearing.request.id if hearing.request else None
    before = queries.responses_to(hearing.session, hearing.organization.id, patient.id, Question.MOOD)
    return any(one.number == _LOW and one.authored_at >= since and one.request_id != asked for one in before)


def _is_late_pain(hearing: Hearing, patient: Patient, assessed: Assessment) -> bool:
    numbers = assessed.answer.numbers
    is_bare = len(numbers) == 1 and not any(letter.isalpha() for letter in assessed.answer.words)
    return (
        is_bare
        and _SEVERE <= numbers[0] <= _MOST
        and queries.was_asked(
            hearing.session,
            hearing.organization.id,
            patient.id,
            Question.PAIN,
            hearing.now - _PAIN_ASKED,
        )
    )


def _facts(hearing: Hearing) -> PatientFacts:
    patient, care_plan = hearing.patient, hearing.care_plan
    if patient is None:
        return PatientFacts()
    prescription = taper_queries.prescription_of(hearing.session, hearing.organization.id, patient.id)
    taper = planning.running_taper(hearing.session, care_plan) if care_plan else None
    pain = queries.latest_response(
        hearing.session, hearing.organization.id, patient.id, question=Question.PAIN
    )
    facts = PatientFacts(
        rx_max=prescription.max_units_per_day if prescription else None,
        spine=care_plan.is_spine if care_plan else False,
        pregnant=care_plan.is_pregnant if care_plan else False,
        previous_pain=pain.number if pain else None,
        previous_pain_age=hearing.now - pain.authored_at if pain else None,
    )
    if taper is None or care_plan is None:
        return facts
    regular = bool(prescription and prescription.is_regular and taper.days_taken >= _REGULAR_DAYS)
    return _with_taper(hearing, facts, patient, care_plan, taper, regular)


def _with_taper(
    hearing: Hearing,
    facts: PatientFacts,
    patient: Patient,
    care_plan: CarePlan,
    taper: TaperPlan,
    regular: bool,
) -> PatientFacts:
    today = timing.local_date(hearing.now, patient.time_zone)
    last = taper_queries.steps_of(hearing.session, taper.id)[-1:]
    zero_on = last[0].starts_on if last and last[0].max_units == 0 else None
    reports = queries.responses_to(hearing.session, hearing.organization.id, patient.id, Question.PILLS)
    before = [one for one in reports if one.local_on < today and one.number is not None]
    late = [
        one for one in reports if zero_on and one.number and (one.local_on - zero_on).days >= _PAST_END_DAYS
    ]
    return replace(
        facts,
        plan_today=tapers.level_on(hearing.session, taper, today),
        days_past_end=(today - zero_on).days if zero_on and zero_on <= today else None,
        reports_past_end=len(late),
        zero_yesterday=bool(before) and before[-1].number == 0,
        regular_week=regular,
    )
