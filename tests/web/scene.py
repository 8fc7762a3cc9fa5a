"""Write the rows of a clinic as the services would have written them, for pages to show."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from followup.core.ids import link_token, new_id, public_id, signed_digest
from followup.core.vocabulary import (
    AlertKind,
    Audience,
    CarePlanStatus,
    Channel,
    CommunicationStatus,
    ConsentStatus,
    Course,
    Direction,
    Fact,
    Lane,
    Language,
    LinkPurpose,
    Priority,
    Question,
    RequestOrigin,
    RequestStatus,
    StaffRole,
    TaperStatus,
    Tier,
)
from followup.runtime import Runtime
from followup.services import alerts, staff
from followup.store.models import (
    AccessLink,
    Alert,
    CarePlan,
    Communication,
    CommunicationRequest,
    Consent,
    ContactPoint,
    MedicationRequest,
    Organization,
    Patient,
    QuestionnaireResponse,
    SenderNumber,
    ServiceState,
    StaffUser,
    TaperPlan,
    TaperStep,
)

#: Tuesday, 9:41 am in Denver, 8:41 am in Spokane.
NOW = datetime(2026, 11, 24, 16, 41, tzinfo=UTC)
PASSWORD = "a long walk beside quiet water"
DANGER = "took 2 extra last nite. husband says im breathing slow n hard to wake up this am"
SPANS = [
    {"start": 40, "end": 54, "words": "breathing slow", "rule": "breathing"},
    {"start": 57, "end": 69, "words": "hard to wake", "rule": "breathing"},
]


@dataclass
class Clinic:
    """A clinic in the store: ids and addresses that tests need."""

    house: Runtime
    id: UUID
    clinician_email: str
    coordinator_email: str
    clinician_id: UUID

    def session(self) -> Any:
        return self.house.sessions.begin()

    def organization(self, session: Session) -> Organization:
        return session.get_one(Organization, self.id)


def make_clinic(house: Runtime, name: str) -> Clinic:
    """Write a clinic with a clinician who is paged and a coordinator who is not."""
    word = name.split()[0].lower()
    with house.sessions.begin() as session:
        session.merge(ServiceState(key="beat", at=NOW - timedelta(seconds=2)))
        organization = Organization(
            public_id=public_id("org"),
            name=name,
            time_zone="America/Denver",
            phone="+13035550100",
            oncall_phone="+13035550101",
            hours={day: ["08:00", "17:00"] for day in ("mon", "tue", "wed", "thu", "fri")},
            hours_text={"en": "Mon-Fri 8 am-5 pm", "es": "Lun-Vie 8-17"},
            holidays=[],
            created_at=NOW - timedelta(days=100),
        )
        session.add(organization)
        session.flush()
        digits = "2" if word == "front" else "3"
        session.add(
            SenderNumber(organization_id=organization.id, e164=f"+1303555019{digits}", created_at=NOW)
        )
        common = {"password": PASSWORD, "now": NOW - timedelta(days=90)}
        clinician, _ = staff.add(
            session,
            organization.id,
            display_name="Dr. Priya Nair",
            email=f"priya@{word}.example",
            phone=f"+1303555014{digits}",
            role=StaffRole.PRESCRIBER,
            receives_pages=True,
            **common,
        )
        staff.add(
            session,
            organization.id,
            display_name="Maya Chen, RN",
            email=f"maya@{word}.example",
            phone=None,
            role=StaffRole.COORDINATOR,
            receives_pages=False,
            **common,
        )
        return Clinic(house, organization.id, f"priya@{word}.example", f"maya@{word}.example", clinician.id)


def add_patient(
    clinic: Clinic,
    given: str = "Rosalind",
    family: str = "Achterberg",
    *,
    phone: str = "+15095550163",
    day: int = 9,
    status: CarePlanStatus = CarePlanStatus.ACTIVE,
    consent: ConsentStatus | None = ConsentStatus.ACTIVE,
) -> str:
    """Write a patient of Spokane on a day of their course; return the public id."""
    began = NOW - timedelta(days=day)
    with clinic.session() as session:
        patient = Patient(
            organization_id=clinic.id,
            public_id=public_id("pat"),
            given_name=given,
            family_name=family,
            birth_on=date(1968, 3, 2),
            sex="female",
            language=Language.EN,
            time_zone="America/Los_Angeles",
            created_at=began,
        )
        session.add(patient)
        session.flush()
        session.add(
            ContactPoint(
                organization_id=clinic.id,
                patient_id=patient.id,
                system=Channel.SMS,
                value=phone,
                verified_at=began,
                created_at=began,
            )
        )
        facts = Fact.CONSENTED if status is CarePlanStatus.ACTIVE else Fact.CONSENT_PENDING
        session.add(
            CarePlan(
                organization_id=clinic.id,
                public_id=public_id("cpl"),
                patient_id=patient.id,
                protocol_name="default",
                protocol_version=1,
                protocol_digest="d" * 64,
                status=status,
                course=Course.LONG,
                procedure="Lumbar fusion",
                discharge_on=began.date(),
                ends_on=began.date() + timedelta(days=42),
                facts=int(facts),
                created_at=began,
            )
        )
        session.add(
            MedicationRequest(
                organization_id=clinic.id,
                patient_id=patient.id,
                drug="oxycodone",
                strength_mg=Decimal(5),
                max_units_per_day=Decimal(6),
                dispensed_units=Decimal(42),
                is_regular=True,
                created_at=began,
            )
        )
        if consent is not None:
            session.add(
                Consent(
                    organization_id=clinic.id,
                    patient_id=patient.id,
                    channel=Channel.SMS,
                    address=phone,
                    status=consent,
                    language=Language.EN,
                    wording_key="consent_invite",
                    wording_version="1",
                    open_until=began + timedelta(days=7),
                    answered_at=began,
                    created_at=began,
                )
            )
        return patient.public_id


def patient_of(session: Session, public: str) -> Patient:
    return session.query(Patient).filter_by(public_id=public).one()


def say(
    clinic: Clinic,
    patient: str,
    body: str,
    *,
    at: datetime,
    status: CommunicationStatus = CommunicationStatus.COMPLETED,
    origin: RequestOrigin = RequestOrigin.PLANNED,
    **more: Any,
) -> UUID:
    """Write one text that went out, or was tried."""
    with clinic.session() as session:
        one = patient_of(session, patient)
        request = _request(clinic, one, at, origin, RequestStatus.COMPLETED)
        request.staff_id = clinic.clinician_id if origin is RequestOrigin.STAFF else None
        session.add(request)
        session.flush()
        session.add(
            Communication(
                organization_id=clinic.id,
                staff_id=request.staff_id,
                direction=Direction.OUT,
                status=status,
                channel=Channel.SMS,
                request_id=request.id,
                patient_id=one.id,
                provider="sandbox",
                provider_sid=f"SM{new_id().hex}",
                recipient="+15095550163",
                body=body,
                sent_at=at,
                created_at=at,
                **more,
            )
        )
        return request.id


def _request(
    clinic: Clinic, patient: Patient, at: datetime, origin: RequestOrigin, status: RequestStatus, **more: Any
) -> CommunicationRequest:
    return CommunicationRequest(
        organization_id=clinic.id,
        status=status,
        audience=Audience.PATIENT,
        origin=origin,
        lane=Lane.ROUTINE,
        priority=Priority.ROUTINE,
        patient_id=patient.id,
        channel=Channel.SMS,
        address="+15095550163",
        language=Language.EN,
        message_key="ask_pain",
        message_keys=["ask_pain"],
        fields={},
        due_at=at,
        expires_at=at + timedelta(hours=8),
        next_attempt_at=at,
        created_at=at,
        **more,
    )


def plan_text(
    clinic: Clinic, patient: str, at: datetime, status: RequestStatus = RequestStatus.ACTIVE
) -> None:
    """Write one text that is still to go, is held, or whose time passed."""
    with clinic.session() as session:
        session.add(_request(clinic, patient_of(session, patient), at, RequestOrigin.PLANNED, status))


def hear(
    clinic: Clinic, patient: str, body: str, *, at: datetime, answers: UUID | None = None, **more: Any
) -> UUID:
    """Write one text that came in and was understood."""
    with clinic.session() as session:
        one = patient_of(session, patient)
        said = Communication(
            organization_id=clinic.id,
            direction=Direction.IN,
            status=CommunicationStatus.COMPLETED,
            channel=Channel.SMS,
            patient_id=one.id,
            provider="sandbox",
            provider_sid=f"IN{new_id().hex}",
            sender="+15095550163",
            body=body,
            received_at=at,
            processed_at=at,
            created_at=at,
            answers_request_id=answers,
            **more,
        )
        session.add(said)
        session.flush()
        return said.id


def answer(
    clinic: Clinic, patient: str, question: Question, number: int, *, at: datetime, asked: UUID | None = None
) -> None:
    """Write one answer with the text that held it."""
    heard = hear(
        clinic, patient, str(number), at=at, answers=asked or new_id(), tier=Tier.NONE, flags=["numeric"]
    )
    with clinic.session() as session:
        one = patient_of(session, patient)
        plan = session.query(CarePlan).filter_by(patient_id=one.id).one()
        session.add(
            QuestionnaireResponse(
                organization_id=clinic.id,
                patient_id=one.id,
                care_plan_id=plan.id,
                communication_id=heard,
                channel=Channel.SMS,
                question=question,
                number=Decimal(number),
                authored_at=at,
                local_on=(at - timedelta(hours=8)).date(),
                created_at=at,
            )
        )


def add_taper(clinic: Clinic, patient: str, levels: list[int], *, starts_on: date) -> None:
    """Write an approved taper of two-day steps."""
    with clinic.session() as session:
        plan = session.query(CarePlan).filter_by(patient_id=patient_of(session, patient).id).one()
        taper = TaperPlan(
            organization_id=clinic.id,
            care_plan_id=plan.id,
            version=3,
            status=TaperStatus.APPROVED,
            starts_on=starts_on,
            start_units=Decimal(6),
            unit=Decimal(1),
            days_taken=10,
            warnings=[],
            digest="e" * 64,
            rule_text="",
            created_at=NOW,
        )
        session.add(taper)
        session.flush()
        for index, level in enumerate(levels):
            session.add(
                TaperStep(
                    organization_id=clinic.id,
                    taper_plan_id=taper.id,
                    sequence=index + 1,
                    days=2,
                    starts_on=starts_on + timedelta(days=2 * index),
                    max_units=Decimal(level),
                    created_at=NOW,
                )
            )


def raise_alert(
    clinic: Clinic,
    patient: str | None,
    body: str = DANGER,
    *,
    tier: Tier = Tier.EMERGENCY,
    flags: tuple[str, ...] = ("breathing", "overuse"),
    evidence: list[dict[str, Any]] | None = None,
    at: datetime = NOW - timedelta(minutes=6),
) -> str:
    """Raise an alert on a patient's words through the service; return its public id."""
    house = clinic.house
    assert patient is not None
    said = hear(
        clinic,
        patient,
        body,
        at=at,
        tier=tier,
        flags=list(flags),
        evidence=(SPANS if body == DANGER else []) if evidence is None else evidence,
    )
    with clinic.session() as session:
        alert = alerts.trigger(
            session,
            clinic.organization(session),
            kind=AlertKind.REPLY,
            tier=tier,
            patient=patient_of(session, patient),
            communication=session.get_one(Communication, said),
            flags=flags,
            knowledge=house.knowledge,
            now=at,
        )
        return alert.public_id


def page_link(clinic: Clinic, alert: str, *, to: UUID | None = None, days: int = 1) -> str:
    """Write the link of a page text to one member; return its address."""
    token = link_token()
    with clinic.session() as session:
        row = session.query(Alert).filter_by(public_id=alert).one()
        page = session.query(CommunicationRequest).filter_by(alert_id=row.id, channel=Channel.SMS).first()
        assert page is not None
        page.staff_id = to or page.staff_id
        session.add(
            AccessLink(
                organization_id=clinic.id,
                token_digest=signed_digest(token, clinic.house.settings.secret_key.get_secret_value()),
                purpose=LinkPurpose.ALERT,
                alert_id=row.id,
                request_id=page.id,
                expires_at=NOW + timedelta(days=days),
                created_at=NOW,
            )
        )
    return f"/a/{token}"


def staff_row(clinic: Clinic, email: str) -> StaffUser:
    with clinic.session() as session:
        return session.query(StaffUser).filter_by(email=email).one()
