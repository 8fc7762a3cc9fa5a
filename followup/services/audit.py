"""Record who saw or did what. Details hold ids, versions and counts; never a name, a number or a message."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from followup.store.models import AuditEvent


def record(
    session: Session,
    organization_id: UUID | None,
    action: str,
    *,
    now: datetime,
    staff_id: UUID | None = None,
    entity: str | None = None,
    **detail: Any,
) -> None:
    """Add one line to the audit: `action` is `door.verb`, `entity` a public id.

    Staff_id None is the program itself.
    """
    session.add(
        AuditEvent(
            organization_id=organization_id,
            staff_id=staff_id,
            action=action,
            entity=entity,
            detail=detail,
            created_at=now,
        )
    )
