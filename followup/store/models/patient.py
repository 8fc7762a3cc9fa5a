"""The person, and the roads to them."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from followup.core.vocabulary import Channel, Language
from followup.store.base import Owned


class Patient(Owned):
    """A person whom a clinic follows after surgery (FHIR Patient)."""

    __tablename__ = "patients"
    __table_args__ = (
        Index("ix_patients_organization_family", "organization_id", "family_name", "given_name"),
    )

    public_id: Mapped[str] = mapped_column(String(24), unique=True)
    given_name: Mapped[str] = mapped_column(String(80))
    family_name: Mapped[str] = mapped_column(String(80))
    birth_on: Mapped[date | None]
    sex: Mapped[str | None] = mapped_column(String(16))
    language: Mapped[Language]
    time_zone: Mapped[str] = mapped_column(String(64))  #: IANA name, asked of the patient, never guessed.
    is_active: Mapped[bool] = mapped_column(default=True)
    last_automatic_on: Mapped[
        date | None
    ]  #: Local day of the latest automatic text: the day's first names the clinic.

    contact_points: Mapped[list["ContactPoint"]] = relationship(order_by="ContactPoint.rank", viewonly=True)


class ContactPoint(Owned):
    """A phone number or an address of a patient (FHIR Patient.telecom)."""

    __tablename__ = "contact_points"
    __table_args__ = (
        Index("ix_contact_points_value", "organization_id", "system", "value"),
        Index(
            "uq_contact_points_current",
            "patient_id",
            "system",
            "value",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
            sqlite_where=text("ended_at IS NULL"),
        ),
    )

    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patients.id"))
    system: Mapped[Channel]
    value: Mapped[str] = mapped_column(String(254))  #: E.164 or a lower-case address.
    rank: Mapped[int] = mapped_column(default=1)  #: 1 is tried first.
    is_shared: Mapped[bool] = mapped_column(default=False)  #: Staff ticked that several people answer here.
    verified_at: Mapped[datetime | None]  #: When the patient answered from it.
    ended_at: Mapped[datetime | None]
