"""The road in: store what a person wrote before anything else, then understand it, once."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.orm import Session

from followup.clinical.keywords import KeywordKind, read_keyword, read_staff_code
from followup.clinical.reply import read_answer
from followup.core.vocabulary import Channel, Lane, Question, Tier
from followup.services import (
    alerts,
    answering,
    consent,
    keyword_acts,
    paging,
    recording,
    responding,
    staff_codes,
    strangers,
    web_answers,
)
from followup.services.hearing import Hearing, Processed
from followup.services.knowledge import Knowledge
from followup.services.receiving import Received, receive
from followup.services.understanding import Understood, note, understand
from followup.services.unread import give_to_a_person
from followup.services.web_answers import WebResult
from followup.store.models import Patient, StaffUser
from followup.store.queries import inbound as queries
from followup.store.session import Sessions

__all__ = ["Processed", "Received", "WebResult", "answer_web", "process", "receive", "sweep"]

log = logging.getLogger(__name__)

_BATCH = 100
_WHO = ("who", "quien", "quién")
_TRIES = 2  # a unique key may be taken by another writer between our look and our write; once more then


def process(
    sessions: Sessions,
    communication_id: UUID,
    *,
    knowledge: Knowledge,
    now: datetime,
    carrier_confirms_keywords: bool = True,
) -> Processed:
    """Understand one stored text in a transaction of its own; "already" when another process has done so.

    If understanding fails on it, a clinician is asked to read it and the person is told so. A database that
    cannot be reached is raised: the text stays unprocessed and the sweep takes it again.
    """
    for _ in range(_TRIES):
        try:
            with sessions.begin() as session:
                return _process(session, communication_id, knowledge, now, carrier_confirms_keywords)
        except (OperationalError, InterfaceError):
            raise
        except IntegrityError:
            log.warning("communication %s met another writer", communication_id)
        except Exception as failure:
            # Only its kind is logged: a traceback could hold the patient's words.
            log.error("understanding failed on %s: %s", communication_id, type(failure).__name__)
            break
    with sessions.begin() as session:
        return give_to_a_person(session, communication_id, knowledge, now)


def answer_web(
    sessions: Sessions,
    *,
    patient_id: UUID,
    request_id: UUID | None,
    answers: Sequence[tuple[Question, str]],
    comment: str,
    knowledge: Knowledge,
    now: datetime,
) -> WebResult:
    """Store the answers of one check-in page and its comment, then understand them as a text.

    `request_id` is the text whose link was followed. A second call amends the first. NotFound for a text that
    is not there. What is stored stays, whatever fails afterwards: the sweep takes it again.
    """
    with sessions.begin() as session:
        communication_id = web_answers.store(
            session, patient_id=patient_id, request_id=request_id, answers=answers, comment=comment, now=now
        )
    return WebResult.of(process(sessions, communication_id, knowledge=knowledge, now=now))


def sweep(
    sessions: Sessions,
    *,
    knowledge: Knowledge,
    now: datetime,
    older_than_seconds: float = 10,
    carrier_confirms_keywords: bool = True,
) -> int:
    """Understand what is stored and not yet understood, oldest first; return how many.

    One transaction each: a text that fails stays for the next sweep and does not stop the rest.
    """
    before = now - timedelta(seconds=older_than_seconds)
    understood = 0
    tried: list[UUID] = []
    while waiting := _waiting(sessions, before, tried):
        tried += waiting
        for communication_id in waiting:
            try:
                done = process(
                    sessions,
                    communication_id,
                    knowledge=knowledge,
                    now=now,
                    carrier_confirms_keywords=carrier_confirms_keywords,
                )
            except Exception as failure:
                log.error("inbound.sweep failed on %s: %s", communication_id, type(failure).__name__)
            else:
                understood += done.handling != "already"
    return understood


def _waiting(sessions: Sessions, before: datetime, tried: Sequence[UUID]) -> list[UUID]:
    with sessions.begin() as session:
        return list(queries.unprocessed(session, before, _BATCH, tried))


def _process(
    session: Session, communication_id: UUID, knowledge: Knowledge, now: datetime, carrier_confirms: bool
) -> Processed:
    communication = queries.take(session, communication_id, now)
    if communication is None:
        return Processed(frozenset(), "already")
    hearing = Hearing(
        session=session,
        organization=queries.organization(session, communication.organization_id),
        communication=communication,
        knowledge=knowledge,
        now=now,
        carrier_confirms_keywords=carrier_confirms,
    )
    done = web_answers.hear(hearing) if communication.channel is Channel.WEB else _hear(hearing)
    session.flush()
    lanes = done.lanes | ({Lane.STAT} if done.alert_id else set())
    return replace(done, lanes=frozenset(lanes))


def _hear(hearing: Hearing) -> Processed:
    found = queries.patients_at(hearing.session, hearing.organization.id, hearing.channel, hearing.address)
    staff = queries.staff_with_phone(hearing.session, hearing.organization.id, hearing.address)
    if staff is not None and (not found or read_staff_code(hearing.communication.body)):
        return _from_staff(hearing, staff)
    active = [(patient, is_shared) for patient, is_shared in found if patient.is_active] or list(found)
    patients = [patient for patient, _ in active]
    if not patients:
        return strangers.unknown(hearing)
    if len(patients) > 1:
        return strangers.shared(hearing, patients)
    hearing.about(patients[0])
    if any(is_shared for _, is_shared in active):
        return _from_shared_phone(hearing, patients[0])
    return _from_patient(hearing, patients[0])


def _from_shared_phone(hearing: Hearing, patient: Patient) -> Processed:
    """Take a text of the one patient we know at a phone that, staff say, several people answer."""
    question, hearing.asked = hearing.question, None
    if not read_answer(hearing.communication.body, question).given:
        return _from_patient(hearing, patient)
    # Whose number it is, nobody can tell: it never binds silently.
    hearing.patient = hearing.care_plan = hearing.communication.patient_id = None
    return strangers.shared(hearing, [patient])


def _from_staff(hearing: Hearing, staff: StaffUser) -> Processed:
    communication = hearing.communication
    communication.staff_id = staff.id
    hearing.lanes.add(Lane.STAT)
    keyword = read_keyword(communication.body, hearing.knowledge.rules.keywords)
    if keyword.kind is KeywordKind.STOP and keyword.clear:
        strangers.danger(hearing)
        return _staff_stop(hearing, staff)
    alert = staff_codes.act_on(
        hearing.session,
        communication,
        staff=staff,
        organization=hearing.organization,
        knowledge=hearing.knowledge,
        now=hearing.now,
    )
    if not read_staff_code(communication.body) and (danger := strangers.danger(hearing)):
        return hearing.done("staff_text", danger.tier, danger.id)
    return hearing.done("staff_code" if alert else "staff_text", Tier.NONE, alert.id if alert else None)


def _staff_stop(hearing: Hearing, staff: StaffUser) -> Processed:
    """Warn by mail that a phone gets no more pages, and ask the clinic's lead to see to it."""
    paging.answer(
        hearing.session,
        staff,
        message_key="staff_stop_warning",
        channel=Channel.EMAIL,
        address=staff.email,
        in_reply_to_id=hearing.communication.id,
        now=hearing.now,
    )
    task = alerts.open_task(
        hearing.session,
        hearing.organization.id,
        task="staff_phone_stopped",
        patient=None,
        now=hearing.now,
        knowledge=hearing.knowledge,
        communication=hearing.communication,
    )
    return hearing.done("staff_stopped", Tier.NONE, task.id)


