"""Find alerts, and the people to be told of them.

Functions with `organization_id` are for the web and see one clinic only. `due_alerts` reads across clinics:
it is for the worker that climbs the ladder.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Select, case, exists, select
from sqlalchemy.orm import Session

from followup.core.vocabulary import (
    AlertEventKind,
    AlertKind,
    AlertStatus,
    ConsentStatus,
    FlagStatus,
    RequestOrigin,
    RequestStatus,
    StaffRole,
    Tier,
)
from followup.store.models import (
    Alert,
    AlertEvent,
    Communication,
    CommunicationRequest,
    Consent,
    ContactPoint,
    Flag,
    StaffUser,
    Suppression,
)

_TAKES_ALERTS = (StaffRole.CLINICIAN, StaffRole.PRESCRIBER, StaffRole.ADMIN)
#: What adds words to an alert, and what says that a person has seen those that were there.
_WORDS = (AlertEventKind.TRIGGERED, AlertEventKind.FLAG_ADDED, AlertEventKind.RAISED)
_SEEN = (AlertEventKind.ACKNOWLEDGED, AlertEventKind.TAKEN_OVER)
_BY_TIER = case({tier: tier.rank for tier in Tier}, value=Alert.tier)


def open_alerts(session: Session, organization_id: UUID) -> Sequence[Alert]:
    """Return a clinic's open alerts: worst first, then those without an owner, then the oldest."""
    waiting = case((Alert.status == AlertStatus.TRIGGERED, 0), else_=1)
    return session.scalars(
        select(Alert)
        .where(Alert.organization_id == organization_id, Alert.status != AlertStatus.RESOLVED)
        .order_by(_BY_TIER.desc(), waiting, Alert.triggered_at, Alert.id)
    ).all()


def alert_by_public_id(session: Session, organization_id: UUID, public_id: str) -> Alert | None:
    """Return a clinic's alert by the id of its address, open or closed."""
    return session.scalars(
        select(Alert).where(Alert.organization_id == organization_id, Alert.public_id == public_id)
    ).one_or_none()


def open_alert_by_code(session: Session, organization_id: UUID, code: str) -> Alert | None:
    """Return a clinic's open alert by its texted code."""
    return session.scalars(
        select(Alert).where(
            Alert.organization_id == organization_id, Alert.code == code, Alert.status != AlertStatus.RESOLVED
        )
    ).one_or_none()


def open_codes(session: Session, organization_id: UUID) -> set[str]:
    """Return the codes that a clinic's open alerts use up."""
    return set(
        session.scalars(
            select(Alert.code).where(
                Alert.organization_id == organization_id, Alert.status != AlertStatus.RESOLVED
            )
        )
    )


def open_patient_alert(
    session: Session, organization_id: UUID, kind: AlertKind, patient_id: UUID
) -> Alert | None:
    """Return the oldest open alert of a kind about a patient's own words, locked for this transaction."""
    return session.scalars(
        select(Alert)
        .where(
            Alert.organization_id == organization_id,
            Alert.patient_id == patient_id,
            Alert.kind == kind,
            Alert.status != AlertStatus.RESOLVED,
        )
        .order_by(Alert.id)
        .limit(1)
        .with_for_update(key_share=True)
    ).one_or_none()


def open_sender_alert(session: Session, organization_id: UUID, kind: AlertKind, sender: str) -> Alert | None:
    """Return the oldest open alert of a kind about a number that is no patient's own, locked."""
    return session.scalars(
        select(Alert)
        .where(
            Alert.organization_id == organization_id,
            Alert.kind == kind,
            Alert.sender == sender,
            Alert.patient_id.is_(None),
            Alert.status != AlertStatus.RESOLVED,
        )
        .order_by(Alert.id)
        .limit(1)
        .with_for_update(key_share=True)
    ).one_or_none()


