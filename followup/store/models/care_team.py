"""Who looks after whom, and who is on call."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from followup.store.base import Owned


class CareTeam(Owned):
    """A group of staff that shares patients (FHIR CareTeam)."""

    __tablename__ = "care_teams"

    name: Mapped[str] = mapped_column(String(80))
    is_active: Mapped[bool] = mapped_column(default=True)


class CareTeamMember(Owned):
    """One staff member's place in a care team."""

    __tablename__ = "care_team_members"
    __table_args__ = (Index("uq_care_team_members", "care_team_id", "staff_id", unique=True),)

    care_team_id: Mapped[UUID] = mapped_column(ForeignKey("care_teams.id"))
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff_users.id"))
    role: Mapped[str] = mapped_column(String(40))


class OnCallShift(Owned):
    """A stretch of time in which one staff member is on call."""

    __tablename__ = "on_call_shifts"
    __table_args__ = (Index("ix_on_call_shifts_time", "organization_id", "starts_at", "ends_at"),)

    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff_users.id"))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
