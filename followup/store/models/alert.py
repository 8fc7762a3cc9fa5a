"""Work that a person must do, and what patients told us that made it so."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from followup.core.vocabulary import AlertEventKind, AlertKind, AlertOutcome, AlertStatus, FlagStatus, Tier
from followup.store.base import Owned

_OPEN = text("status <> 'resolved'")
_OPEN_REPLY = text("status <> 'resolved' AND kind = 'reply'")
_OPEN_TASK = text("status <> 'resolved' AND kind = 'staff_task'")
_WAITING = text("status = 'triggered' AND next_step_at IS NOT NULL")


class Alert(Owned):
    """The work a person must do about a patient: triggered, acknowledged, resolved."""

    __tablename__ = "alerts"
    __table_args__ = (
        Index(
            "uq_alerts_open_code",
            "organization_id",
            "code",
            unique=True,
            postgresql_where=_OPEN,
            sqlite_where=_OPEN,
        ),
        Index(
            "uq_alerts_open_reply",
            "patient_id",
            unique=True,
            postgresql_where=_OPEN_REPLY,
            sqlite_where=_OPEN_REPLY,
        ),
        Index(
            "uq_alerts_open_task",
            "patient_id",
            "task",
            unique=True,
            postgresql_where=_OPEN_TASK,
            sqlite_where=_OPEN_TASK,
        ),
        Index(
            "ix_alerts_open",
            "organization_id",
            "status",
            "triggered_at",
            postgresql_where=_OPEN,
            sqlite_where=_OPEN,
        ),
        Index("ix_alerts_next_step", "next_step_at", postgresql_where=_WAITING, sqlite_where=_WAITING),
    )

    public_id: Mapped[str] = mapped_column(String(24), unique=True)
    code: Mapped[str] = mapped_column(String(4))  #: Random; says nothing about the patient.
    kind: Mapped[AlertKind]
    task: Mapped[str] = mapped_column(
        String(40), default=""
    )  #: What staff are asked to do, for kind staff_task.
    tier: Mapped[Tier]
    status: Mapped[AlertStatus]
    patient_id: Mapped[UUID | None] = mapped_column(ForeignKey("patients.id"))
    sender: Mapped[str | None] = mapped_column(String(254))  #: Who wrote, when that is no patient.
    cannot_text: Mapped[bool] = mapped_column(default=False)  #: The address is blocked: call.
    policy: Mapped[list[Any]]  #: Escalation steps as they stood when it was triggered.
    page_step: Mapped[int] = mapped_column(default=0)
    page_round: Mapped[int] = mapped_column(default=1)
    triggered_at: Mapped[datetime]  #: When it last became what it is: raised, made worse, or brought back.
    next_step_at: Mapped[datetime | None]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff_users.id"))
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff_users.id"))
    outcome: Mapped[AlertOutcome | None]
    note: Mapped[str | None]

    events: Mapped[list["AlertEvent"]] = relationship(order_by="AlertEvent.created_at", viewonly=True)


class AlertEvent(Owned):
    """One thing that happened to an alert; only ever added."""

    __tablename__ = "alert_events"

    alert_id: Mapped[UUID] = mapped_column(ForeignKey("alerts.id"), index=True)
    kind: Mapped[AlertEventKind]
    staff_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff_users.id"))
    communication_id: Mapped[UUID | None]
    detail: Mapped[dict[str, Any]]


class Flag(Owned):
    """A thing the patient told us (FHIR Flag), in the taxonomy's word."""

    __tablename__ = "flags"

    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patients.id"), index=True)
    alert_id: Mapped[UUID | None] = mapped_column(ForeignKey("alerts.id"))
    communication_id: Mapped[UUID] = mapped_column(ForeignKey("communications.id"))
    code: Mapped[str] = mapped_column(String(32))
    status: Mapped[FlagStatus] = mapped_column(default=FlagStatus.ACTIVE)