def open_task_alert(
    session: Session, organization_id: UUID, patient_id: UUID | None, task: str
) -> Alert | None:
    """Return the open staff task of this name about this patient, or about the clinic when there is none."""
    about = Alert.patient_id.is_(None) if patient_id is None else Alert.patient_id == patient_id
    return session.scalars(
        select(Alert)
        .where(
            Alert.organization_id == organization_id,
            Alert.kind == AlertKind.STAFF_TASK,
            Alert.task == task,
            Alert.status != AlertStatus.RESOLVED,
            about,
        )
        .order_by(Alert.id)
        .limit(1)
    ).one_or_none()


def open_alerts_of(session: Session, organization_id: UUID, patient_id: UUID) -> Sequence[Alert]:
    """Return every open alert about one patient, oldest first."""
    return session.scalars(
        select(Alert)
        .where(
            Alert.organization_id == organization_id,
            Alert.patient_id == patient_id,
            Alert.status != AlertStatus.RESOLVED,
        )
        .order_by(Alert.id)
    ).all()


def events_of(session: Session, organization_id: UUID, alert_id: UUID) -> Sequence[AlertEvent]:
    """Return what happened to an alert, oldest first."""
    return session.scalars(
        select(AlertEvent)
        .where(AlertEvent.organization_id == organization_id, AlertEvent.alert_id == alert_id)
        .order_by(AlertEvent.created_at, AlertEvent.id)
    ).all()


def words_behind(session: Session, organization_id: UUID, alert_id: UUID) -> Sequence[Communication]:
    """Return the texts that raised an alert, oldest first; only for people who have signed in."""
    named = select(AlertEvent.communication_id).where(
        AlertEvent.organization_id == organization_id,
        AlertEvent.alert_id == alert_id,
        AlertEvent.kind.in_(_WORDS),
    )
    return session.scalars(
        select(Communication)
        .where(Communication.organization_id == organization_id, Communication.id.in_(named))
        .order_by(Communication.created_at, Communication.id)
    ).all()


def newest_words(session: Session, organization_id: UUID, alert_id: UUID) -> UUID | None:
    """Return the id of the newest event that added words to an alert or raised it: what a reader has seen."""
    return _newest(session, organization_id, alert_id)


def words_seen_by(session: Session, organization_id: UUID, alert_id: UUID, staff_id: UUID) -> UUID | None:
    """Return the newest event of words that was there when a member last took the alert, if they ever did."""
    taken = session.scalar(
        _newest_event(organization_id, alert_id, AlertEvent.kind.in_(_SEEN), AlertEvent.staff_id == staff_id)
    )
    return _newest(session, organization_id, alert_id, AlertEvent.id < taken) if taken else None


def _newest(
    session: Session, organization_id: UUID, alert_id: UUID, *more: ColumnElement[bool]
) -> UUID | None:
    return session.scalar(_newest_event(organization_id, alert_id, AlertEvent.kind.in_(_WORDS), *more))


def _newest_event(organization_id: UUID, alert_id: UUID, *more: ColumnElement[bool]) -> Select[UUID]:
    # By id: it is made when the row is written, under the alert's lock. The event's time is that of the task,
    # and a text that waited for the lock carries an earlier one.
    return (
        select(AlertEvent.id)
        .where(AlertEvent.organization_id == organization_id, AlertEvent.alert_id == alert_id, *more)
        .order_by(AlertEvent.id.desc())
        .limit(1)
    )


def alert_of_words(session: Session, organization_id: UUID, communication_id: UUID) -> Alert | None:
    """Return the newest alert that a text raised or was added to, open or closed."""
    return session.scalars(
        select(Alert)
        .join(AlertEvent, AlertEvent.alert_id == Alert.id)
        .where(
            Alert.organization_id == organization_id,
            AlertEvent.communication_id == communication_id,
            AlertEvent.kind.in_(_WORDS),
            Alert.kind != AlertKind.STAFF_TASK,
        )
        .order_by(Alert.id.desc())
        .limit(1)
    ).one_or_none()


