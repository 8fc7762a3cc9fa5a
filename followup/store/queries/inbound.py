"""Find what came in and is not understood, whose it is, what it answers, and what was answered lately.

`organization_of`, `unprocessed` and `take` serve the road in of all clinics; everything else sees one clinic.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from followup.core.vocabulary import (
    Audience,
    Channel,
    CommunicationStatus,
    Direction,
    Question,
    RequestOrigin,
    RequestStatus,
    Tier,
)
from followup.store.models import (
    CarePlan,
    Communication,
    CommunicationRequest,
    ContactPoint,
    Organization,
    Patient,
    QuestionnaireResponse,
    SenderNumber,
    StaffUser,
)

_WENT = (RequestStatus.IN_PROGRESS, RequestStatus.COMPLETED)


@dataclass(frozen=True)
class Asked:
    """A question that a patient was asked: its request, and when it went."""

    request: CommunicationRequest
    question: Question
    asked_at: datetime


def organization_of(session: Session, e164: str) -> UUID | None:
    """Return the clinic, of all clinics, that a number of ours belongs to."""
    return session.scalar(select(SenderNumber.organization_id).where(SenderNumber.e164 == e164))


def lock_number(session: Session, organization_id: UUID, e164: str | None) -> None:
    """Let one transaction at a time answer people who are no patients, by a lock on the number."""
    session.execute(
        select(SenderNumber.id)
        .where(SenderNumber.organization_id == organization_id, SenderNumber.e164 == e164)
        .with_for_update(key_share=True)
    )


def unprocessed(
    session: Session, before: datetime, limit: int, skip: Collection[UUID] = ()
) -> Sequence[UUID]:
    """Return ids, in all clinics, of what was stored before an instant and is not understood, in order."""
    return session.scalars(
        select(Communication.id)
        .where(
            Communication.direction == Direction.IN,
            Communication.processed_at.is_(None),
            Communication.received_at <= before,
            Communication.id.not_in(skip),
        )
        .order_by(Communication.received_at, Communication.id)
        .limit(limit)
    ).all()


def take(session: Session, communication_id: UUID, now: datetime) -> Communication | None:
    """Mark a text as understood in this transaction and return it; None if another did, of any clinic."""
    won = session.execute(
        update(Communication)
        .where(
            Communication.id == communication_id,
            Communication.direction == Direction.IN,
            Communication.processed_at.is_(None),
        )
        .values(processed_at=now, status=CommunicationStatus.COMPLETED)
        .execution_options(synchronize_session=False)
    )
    if not won.rowcount:  # type: ignore[attr-defined]
        return None
    return session.get_one(Communication, communication_id, populate_existing=True)


def staff_with_phone(session: Session, organization_id: UUID, phone: str) -> StaffUser | None:
    """Return the active member of a clinic's staff with this phone."""
    return session.scalars(
        select(StaffUser)
        .where(StaffUser.organization_id == organization_id, StaffUser.phone == phone, StaffUser.is_active)
        .order_by(StaffUser.id)
        .limit(1)
    ).one_or_none()


def patients_at(
    session: Session, organization_id: UUID, system: Channel, value: str
) -> Sequence[tuple[Patient, bool]]:
    """Return a clinic's patients with this present address, and whether several people answer there.

    The patients are locked in the order of their ids until the transaction ends, so that two texts of one
    person are understood one after the other.
    """
    rows = session.execute(
        select(Patient, ContactPoint.is_shared)
        .join(ContactPoint, ContactPoint.patient_id == Patient.id)
        .where(
            Patient.organization_id == organization_id,
            ContactPoint.organization_id == organization_id,
            ContactPoint.system == system,
            ContactPoint.value == value,
            ContactPoint.ended_at.is_(None),
        )
        .order_by(Patient.id)
        .with_for_update(key_share=True, of=Patient)
    )
    return [(patient, is_shared) for patient, is_shared in rows]


