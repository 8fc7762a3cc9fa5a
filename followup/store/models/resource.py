"""Places that help, and hand-offs to them."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from followup.store.base import Owned


class HealthcareService(Owned):
    """A service of a clinic's own directory (FHIR HealthcareService); the national list is a data file."""

    __tablename__ = "healthcare_services"

    name: Mapped[str] = mapped_column(String(120))
    kinds: Mapped[list[str]]
    contact: Mapped[dict[str, Any]]
    source: Mapped[str] = mapped_column(String(200))
    verified_on: Mapped[date | None]
    is_active: Mapped[bool] = mapped_column(default=True)


class ServiceRequest(Owned):
    """A referral (FHIR ServiceRequest) and how far it went."""

    __tablename__ = "service_requests"

    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patients.id"), index=True)
    healthcare_service_id: Mapped[UUID | None] = mapped_column(ForeignKey("healthcare_services.id"))
    status: Mapped[str] = mapped_column(String(16))