def _from_patient(hearing: Hearing, patient: Patient) -> Processed:
    understood = understand(hearing)
    note(hearing, understood)
    keyword = understood.keyword
    if keyword.reaction:
        return hearing.done("reaction", Tier.NONE)
    if keyword.kind is KeywordKind.STOP and keyword.clear:
        stopped = keyword_acts.stop(hearing, understood, [patient])
        return _with_alert(hearing, patient, understood, stopped) if understood.is_danger else stopped
    if done := keyword_acts.answer_invitation(hearing, keyword, patient):
        return done
    if keyword.kind is KeywordKind.START and keyword.alone:
        return keyword_acts.start(hearing, [patient])
    if keyword.kind is KeywordKind.HELP and keyword.alone:
        return keyword_acts.help_(hearing, understood)
    if keyword.unclear_optout and not understood.is_danger:
        return keyword_acts.ask_if_stop(hearing, understood, patient)
    if keyword.kind is KeywordKind.FIX:
        return _fix(hearing, understood, patient)
    if done := keyword_acts.offered(hearing, understood, patient):
        return done
    return _words(hearing, understood, patient)


def _with_alert(hearing: Hearing, patient: Patient, understood: Understood, done: Processed) -> Processed:
    alert = keyword_acts.alert_for(hearing, patient, understood.tier, understood.flags)
    return hearing.done(done.handling, understood.tier, alert.id)


