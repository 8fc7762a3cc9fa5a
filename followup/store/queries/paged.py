"""Read models of the page that a staff member opens from the link of a page text, without a sign-in."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from followup.core.vocabulary import AlertKind, AlertStatus, LinkPurpose, Tier
from followup.store.models import AccessLink, Alert, CommunicationRequest, Organization, StaffUser


@dataclass(frozen=True)
class PageLink:
    """A link of a page text: which alert it opens, and to whom it was sent."""

    id: UUID
    organization_id: UUID
    alert_id: UUID | None
    staff_id: UUID | None
    expires_at: datetime


@dataclass(frozen=True)
class PagedAlert:
    """What may be shown to whoever holds the link: nothing of the patient."""

    id: UUID
    public_id: str
    code: str
    kind: AlertKind
    tier: Tier
    status: AlertStatus
    triggered_at: datetime
    next_step_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: UUID | None
    owner: str | None
    clinic: str
    clinic_phone: str
    time_zone: str
    staff_name: str | None


def page_link(session: Session, token_digest: str) -> PageLink | None:
    """Return what a token of a page stands for, in whichever clinic; None for a token of no page."""
    row: Any = session.execute(
        select(
            AccessLink.id,
            AccessLink.organization_id,
            func.coalesce(AccessLink.alert_id, CommunicationRequest.alert_id),
            CommunicationRequest.staff_id,
            AccessLink.expires_at,
        )
        .outerjoin(CommunicationRequest, CommunicationRequest.id == AccessLink.request_id)
        .where(AccessLink.token_digest == token_digest, AccessLink.purpose == LinkPurpose.ALERT)
    ).one_or_none()
    return PageLink(*row) if row is not None else None


def paged_alert(
    session: Session, organization_id: UUID, alert_id: UUID, staff_id: UUID | None
) -> PagedAlert | None:
    """Return the alert behind a page, and the name of the active member it was sent to."""
    owner, sent_to = aliased(StaffUser), aliased(StaffUser)
    row: Any = session.execute(
        select(
            Alert.id,
            Alert.public_id,
            Alert.code,
            Alert.kind,
            Alert.tier,
            Alert.status,
            Alert.triggered_at,
            Alert.next_step_at,
            Alert.acknowledged_at,
            Alert.acknowledged_by,
            owner.display_name,
            Organization.name,
            Organization.phone,
            Organization.time_zone,
            sent_to.display_name,
        )
        .join(Organization, Organization.id == Alert.organization_id)
        .outerjoin(owner, owner.id == Alert.acknowledged_by)
        .outerjoin(
            sent_to,
            (sent_to.id == staff_id)
            & (sent_to.organization_id == organization_id)
            & sent_to.is_active.is_(True),
        )
        .where(Alert.organization_id == organization_id, Alert.id == alert_id)
    ).one_or_none()
    return PagedAlert(*row) if row is not None else None
