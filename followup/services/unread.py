"""Give a person what broke our understanding: urgent, answered, and a STOP in it still holds."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy.orm import Session

from followup.clinical.keywords import read_keyword
from followup.core.vocabulary import AlertKind, Channel, Lane, Tier
from followup.services import alerts, answering, consent, web_answers
from followup.services.hearing import Hearing, Processed
from followup.services.knowledge import Knowledge
from followup.store.models import Patient
from followup.store.queries import inbound as queries


def give_to_a_person(
    session: Session, communication_id: UUID, knowledge: Knowledge, now: datetime
) -> Processed:
    """Make a text that broke our understanding urgent for all whose it may be, and answer its writer."""
    communication = queries.take(session, communication_id, now)
    if communication is None:
        return Processed(frozenset(), "already")
    organization = queries.organization(session, communication.organization_id)
    hearing = Hearing(session, organization, communication, knowledge, now)
    patients = _whose(hearing)
    is_web = hearing.channel is Channel.WEB
    words = web_answers.comment_of(communication) if is_web else communication.body
    is_stop = web_answers.is_stop(read_keyword(words, knowledge.rules.keywords))
    if is_stop:
        _end_texts(hearing, patients)
    alert_id = _raise(hearing, patients, is_blocked=is_stop)
    key = "auto_optout_danger" if is_stop and not is_web else answering.worded(hearing, "auto_urgent")
    if not is_web:
        answering.safety(hearing, key)
    hearing.lanes.add(Lane.STAT)
    done = hearing.done("could_not_read", Tier.URGENT, alert_id)
    return replace(done, message_key=key if is_web else None)


def _whose(hearing: Hearing) -> list[Patient]:
    communication, organization = hearing.communication, hearing.organization
    if communication.channel is Channel.WEB:
        patients = [queries.lock_patient(hearing.session, cast(UUID, communication.patient_id))]
    else:
        found = queries.patients_at(hearing.session, organization.id, hearing.channel, hearing.address)
        patients = [patient for patient, _ in found]
    if len(patients) == 1:
        hearing.about(patients[0])
    return patients


def _end_texts(hearing: Hearing, patients: Sequence[Patient]) -> None:
    if hearing.channel is Channel.WEB:
        web_answers.end_texts(hearing, patients[0])
        return
    consent.opt_out(
        hearing.session, hearing.organization.id, channel=hearing.channel, address=hearing.address,
        patients=patients, communication_id=hearing.communication.id, knowledge=hearing.knowledge,
        now=hearing.now,
    )  # fmt: skip


def _raise(hearing: Hearing, patients: Sequence[Patient], *, is_blocked: bool) -> UUID:
    whose: Sequence[Patient | None] = patients or [None]
    raised = [
        alerts.trigger(
            hearing.session,
            hearing.organization,
            kind=AlertKind.REPLY if patients else AlertKind.UNKNOWN_SENDER,
            tier=Tier.URGENT,
            patient=patient,
            sender=hearing.address or None,
            communication=hearing.communication,
            flags=("unintelligible",),
            knowledge=hearing.knowledge,
            now=hearing.now,
        )
        for patient in whose
    ]
    for alert in raised:
        alert.cannot_text = alert.cannot_text or is_blocked
    return raised[0].id
