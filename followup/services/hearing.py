"""Hold everything that understanding one text needs: whose it is, what was asked, what time it is."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from followup.clinical import timing
from followup.core.vocabulary import (
    CarePlanStatus,
    Channel,
    Lane,
    Language,
    Question,
    SuppressionReason,
    Tier,
)
from followup.services.knowledge import Knowledge
from followup.store.models import CarePlan, Communication, CommunicationRequest, Organization, Patient
from followup.store.queries import consents
from followup.store.queries import inbound as queries

OPEN_FOR = timedelta(hours=24)  #: a question stays open for 24 h or until the next one (reference 7.4)
_OVER = (CarePlanStatus.COMPLETED, CarePlanStatus.REVOKED)


@dataclass(frozen=True)
class Processed:
    """What understanding one text came to.

    `lanes` are the queues to ring after the commit; `handling` says in one word what was done ("already" when
    another process was first); `tier` is what the text means. `message_key` is the text of the catalogue that
    a web page shows where danger was told.
    """

    lanes: frozenset[Lane]
    handling: str
    tier: Tier | None = None
    alert_id: UUID | None = None
    message_key: str | None = None


@dataclass
class Hearing:
    """One text being understood, in one transaction. `lanes` collects what is to be rung afterwards."""

    session: Session
    organization: Organization
    communication: Communication
    knowledge: Knowledge
    now: datetime
    carrier_confirms_keywords: bool = True
    patient: Patient | None = None
    care_plan: CarePlan | None = None
    language: Language = Language.EN
    asked: queries.Asked | None = None
    lanes: set[Lane] = field(default_factory=set)
    said: int = 0  #: How many texts already answer this one.

    @property
    def address(self) -> str:
        """Return who wrote."""
        return self.communication.sender or ""

    @property
    def channel(self) -> Channel:
        """Return how it came, and so how it is answered."""
        return self.communication.channel

    @property
    def question(self) -> Question | None:
        """Return the open question."""
        return self.asked.question if self.asked else None

    @property
    def request(self) -> CommunicationRequest | None:
        """Return the request that asked the open question."""
        return self.asked.request if self.asked else None

    @property
    def is_open_hours(self) -> bool:
        """Tell whether the clinic is staffed now."""
        clinic = self.organization
        holidays = {date.fromisoformat(one) for one in clinic.holidays}
        return timing.clinic_is_open(self.now, clinic.time_zone, timing.clinic_hours(clinic.hours), holidays)

    @property
    def is_over(self) -> bool:
        """Tell whether the patient's course has ended."""
        if self.patient is not None and not self.patient.is_active:
            return True
        return self.care_plan is not None and self.care_plan.status in _OVER

    @property
    def is_blocked(self) -> bool:
        """Tell whether the address gets nothing from us."""
        return self.block is not None

    @property
    def block(self) -> SuppressionReason | None:
        """Return why the address gets nothing from us; None if it may be written to."""
        found = consents.open_suppression(self.session, self.organization.id, self.channel, self.address)
        return found.reason if found else None

    def about(self, patient: Patient) -> None:
        """Say whose text it is: its plan, language and open question follow."""
        self.patient, self.language = patient, patient.language
        self.communication.patient_id = patient.id
        self.care_plan = queries.newest_care_plan(self.session, self.organization.id, patient.id)
        self.asked = queries.last_question(
            self.session, self.organization.id, patient.id, self.channel, self.now - OPEN_FOR
        )

    def done(self, handling: str, tier: Tier | None = None, alert_id: UUID | None = None) -> Processed:
        """Write on the text what was done with it, and return that."""
        self.communication.handling = handling
        if tier is not None:
            self.communication.tier = tier
        return Processed(frozenset(self.lanes), handling, self.communication.tier, alert_id)
