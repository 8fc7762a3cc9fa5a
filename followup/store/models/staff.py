"""People who work at a clinic."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from followup.core.vocabulary import StaffRole
from followup.store.base import Owned


class StaffUser(Owned):
    """A member of staff: signs in, reads, acts, and may be paged."""

    __tablename__ = "staff_users"

    public_id: Mapped[str] = mapped_column(String(24), unique=True)
    display_name: Mapped[str] = mapped_column(String(60))
    email: Mapped[str] = mapped_column(String(254), unique=True)  #: Also the sign-in name.
    phone: Mapped[str | None] = mapped_column(String(20), index=True)  #: E.164.
    role: Mapped[StaffRole]
    password_hash: Mapped[str] = mapped_column(String(200))
    receives_pages: Mapped[bool] = mapped_column(default=False)
    is_active: Mapped[bool] = mapped_column(default=True)
    session_epoch: Mapped[int] = mapped_column(default=0)  #: Raised to end every open session at once.
    last_signed_in_at: Mapped[datetime | None]