def _words(hearing: Hearing, understood: Understood, patient: Patient) -> Processed:
    recording.keep(hearing, understood.answer)
    alert = None
    if understood.tier is not Tier.NONE:
        alert = keyword_acts.alert_for(hearing, patient, understood.tier, understood.flags)
    is_invited = keyword_acts.is_invited(hearing, patient)
    is_wrong_number = _is_wrong_number(understood, is_invited=is_invited)
    if is_invited and not (understood.is_danger or is_wrong_number):
        said = answering.say(hearing, "consent_unclear", event="consent_other_answer")
    else:
        said = responding.respond(hearing, understood)
        recording.hold_if_needed(hearing, understood.tier, understood.answer)
        if is_wrong_number:
            _block_wrong_number(hearing, patient)
    handling = "could_not_read" if understood.crashed else _handling(said is not None, alert is not None)
    return hearing.done(handling, understood.tier, alert.id if alert else None)


def _is_wrong_number(understood: Understood, *, is_invited: bool) -> bool:
    if understood.tier is not Tier.ROUTINE or "wrong_number" not in understood.flags:
        return False
    said = [one.words.casefold() for one in understood.assessment.evidence if one.rule == "wrong_number"]
    # "Who is this?" to an invitation is a question, not yet the word of a stranger.
    return not is_invited or not all(words.startswith(_WHO) for words in said)


def _block_wrong_number(hearing: Hearing, patient: Patient) -> None:
    """Send nothing more to a number that may be a stranger's, until a person has found out."""
    consent.wrong_number(
        hearing.session,
        patient,
        channel=hearing.channel,
        address=hearing.address,
        communication_id=hearing.communication.id,
        now=hearing.now,
    )
    alerts.refresh_reach(hearing.session, patient)


def _handling(is_answered: bool, is_alerted: bool) -> str:
    if is_alerted:
        return "alerted"
    return "answered" if is_answered else "ignored_none"


def _fix(hearing: Hearing, understood: Understood, patient: Patient) -> Processed:
    """Store the right number beside the first one and judge it anew; an open alert stays open."""
    number = understood.keyword.number
    before = queries.latest_response(hearing.session, hearing.organization.id, patient.id)
    if number is None or before is None:
        answering.say(hearing, "fix_help")
        return hearing.done("keyword", Tier.NONE)
    fixed = understand(hearing, text=number, question=before.question)
    note(hearing, fixed)
    recording.keep(hearing, fixed.answer, amends=before)
    alert = None
    if fixed.tier is not Tier.NONE:
        alert = keyword_acts.alert_for(hearing, patient, fixed.tier, fixed.flags)
    if fixed.is_danger or not fixed.answer.given:
        responding.respond(hearing, fixed)
    else:
        answering.say(hearing, "fix_done", fields={"n": number})
    recording.hold_if_needed(hearing, fixed.tier, fixed.answer)
    return hearing.done("fixed", fixed.tier, alert.id if alert else None)
