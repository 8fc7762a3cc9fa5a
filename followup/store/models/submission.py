"""Which forms were handed in already, so that a second press of a button does nothing twice."""

from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from followup.store.base import Owned


class FormSubmission(Owned):
    """A form with its one-time key: what it made, or, until then, what was typed so far."""

    __tablename__ = "form_submissions"
    __table_args__ = (Index("uq_form_submissions_key", "organization_id", "key", unique=True),)

    # No index of its own: the unique one begins with it.
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"))
    key: Mapped[str] = mapped_column(String(32))  #: Random, drawn when the form was shown.
    entity: Mapped[str | None] = mapped_column(
        String(120)
    )  #: Public id of what it made; None: not handed in.
    staff_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("staff_users.id")
    )  #: Who alone may see the draft.
    draft: Mapped[
        dict[str, Any] | None
    ]  #: Field -> values as typed; gone once it is handed in, or in an hour.
