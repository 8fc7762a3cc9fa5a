"""Build rows for tests: each function adds one row, with sound values that keywords override."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from sqlalchemy.orm import Session

from followup.core.ids import attempt_token, new_id, public_id
from followup.core.vocabulary import (
    AlertKind,
    AlertStatus,
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
    Priority,
    Question,
    RequestOrigin,
    RequestStatus,
    StaffRole,
    SuppressionReason,
    TaperStatus,
    Tier,
)
from followup.store.models import (
    Alert,
    CarePlan,
    Communication,
    CommunicationRequest,
    Consent,
    ContactPoint,
    MedicationRequest,
    Organization,
    Patient,
    SenderNumber,
    StaffUser,
    Suppression,
    TaperPlan,
    TaperStep,
)

#: A Tuesday, 11:00 in New York: inside every window, far from any change of clocks.
NOW = datetime(2026, 6, 2, 15, 0, tzinfo=UTC)
ZONE = "America/New_York"
_numbers = count(1)


def phone() -> str:
    """Return a US mobile number that no other row of this test run has."""
    number = next(_numbers)
    return f"+1202{200 + number // 10000:03d}{number % 10000:04d}"


def add(session: Session, row: Any) -> Any:
    """Add a row and flush it, so that its key is known."""
    session.add(row)
    session.flush()
    return row


def organization(session: Session, *, sender: str | None = "", **over: Any) -> Organization:
    """Add a clinic and the number that it sends from (sender=None: none)."""
    clinic = add(
        session,
        Organization(
            **{
                "created_at": NOW,
                "public_id": public_id("org"),
                "name": "Riverside Care",
                "time_zone": ZONE,
                "phone": "+15552014477",
                "oncall_phone": "+15552014499",
                "hours": {day: ["08:00", "17:00"] for day in ("mon", "tue", "wed", "thu", "fri")},
                "hours_text": {"en": "Mon-Fri 8 am-5 pm", "es": "lun-vie 8 am-5 pm"},
                "holidays": [],
                **over,
            }
        ),
    )
    if sender is not None:
        add(session, SenderNumber(created_at=NOW, organization_id=clinic.id, e164=sender or phone()))
    return clinic  # type: ignore[no-any-return]


def patient(session: Session, clinic: Organization, **over: Any) -> Patient:
    """Add a patient without any road to them."""
    values = {
        "created_at": NOW,
        "organization_id": clinic.id,
        "public_id": public_id("pat"),
        "given_name": "Ana",
        "family_name": "Lopez",
        "language": Language.EN,
        "time_zone": ZONE,
        **over,
    }
    return add(session, Patient(**values))  # type: ignore[no-any-return]


def contact(session: Session, person: Patient, **over: Any) -> ContactPoint:
    """Add a verified phone of a patient."""
    values = {
        "created_at": NOW,
        "organization_id": person.organization_id,
        "patient_id": person.id,
        "system": Channel.SMS,
        "value": phone(),
        "verified_at": NOW,
        **over,
    }
    return add(session, ContactPoint(**values))  # type: ignore[no-any-return]


def care_plan(session: Session, person: Patient, **over: Any) -> CarePlan:
    """Add a running plan of a patient who has said yes."""
    values = {
        "created_at": NOW,
        "organization_id": person.organization_id,
        "patient_id": person.id,
        "public_id": public_id("pln"),
        "protocol_name": "default",
        "protocol_version": 1,
        "protocol_digest": "0" * 64,
        "status": CarePlanStatus.ACTIVE,
        "course": Course.SHORT,
        "procedure": "Knee replacement",
        "discharge_on": date(2026, 6, 1),
        "ends_on": date(2026, 7, 13),
        "facts": int(Fact.CONSENTED | Fact.STILL_TAKING),
        "activated_at": NOW,
        **over,
    }
    return add(session, CarePlan(**values))  # type: ignore[no-any-return]


def consent(session: Session, person: Patient, address: str, **over: Any) -> Consent:
    """Add a patient's yes for one address."""
    values = {
        "created_at": NOW,
        "organization_id": person.organization_id,
        "patient_id": person.id,
        "channel": Channel.SMS,
        "address": address,
        "status": ConsentStatus.ACTIVE,
        "language": Language.EN,
        "wording_key": "consent_invite",
        "wording_version": "1",
        "open_until": NOW + timedelta(days=7),
        "answered_at": NOW,
        **over,
    }
    return add(session, Consent(**values))  # type: ignore[no-any-return]


def enrolled(
    session: Session, clinic: Organization, *, channel: Channel = Channel.SMS, address: str = "", **over: Any
) -> tuple[Patient, CarePlan, ContactPoint]:
    """Add a patient who has said yes on one channel and whose plan runs."""
    person = patient(session, clinic, **over)
    road = contact(session, person, system=channel, value=address or phone())
    plan = care_plan(session, person)
    consent(session, person, road.value, channel=channel)
    return person, plan, road


