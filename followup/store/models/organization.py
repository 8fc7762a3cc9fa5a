"""The clinic: the tenant that every other row belongs to."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from followup.store.base import Keyed


class Organization(Keyed):
    """A clinic: its name as patients know it, where and when it is open, and who answers after hours."""

    __tablename__ = "organizations"

    public_id: Mapped[str] = mapped_column(String(24), unique=True)
    name: Mapped[str] = mapped_column(String(20))  #: At most 20 characters: it stands in every text.
    time_zone: Mapped[str] = mapped_column(String(64))
    phone: Mapped[str] = mapped_column(String(24))
    oncall_phone: Mapped[str | None] = mapped_column(String(24))
    hours: Mapped[dict[str, Any]]  #: {"mon": ["08:00", "17:00"], ...}; a day that is absent is closed.
    hours_text: Mapped[dict[str, Any]]  #: {"en": "Mon-Fri 8 am-5 pm", "es": ...}, at most 20 characters each.
    holidays: Mapped[list[str]]  #: ISO dates on which the clinic is closed.
    is_active: Mapped[bool] = mapped_column(default=True)
    paused_at: Mapped[datetime | None]  #: While set, nothing that we start goes to patients.


class SenderNumber(Keyed):
    """A phone number that a clinic sends from; an inbound text belongs to the clinic of its `To`."""

    __tablename__ = "sender_numbers"

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"), index=True)
    e164: Mapped[str] = mapped_column(String(20), unique=True)
    is_active: Mapped[bool] = mapped_column(default=True)
