"""What a person agreed to, which addresses are blocked, and the links that we handed out."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from followup.core.vocabulary import Channel, ConsentStatus, Language, LinkPurpose, SuppressionReason
from followup.store.base import Owned

_OPEN = text("ended_at IS NULL")
_CURRENT = text("status IN ('proposed', 'active')")


class Consent(Owned):
    """One person's answer to one invitation on one channel (FHIR Consent); the wording they saw is kept."""

    __tablename__ = "consents"
    __table_args__ = (
        Index(
            "uq_consents_current",
            "patient_id",
            "channel",
            unique=True,
            postgresql_where=_CURRENT,
            sqlite_where=_CURRENT,
        ),
    )

    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patients.id"))
    channel: Mapped[Channel]
    address: Mapped[str] = mapped_column(String(254))
    status: Mapped[ConsentStatus]
    language: Mapped[Language]
    wording_key: Mapped[str] = mapped_column(String(60))
    wording_version: Mapped[str] = mapped_column(String(80))
    wording_text: Mapped[str | None]  #: The invitation as it was rendered.
    open_until: Mapped[datetime]  #: A YES after this no longer answers the invitation (7 days).
    answered_at: Mapped[datetime | None]
    answered_by: Mapped[str | None] = mapped_column(
        String(40)
    )  #: "patient:sms", "patient:web", or a staff public id.
    communication_id: Mapped[UUID | None]  #: The inbound text that said it.
    ended_at: Mapped[datetime | None]


class Suppression(Owned):
    """An address that gets nothing from a clinic, and why."""

    __tablename__ = "suppressions"
    __table_args__ = (
        Index(
            "uq_suppressions_open",
            "organization_id",
            "system",
            "value",
            unique=True,
            postgresql_where=_OPEN,
            sqlite_where=_OPEN,
        ),
    )

    system: Mapped[Channel]
    value: Mapped[str] = mapped_column(String(254))
    reason: Mapped[SuppressionReason]
    communication_id: Mapped[UUID | None]
    ended_at: Mapped[datetime | None]


class AccessLink(Owned):
    """A link that we sent: only the keyed digest of its token is kept (`core.ids.signed_digest`)."""

    __tablename__ = "access_links"

    token_digest: Mapped[str] = mapped_column(String(64), unique=True)
    purpose: Mapped[LinkPurpose]
    patient_id: Mapped[UUID | None] = mapped_column(ForeignKey("patients.id"))
    alert_id: Mapped[UUID | None] = mapped_column(ForeignKey("alerts.id"))
    request_id: Mapped[UUID | None]  #: The text that carried it; a check-in answers this one's questions.
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