def request(session: Session, plan: CarePlan, address: str, **over: Any) -> CommunicationRequest:
    """Add a planned text that is due now and may go."""
    values = {
        "created_at": NOW,
        "organization_id": plan.organization_id,
        "audience": Audience.PATIENT,
        "origin": RequestOrigin.PLANNED,
        "lane": Lane.ROUTINE,
        "priority": Priority.ROUTINE,
        "patient_id": plan.patient_id,
        "care_plan_id": plan.id,
        "channel": Channel.SMS,
        "address": address,
        "language": Language.EN,
        "message_key": "ask_pain",
        "message_keys": ["ask_pain"],
        "fields": {},
        "due_at": NOW,
        "expires_at": NOW + timedelta(hours=4),
        "next_attempt_at": over.get("due_at", NOW),
        **over,
    }
    return add(session, CommunicationRequest(**values))  # type: ignore[no-any-return]


def sent(session: Session, row: CommunicationRequest, **over: Any) -> Communication:
    """Add an attempt to send a request, accepted by the carrier."""
    values = {
        "created_at": NOW,
        "organization_id": row.organization_id,
        "direction": Direction.OUT,
        "status": CommunicationStatus.COMPLETED,
        "channel": row.channel,
        "request_id": row.id,
        "patient_id": row.patient_id,
        "staff_id": row.staff_id,
        "provider": "twilio",
        "provider_sid": f"SM{new_id().hex}",
        "recipient": row.address,
        "body": "How is your pain right now?",
        "attempt": row.attempt,
        "attempt_token": attempt_token(),
        "sent_at": NOW,
        **over,
    }
    return add(session, Communication(**values))  # type: ignore[no-any-return]


def staff(session: Session, clinic: Organization, **over: Any) -> StaffUser:
    """Add a clinician who receives pages."""
    number = next(_numbers)
    values = {
        "created_at": NOW,
        "organization_id": clinic.id,
        "public_id": public_id("stf"),
        "display_name": "J. Rivera RN",
        "email": f"rivera{number}@example.org",
        "phone": phone(),
        "role": StaffRole.CLINICIAN,
        "password_hash": "!",
        "receives_pages": True,
        **over,
    }
    return add(session, StaffUser(**values))  # type: ignore[no-any-return]


def alert(session: Session, person: Patient, **over: Any) -> Alert:
    """Add an open emergency of a patient, whose next page is far away."""
    values = {
        "created_at": NOW,
        "organization_id": person.organization_id,
        "public_id": public_id("alt"),
        "code": f"{next(_numbers) % 9000 + 1000}",
        "kind": AlertKind.REPLY,
        "tier": Tier.EMERGENCY,
        "status": AlertStatus.TRIGGERED,
        "patient_id": person.id,
        "policy": [],
        "triggered_at": NOW,
        **over,
    }
    return add(session, Alert(**values))  # type: ignore[no-any-return]


def suppression(session: Session, clinic: Organization, address: str, **over: Any) -> Suppression:
    """Block a phone for a clinic, as a STOP does."""
    values = {
        "created_at": NOW,
        "organization_id": clinic.id,
        "system": Channel.SMS,
        "value": address,
        "reason": SuppressionReason.OPTED_OUT,
        **over,
    }
    return add(session, Suppression(**values))  # type: ignore[no-any-return]


def prescription(session: Session, person: Patient, **over: Any) -> MedicationRequest:
    """Add an active prescription of at most 6 pills a day."""
    values = {
        "created_at": NOW,
        "organization_id": person.organization_id,
        "patient_id": person.id,
        "drug": "oxycodone",
        "strength_mg": Decimal(5),
        "max_units_per_day": Decimal(6),
        "is_regular": True,
        **over,
    }
    return add(session, MedicationRequest(**values))  # type: ignore[no-any-return]


def asked(
    session: Session, plan: CarePlan, address: str, *keys: str, asks: Question, **over: Any
) -> CommunicationRequest:
    """Add a check-in with these texts whose first question went five minutes ago."""
    values = {
        "message_key": keys[0],
        "message_keys": list(keys),
        "asks": asks,
        "action_id": "C1",
        "occurrence": f"{next(_numbers)}",
        "plan_version": plan.plan_version,
        "status": RequestStatus.COMPLETED,
        "due_at": NOW - timedelta(minutes=5),
        **over,
    }
    row = request(session, plan, address, **values)
    at = values["due_at"]
    sent(session, row, asks=asks, sent_at=at, created_at=at)
    return row


def taper(
    session: Session,
    plan: CarePlan,
    *levels: int,
    starts_on: date,
    status: TaperStatus = TaperStatus.APPROVED,
) -> TaperPlan:
    """Add a taper with steps of two days each."""
    row = add(
        session,
        TaperPlan(
            created_at=NOW,
            organization_id=plan.organization_id,
            care_plan_id=plan.id,
            version=1,
            status=status,
            starts_on=starts_on,
            start_units=Decimal(6),
            unit=Decimal(1),
            days_taken=8,
            warnings=[],
            digest="0" * 64,
            rule_text="",
        ),
    )
    for sequence, level in enumerate(levels, start=1):
        add(
            session,
            TaperStep(
                created_at=NOW,
                organization_id=plan.organization_id,
                taper_plan_id=row.id,
                sequence=sequence,
                starts_on=starts_on + timedelta(days=2 * (sequence - 1)),
                days=2,
                max_units=Decimal(level),
            ),
        )
    plan.set_fact(Fact.TAPER_ACTIVE, true=status is TaperStatus.APPROVED)
    session.flush()
    return row  # type: ignore[no-any-return]
