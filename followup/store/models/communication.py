"""What we intend to say, what was said either way, and what became of it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, deferred, mapped_column

from followup.core.vocabulary import (
    Audience,
    CatchUp,
    Channel,
    CommunicationStatus,
    Delivery,
    Direction,
    Lane,
    Language,
    Priority,
    Question,
    RequestOrigin,
    RequestStatus,
    Tier,
)
from followup.store.base import Owned


def _partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    clause = text(where)
    return Index(name, *columns, unique=unique, postgresql_where=clause, sqlite_where=clause)


class CommunicationRequest(Owned):
    """Something we intend to say to someone at a time (FHIR CommunicationRequest).

    The queue is made of these.
    """

    __tablename__ = "communication_requests"
    __table_args__ = (
        _partial("ix_communication_requests_due", "lane", "next_attempt_at", "id", where="status = 'active'"),
        _partial("ix_communication_requests_leased", "lease_until", where="status = 'in-progress'"),
        _partial("ix_communication_requests_expiry", "expires_at", where="status IN ('active', 'on-hold')"),
        _partial(
            "uq_communication_requests_planned",
            "care_plan_id",
            "plan_version",
            "action_id",
            "occurrence",
            where="action_id IS NOT NULL AND status <> 'revoked'",
            unique=True,
        ),
        _partial(
            "uq_communication_requests_reply",
            "in_reply_to_id",
            "message_key",
            "channel",
            where="in_reply_to_id IS NOT NULL AND alert_id IS NULL",
            unique=True,
        ),
        _partial(
            "uq_communication_requests_page",
            "alert_id",
            "page_step",
            "page_round",
            "staff_id",
            "channel",
            where="page_step IS NOT NULL",
            unique=True,
        ),
        Index("ix_communication_requests_patient", "patient_id", "due_at"),
    )

    # No index of its own: every question about this table names a patient, a plan, an alert or a lane.
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"))
    status: Mapped[RequestStatus] = mapped_column(default=RequestStatus.ACTIVE)
    audience: Mapped[Audience]
    origin: Mapped[RequestOrigin]
    lane: Mapped[Lane]
    priority: Mapped[Priority]
    patient_id: Mapped[UUID | None] = mapped_column(ForeignKey("patients.id"))
    care_plan_id: Mapped[UUID | None] = mapped_column(ForeignKey("care_plans.id"))
    staff_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff_users.id"))
    alert_id: Mapped[UUID | None] = mapped_column(ForeignKey("alerts.id"))
    channel: Mapped[Channel]
    address: Mapped[str] = mapped_column(
        String(254)
    )  #: As it was when the row was written; gates ask about this one.
    language: Mapped[Language]
    message_key: Mapped[str] = mapped_column(String(60))  #: First text of the action.
    message_keys: Mapped[
        list[str]
    ]  #: All texts of the action: a check-in's next questions follow the answers.
    body: Mapped[str | None]  #: Words that staff wrote themselves; empty for a text of the catalogue.
    fields: Mapped[
        dict[str, Any]
    ]  #: Values for the text's places; what a clinic fills is filled when rendering.
    asks: Mapped[Question | None]
    requires: Mapped[int] = mapped_column(default=0)  #: Bits of `Fact` that must hold when it is claimed.
    is_safety: Mapped[bool] = mapped_column(default=False)  #: Goes out even while an emergency is open.
    catch_up: Mapped[CatchUp] = mapped_column(default=CatchUp.SKIP)
    action_id: Mapped[str | None] = mapped_column(String(40))
    occurrence: Mapped[str] = mapped_column(
        String(24), default=""
    )  #: Which time of the action: a day, or a step.
    plan_version: Mapped[int | None]
    taper_step_id: Mapped[UUID | None] = mapped_column(ForeignKey("taper_steps.id"))
    in_reply_to_id: Mapped[UUID | None]  #: The inbound communication that it answers.
    page_step: Mapped[int | None]
    page_round: Mapped[int | None]
    due_at: Mapped[datetime]  #: Not before this moment.
    expires_at: Mapped[datetime]  #: Useless after this moment; never sent late.
    next_attempt_at: Mapped[datetime]  #: `due_at`, or later after a temporary failure.
    lease_until: Mapped[datetime | None]  #: Set by the one drain that took it.
    attempt: Mapped[int] = mapped_column(default=0)
    ended_reason: Mapped[str | None] = mapped_column(String(24))  #: Why it was revoked, held or expired.


class Communication(Owned):
    """One attempt to say something, or one thing said to us (FHIR Communication)."""

    __tablename__ = "communications"
    __table_args__ = (
        _partial(
            "uq_communications_provider_sid",
            "provider",
            "provider_sid",
            where="provider_sid IS NOT NULL",
            unique=True,
        ),
        _partial(
            "uq_communications_attempt_token", "attempt_token", where="attempt_token IS NOT NULL", unique=True
        ),
        _partial(
            "ix_communications_unprocessed", "received_at", where="direction = 'in' AND processed_at IS NULL"
        ),
        _partial("ix_communications_unknown", "sent_at", where="status = 'unknown'"),
        Index("ix_communications_patient", "patient_id", "created_at"),
        Index("ix_communications_request", "request_id"),
        Index("ix_communications_sender", "organization_id", "sender", "received_at"),
    )

    direction: Mapped[Direction]
    status: Mapped[CommunicationStatus]
    channel: Mapped[Channel]
    request_id: Mapped[UUID | None] = mapped_column(ForeignKey("communication_requests.id"))
    patient_id: Mapped[UUID | None] = mapped_column(ForeignKey("patients.id"))
    staff_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff_users.id"))
    provider: Mapped[str] = mapped_column(String(16))
    provider_sid: Mapped[str | None] = mapped_column(String(64))
    sender: Mapped[str | None] = mapped_column(String(254))  #: Inbound: who wrote.
    recipient: Mapped[str | None] = mapped_column(
        String(254)
    )  #: Inbound: which of our numbers; out: the address.
    subject: Mapped[str | None] = mapped_column(String(200))
    body: Mapped[str]  #: Rendered once; or the words as they came in.
    asks: Mapped[Question | None]
    # out
    attempt: Mapped[int | None]
    attempt_token: Mapped[str | None] = mapped_column(String(24))
    segments: Mapped[int | None]
    sent_at: Mapped[datetime | None]
    delivery: Mapped[Delivery | None]
    delivery_rank: Mapped[int] = mapped_column(default=-1)
    error_code: Mapped[str | None] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(24))  #: NotDoneReason, in the timeline's words.
    # in
    raw: Mapped[bytes | None] = deferred(mapped_column(LargeBinary))  #: The form's bytes as they came.
    media_count: Mapped[int] = mapped_column(default=0)
    received_at: Mapped[datetime | None]
    processed_at: Mapped[datetime | None]
    answers_request_id: Mapped[UUID | None]  #: The request whose question these words answer.
    tier: Mapped[Tier | None]
    flags: Mapped[list[str] | None]
    evidence: Mapped[list[Any] | None]  #: [{"start": 0, "end": 5, "words": "...", "rule": "..."}].
    handling: Mapped[str | None] = mapped_column(String(40))  #: In one word, what the program did with it.


class DeliveryReceipt(Owned):
    """One status callback of a carrier, as it came; folded later, forward only."""

    __tablename__ = "delivery_receipts"
    __table_args__ = (_partial("ix_delivery_receipts_unfolded", "created_at", where="folded_at IS NULL"),)

    organization_id: Mapped[UUID | None] = mapped_column(  # type: ignore[assignment]
        ForeignKey("organizations.id"), index=True
    )
    provider: Mapped[str] = mapped_column(String(16))
    provider_sid: Mapped[str | None] = mapped_column(String(64), index=True)
    attempt_token: Mapped[str | None] = mapped_column(String(24))
    status: Mapped[str] = mapped_column(String(24))  #: The carrier's own word; an unknown one does not crash.
    delivery: Mapped[Delivery | None]
    error_code: Mapped[str | None] = mapped_column(String(16))
    folded_at: Mapped[datetime | None]
