"""Find alerts, and the people to be told of them.

Functions with `organization_id` are for the web and see one clinic only. `due_alerts` reads across clinics:
it is for the worker that climbs the ladder.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import case, exists, select
from sqlalchemy.orm import Session

from followup.core.vocabulary import (
    AlertKind,
    AlertStatus,
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
    ContactPoint,
    Flag,
    StaffUser,
    Suppression,
)

_TAKES_ALERTS = (StaffRole.CLINICIAN, StaffRole.PRESCRIBER, StaffRole.ADMIN)
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
        AlertEvent.organization_id == organization_id, AlertEvent.alert_id == alert_id
    )
    return session.scalars(
        select(Communication)
        .where(Communication.organization_id == organization_id, Communication.id.in_(named))
        .order_by(Communication.created_at, Communication.id)
    ).all()


def active_flags(session: Session, organization_id: UUID, alert_id: UUID) -> Sequence[str]:
    """Return the taxonomy's words for what an open alert is about, each once, in the order they came."""
    found = session.scalars(
        select(Flag.code)
        .where(
            Flag.organization_id == organization_id,
            Flag.alert_id == alert_id,
            Flag.status == FlagStatus.ACTIVE,
        )
        .order_by(Flag.created_at, Flag.id)
    )
    return list(dict.fromkeys(found))


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
    """Tell whether any current address of a patient is free of a block."""
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