def lock_patient(session: Session, patient_id: UUID) -> Patient:
    """Return a patient, locked until the transaction ends."""
    return session.scalars(
        select(Patient).where(Patient.id == patient_id).with_for_update(key_share=True)
    ).one()


def newest_care_plan(session: Session, organization_id: UUID, patient_id: UUID) -> CarePlan | None:
    """Return the patient's newest plan, whatever became of it."""
    return session.scalars(
        select(CarePlan)
        .where(CarePlan.organization_id == organization_id, CarePlan.patient_id == patient_id)
        .order_by(CarePlan.created_at.desc(), CarePlan.id.desc())
        .limit(1)
    ).one_or_none()


def last_question(
    session: Session, organization_id: UUID, patient_id: UUID, channel: Channel, since: datetime
) -> Asked | None:
    """Return the newest question that went, or may have gone, to a patient since an instant."""
    found = _asked(organization_id, patient_id, since).where(Communication.channel == channel)
    row = session.execute(found.limit(1)).first()
    return Asked(row[0], row[1], row[2]) if row else None


def was_asked(
    session: Session, organization_id: UUID, patient_id: UUID, question: Question, since: datetime
) -> bool:
    """Tell whether a patient was asked this since an instant."""
    found = _asked(organization_id, patient_id, since).where(Communication.asks == question)
    return session.execute(found.limit(1)).first() is not None


def _asked(organization_id: UUID, patient_id: UUID, since: datetime) -> Any:
    # A text in progress or unknown may have arrived: an answer to it proves that it did.
    asked_at = func.coalesce(
        Communication.sent_at, Communication.created_at, type_=Communication.created_at.type
    )
    return (
        select(CommunicationRequest, Communication.asks, asked_at)
        .join(CommunicationRequest, CommunicationRequest.id == Communication.request_id)
        .where(
            Communication.organization_id == organization_id,
            Communication.patient_id == patient_id,
            Communication.direction == Direction.OUT,
            Communication.status != CommunicationStatus.NOT_DONE,
            Communication.asks.is_not(None),
            Communication.asks != Question.CONSENT,
            asked_at >= since,
        )
        .order_by(asked_at.desc(), Communication.id.desc())
    )


def checkin_of(
    session: Session, organization_id: UUID, patient_id: UUID, asked_at: datetime
) -> CommunicationRequest | None:
    """Return the newest planned question that had gone when another was asked: the check-in of that one."""
    return session.scalars(
        select(CommunicationRequest)
        .where(
            CommunicationRequest.organization_id == organization_id,
            CommunicationRequest.patient_id == patient_id,
            CommunicationRequest.origin == RequestOrigin.PLANNED,
            CommunicationRequest.asks.is_not(None),
            CommunicationRequest.status.in_(_WENT),
            CommunicationRequest.due_at <= asked_at,
        )
        .order_by(CommunicationRequest.due_at.desc(), CommunicationRequest.id.desc())
        .limit(1)
    ).one_or_none()


def was_said(
    session: Session, organization_id: UUID, address: str, keys: Collection[str], since: datetime
) -> bool:
    """Tell whether one of these texts was written to an address since an instant."""
    return count_said(session, organization_id, address, keys, since) > 0


def count_said(
    session: Session, organization_id: UUID, address: str, keys: Collection[str], since: datetime | None
) -> int:
    """Return how often these texts were written to an address, since an instant or ever."""
    conditions = [CommunicationRequest.message_key.in_(keys)]
    return _count(session, organization_id, address, conditions, since)


def count_replies(
    session: Session,
    organization_id: UUID,
    address: str,
    origin: RequestOrigin,
    since: datetime,
    *,
    not_counted: Collection[str],
) -> int:
    """Return how many automatic answers an address got since an instant, but for a check-in's questions."""
    conditions: list[ColumnElement[bool]] = [
        CommunicationRequest.origin == origin,
        CommunicationRequest.in_reply_to_id.is_not(None),
        CommunicationRequest.message_key.not_in(not_counted),
        CommunicationRequest.asks.is_(None) | (CommunicationRequest.asks == Question.CONSENT),
    ]
    return _count(session, organization_id, address, conditions, since)


