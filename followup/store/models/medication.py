"""The prescription, and what it shows."""

from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from followup.core.vocabulary import MedicationStatus, Severity
from followup.store.base import Owned


class MedicationRequest(Owned):
    """The opioid prescription that a patient went home with (FHIR MedicationRequest)."""

    __tablename__ = "medication_requests"

    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patients.id"), index=True)
    drug: Mapped[str] = mapped_column(String(40))  #: Key of the drug table.
    strength_mg: Mapped[Decimal]
    apap_mg: Mapped[Decimal | None]  #: Acetaminophen in one combination tablet, mg.
    max_units_per_day: Mapped[Decimal]
    dispensed_units: Mapped[Decimal | None]
    is_regular: Mapped[bool]  #: Taken around the clock, not only as needed.
    first_taken_on: Mapped[date | None]
    status: Mapped[MedicationStatus] = mapped_column(default=MedicationStatus.ACTIVE)
    mme_per_day: Mapped[Decimal | None]  #: None where no factor exists (buprenorphine), never 0.
    mme_table: Mapped[str | None] = mapped_column(String(20))  #: Which factor table made the figure.


class DetectedIssue(Owned):
    """A risk that the prescription shows (FHIR DetectedIssue); the patient's own words are Flags."""

    __tablename__ = "detected_issues"

    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patients.id"), index=True)
    medication_request_id: Mapped[UUID] = mapped_column(ForeignKey("medication_requests.id"))
    code: Mapped[str] = mapped_column(String(40))
    severity: Mapped[Severity]
    detail: Mapped[str] = mapped_column(String(400))
