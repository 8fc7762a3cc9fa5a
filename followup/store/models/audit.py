"""Who saw or did what; and the few facts that belong to the installation, not to a clinic."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from followup.store.base import Base, Keyed


class AuditEvent(Keyed):
    """One thing that a person saw or did (FHIR AuditEvent); only ever added."""

    __tablename__ = "audit_events"
    __table_args__ = (Index("ix_audit_events_organization", "organization_id", "created_at"),)

    organization_id: Mapped[UUID | None] = mapped_column(ForeignKey("organizations.id"))
    staff_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff_users.id"))
    action: Mapped[str] = mapped_column(String(60))  #: `door.verb`, such as `patients.view`.
    entity: Mapped[str | None] = mapped_column(String(40))  #: A public id.
    detail: Mapped[dict[str, Any]]  #: Ids, versions, counts; never a name, number or message.


class ServiceState(Base):
    """A fact about the installation: the latest beat, the demo clock's offset."""

    __tablename__ = "service_state"

    key: Mapped[str] = mapped_column(String(40), primary_key=True)
    number: Mapped[int | None]
    at: Mapped[datetime | None]