def is_noted(session: Session, organization_id: UUID, alert_id: UUID, request_id: UUID) -> bool:
    """Tell whether an alert's history has a note about some attempt of this request already."""
    found = (
        select(AlertEvent.id)
        .join(Communication, Communication.id == AlertEvent.communication_id)
        .where(
            AlertEvent.organization_id == organization_id,
            AlertEvent.alert_id == alert_id,
            AlertEvent.kind == AlertEventKind.NOTE,
            Communication.request_id == request_id,
        )
    )
    return session.execute(found.limit(1)).first() is not None


def active_flags(session: Session, organization_id: UUID, alert_id: UUID) -> Sequence[str]:
    """Return the taxonomy's words for what an open alert is about, each once, in the order they came.

    Only of the texts that made it as grave as it is; of all its texts where none is.
    """
    found = session.execute(
        select(Flag.code, Communication.tier == Alert.tier)
        .join(Communication, Communication.id == Flag.communication_id)
        .join(Alert, Alert.id == Flag.alert_id)
        .where(
            Flag.organization_id == organization_id,
            Flag.alert_id == alert_id,
            Flag.status == FlagStatus.ACTIVE,
        )
        .order_by(Flag.created_at, Flag.id)
    ).all()
    grave = [code for code, is_grave in found if is_grave]
    return list(dict.fromkeys(grave or [code for code, _ in found]))


def pageable_staff(session: Session, organization_id: UUID) -> Sequence[StaffUser]:
    """Return the active staff who are marked to receive pages."""
    return _active_staff(session, organization_id, StaffUser.receives_pages)


def alert_takers(session: Session, organization_id: UUID) -> Sequence[StaffUser]:
    """Return the active staff whose role may take alerts: who is paged when nobody is marked."""
    return _active_staff(session, organization_id, StaffUser.role.in_(_TAKES_ALERTS))


def _active_staff(session: Session, organization_id: UUID, condition: object) -> Sequence[StaffUser]:
    return session.scalars(
        select(StaffUser)
        .where(StaffUser.organization_id == organization_id, StaffUser.is_active, condition)  # type: ignore[arg-type]
        .order_by(StaffUser.id)
    ).all()


def already_paged(session: Session, alert_id: UUID) -> Sequence[StaffUser]:
    """Return the active staff to whom a page about this alert has gone, or may have gone."""
    paged = select(CommunicationRequest.staff_id).where(
        CommunicationRequest.alert_id == alert_id,
        CommunicationRequest.origin == RequestOrigin.PAGE,
        CommunicationRequest.status.in_((RequestStatus.IN_PROGRESS, RequestStatus.COMPLETED)),
    )
    return session.scalars(select(StaffUser).where(StaffUser.id.in_(paged), StaffUser.is_active)).all()


def can_reach(session: Session, organization_id: UUID, patient_id: UUID) -> bool:
    """Tell whether any current address of a patient may get our texts: a yes on its channel, and no block."""
    agreed = exists().where(
        Consent.organization_id == organization_id,
        Consent.patient_id == patient_id,
        Consent.channel == ContactPoint.system,
        Consent.address == ContactPoint.value,
        Consent.status == ConsentStatus.ACTIVE,
    )
    blocked = exists().where(
        Suppression.organization_id == organization_id,
        Suppression.system == ContactPoint.system,
        Suppression.value == ContactPoint.value,
        Suppression.ended_at.is_(None),
    )
    free = select(ContactPoint.id).where(
        ContactPoint.organization_id == organization_id,
        ContactPoint.patient_id == patient_id,
        ContactPoint.ended_at.is_(None),
        agreed,
        ~blocked,
    )
    return session.execute(free.limit(1)).first() is not None


def due_alerts(
    session: Session, now: datetime, limit: int = 50, skip: Collection[UUID] = ()
) -> Sequence[UUID]:
    """Return ids of all clinics' alerts that are past their next step without an owner, oldest first."""
    return session.scalars(
        select(Alert.id)
        .where(
            Alert.status == AlertStatus.TRIGGERED,
            Alert.next_step_at.is_not(None),
            Alert.next_step_at <= now,
            Alert.id.not_in(skip),
        )
        .order_by(Alert.next_step_at)
        .limit(limit)
    ).all()