def _count(
    session: Session,
    organization_id: UUID,
    address: str,
    conditions: Sequence[ColumnElement[bool]],
    since: datetime | None,
) -> int:
    found = select(func.count()).select_from(CommunicationRequest)
    found = found.where(
        CommunicationRequest.organization_id == organization_id,
        CommunicationRequest.address == address,
        CommunicationRequest.audience != Audience.STAFF,
        CommunicationRequest.status != RequestStatus.REVOKED,
        *conditions,
    )
    if since is not None:
        found = found.where(CommunicationRequest.created_at > since)
    return session.scalar(found) or 0


def answers_to(session: Session, heard: Communication, message_key: str) -> Sequence[CommunicationRequest]:
    """Return what answers a stored text with this text of ours, unless it was taken back."""
    found = select(CommunicationRequest).where(
        CommunicationRequest.organization_id == heard.organization_id,
        CommunicationRequest.in_reply_to_id == heard.id,
        CommunicationRequest.message_key == message_key,
        CommunicationRequest.status != RequestStatus.REVOKED,
    )
    return session.scalars(found).all()


def latest_response(
    session: Session,
    organization_id: UUID,
    patient_id: UUID,
    *,
    question: Question | None = None,
    request_id: UUID | None = None,
    since: datetime | None = None,
) -> QuestionnaireResponse | None:
    """Return a patient's newest answer: to one question, to one request, or with a number to anything."""
    conditions: list[Any] = [QuestionnaireResponse.number.is_not(None)] if question is None else []
    if question is not None:
        conditions.append(QuestionnaireResponse.question == question)
    if request_id is not None:
        conditions.append(QuestionnaireResponse.request_id == request_id)
    if since is not None:
        conditions.append(QuestionnaireResponse.authored_at >= since)
    return session.scalars(
        select(QuestionnaireResponse)
        .where(
            QuestionnaireResponse.organization_id == organization_id,
            QuestionnaireResponse.patient_id == patient_id,
            *conditions,
        )
        .order_by(QuestionnaireResponse.authored_at.desc(), QuestionnaireResponse.id.desc())
        .limit(1)
    ).one_or_none()


def responses_to(
    session: Session, organization_id: UUID, patient_id: UUID, question: Question
) -> Sequence[QuestionnaireResponse]:
    """Return every answer of a patient to one question, oldest first."""
    return session.scalars(
        select(QuestionnaireResponse)
        .where(
            QuestionnaireResponse.organization_id == organization_id,
            QuestionnaireResponse.patient_id == patient_id,
            QuestionnaireResponse.question == question,
        )
        .order_by(QuestionnaireResponse.authored_at, QuestionnaireResponse.id)
    ).all()


def wrote_danger(session: Session, organization_id: UUID, patient_id: UUID, since: datetime) -> bool:
    """Tell whether a patient sent an urgent or emergency text since an instant."""
    found = select(Communication.id).where(
        Communication.organization_id == organization_id,
        Communication.patient_id == patient_id,
        Communication.direction == Direction.IN,
        Communication.tier.in_((Tier.URGENT, Tier.EMERGENCY)),
        Communication.received_at >= since,
    )
    return session.execute(found.limit(1)).first() is not None


def still_to_ask(session: Session, organization_id: UUID, patient_id: UUID, question: Question) -> bool:
    """Tell whether a planned text that asks this still waits to go."""
    found = select(CommunicationRequest.id).where(
        CommunicationRequest.organization_id == organization_id,
        CommunicationRequest.patient_id == patient_id,
        CommunicationRequest.origin == RequestOrigin.PLANNED,
        CommunicationRequest.status == RequestStatus.ACTIVE,
        CommunicationRequest.asks == question,
    )
    return session.execute(found.limit(1)).first() is not None


def organization(session: Session, organization_id: UUID) -> Organization:
    """Return a clinic."""
    return session.get_one(Organization, organization_id)
