"""Write what a replay needs: a test clinic, one patient per row of a file, a question asked five minutes ago.

Everything is named by the digest of the file and the number of the row, so that a second run adds nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from followup.clinical import timing
from followup.core.ids import attempt_token, new_id
from followup.core.vocabulary import (
    AlertOutcome,
    AlertStatus,
    Audience,
    CarePlanStatus,
    CatchUp,
    Channel,
    CommunicationStatus,
    ConsentStatus,
    Course,
    Delivery,
    Direction,
    Fact,
    Lane,
    Language,
    MedicationStatus,
    Priority,
    Question,
    RequestOrigin,
    RequestStatus,
    StaffRole,
)
from followup.messages.render import render
from followup.services import alerts, clinics, staff
from followup.services.knowledge import Knowledge
from followup.services.replay_names import Names
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
    StaffUser,
)
from followup.store.session import Sessions

ZONE = "America/Denver"
ASKED = timedelta(minutes=5)  #: How long before the reply its question went (issue 2, item 10).
_DAY = 5  #: Day of the course that every row is on.
_COURSE_DAYS = 42
_BATCH = 200
_HOURS = {day: ["08:00", "17:00"] for day in ("mon", "tue", "wed", "thu", "fri")}
#: Context of a row -> the text that asked it; `free` answers no question.
QUESTIONS: Mapping[str, str | None] = {
    "free": None,
    "pain": "ask_pain",
    "pills": "ask_pills",
    "withdrawal": "ask_withdrawal",
    "mood": "ask_mood",
    "taper": "ask_taper",
    "disposal": "ask_disposal",
}
_FIELDS = {"ask_taper": {"n": "4"}}


@dataclass(frozen=True)
class Case:
    """One row of the file: what was asked, and what the patient wrote."""

    name: str
    language: Language
    context: str
    rx_max: Decimal | None
    text: str


@dataclass(frozen=True)
class Ready:
    """One case with its patient in the store: who texts, to which number, under which MessageSid."""

    case: Case
    sid: str
    sender: str
    recipient: str


def prepare(
    sessions: Sessions, cases: Sequence[Case], *, digest: str, knowledge: Knowledge, now: datetime
) -> Iterator[Ready]:
    """Write the clinic and the patients that are not there yet, in batches; yield each case once ready."""
    names = Names(digest)
    with sessions.begin() as session:
        organization_id = _clinic(session, names, now)
    numbered = list(enumerate(cases, start=1))
    for first in range(0, len(numbered), _BATCH):
        batch = numbered[first : first + _BATCH]
        with sessions.begin() as session:
            _write(session, organization_id, names, batch, knowledge, now)
        for row, case in batch:
            yield Ready(case, names.sid(row), names.phone(row), names.number)


def close_alerts(sessions: Sessions, *, digest: str, now: datetime) -> int:
    """Close what the replay's texts raised, so that nobody is paged about them for ever; return how many."""
    names = Names(digest)
    with sessions.begin() as session:
        found = clinics.id_of(session, names.public_id("org", "clinic"))
        if found is None:
            return 0
        by = session.scalars(select(StaffUser).where(StaffUser.organization_id == found)).one()
        still_open = session.scalars(
            select(Alert).where(Alert.organization_id == found, Alert.status != AlertStatus.RESOLVED)
        ).all()
        for alert in still_open:
            alerts.acknowledge(session, alert, by=by, now=now)
            alerts.resolve(
                session, alert, by=by, outcome=AlertOutcome.NO_NEED, note="A replayed text.", now=now
            )
    return len(still_open)


def _clinic(session: Session, names: Names, now: datetime) -> UUID:
    public = names.public_id("org", "clinic")
    if found := clinics.id_of(session, public):
        return found
    clinic = clinics.add(
        session,
        name="Replay",
        time_zone=ZONE,
        phone=names.number,
        oncall_phone=names.number,
        senders=[names.number],
        hours=_HOURS,
        now=now,
    )
    clinic.public_id = public
    staff.add(
        session,
        clinic.id,
        display_name="Replay clinician",
        email=f"replay-{names.digest[:12]}@replay.example",
        phone=f"{names.number[:-4]}0101",
        role=StaffRole.CLINICIAN,
        receives_pages=True,
        password=None,
        now=now,
    )
    session.flush()
    return clinic.id


def _write(
    session: Session,
    organization_id: UUID,
    names: Names,
    batch: Sequence[tuple[int, Case]],
    knowledge: Knowledge,
    now: datetime,
) -> None:
    ids = {row: names.public_id("pat", str(row)) for row, _ in batch}
    there = set(session.scalars(select(Patient.public_id).where(Patient.public_id.in_(ids.values()))))
    rows: dict[type[Any], list[dict[str, Any]]] = {}
    clinic = session.get_one(Organization, organization_id)
    for row, case in batch:
        if ids[row] not in there:
            for model, values in _rows(clinic, names, row, case, knowledge, now):
                rows.setdefault(model, []).append(values)
    for table, several in rows.items():
        session.execute(insert(table), several)


def _rows(
    clinic: Organization, names: Names, row: int, case: Case, knowledge: Knowledge, now: datetime
) -> Iterator[tuple[type[Any], dict[str, Any]]]:
    """Yield one patient's rows in the order of their keys: each names only those before it."""
    began = now - timedelta(days=_DAY)
    on = timing.local_date(began, ZONE)
    patient_id, plan_id, phone = new_id(), new_id(), names.phone(row)
    owned = {"created_at": began, "organization_id": clinic.id}
    about = {**owned, "patient_id": patient_id}
    yield (
        Patient,
        {
            **owned,
            "id": patient_id,
            "public_id": names.public_id("pat", str(row)),
            "given_name": "Row",
            "family_name": case.name[:80],
            "language": case.language,
            "time_zone": ZONE,
            "is_active": True,
        },
    )
    yield (
        ContactPoint,
        {
            **about,
            "id": new_id(),
            "system": Channel.SMS,
            "value": phone,
            "rank": 1,
            "is_shared": False,
            "verified_at": began,
        },
    )
    protocol = knowledge.protocols["default"]
    yield (
        CarePlan,
        {
            **about,
            "id": plan_id,
            "public_id": names.public_id("plan", str(row)),
            "protocol_name": protocol.name,
            "protocol_version": protocol.version,
            "protocol_digest": protocol.digest,
            "status": CarePlanStatus.ACTIVE,
            "course": Course.SHORT,
            "procedure": "Replay",
            "discharge_on": on,
            "ends_on": on + timedelta(days=_COURSE_DAYS),
            "facts": int(Fact.CONSENTED | Fact.STILL_TAKING),
            "plan_version": 1,
            "hide_numbers": False,
            "is_spine": False,
            "is_pregnant": False,
            "activated_at": began,
        },
    )
    yield (
        Consent,
        {
            **about,
            "id": new_id(),
            "channel": Channel.SMS,
            "address": phone,
            "status": ConsentStatus.ACTIVE,
            "language": case.language,
            "wording_key": "consent_invite",
            "wording_version": knowledge.wording_version,
            "open_until": began + timedelta(days=7),
            "answered_at": began,
            "answered_by": "patient:sms",
        },
    )
    if case.rx_max is not None:
        yield (
            MedicationRequest,
            {
                **about,
                "id": new_id(),
                "drug": "oxycodone",
                "strength_mg": Decimal(5),
                "max_units_per_day": case.rx_max,
                "is_regular": True,
                "status": MedicationStatus.ACTIVE,
            },
        )
    if key := QUESTIONS[case.context]:
        yield from _asked(clinic, about, plan_id, names.number, phone, case, key, knowledge, now)


def _asked(
    clinic: Organization,
    about: Mapping[str, Any],
    plan_id: UUID,
    sender: str,
    phone: str,
    case: Case,
    key: str,
    knowledge: Knowledge,
    now: datetime,
) -> Iterable[tuple[type[Any], dict[str, Any]]]:
    message, at, request_id = knowledge.catalog.get(key), now - ASKED, new_id()
    fields = _FIELDS.get(key, {})
    said = render(message, case.language, Channel.SMS, {"org": clinic.name, **fields}, first_of_day=False)
    question = Question(message.asks or "")
    common = {**about, "created_at": at, "channel": Channel.SMS, "asks": question}
    yield (
        CommunicationRequest,
        {
            **common,
            "id": request_id,
            "status": RequestStatus.COMPLETED,
            "audience": Audience.PATIENT,
            "origin": RequestOrigin.PLANNED,
            "lane": Lane.ROUTINE,
            "priority": Priority.ROUTINE,
            "care_plan_id": plan_id,
            "address": phone,
            "language": case.language,
            "message_key": key,
            "message_keys": [key],
            "fields": fields,
            "requires": 0,
            "is_safety": False,
            "catch_up": CatchUp.SKIP,
            "action_id": "replay",
            "occurrence": "1",
            "plan_version": 1,
            "due_at": at,
            "expires_at": at + timedelta(hours=4),
            "next_attempt_at": at,
            "attempt": 1,
        },
    )
    yield (
        Communication,
        {
            **common,
            "id": new_id(),
            "direction": Direction.OUT,
            "status": CommunicationStatus.COMPLETED,
            "request_id": request_id,
            "provider": "replay",
            "sender": sender,
            "recipient": phone,
            "body": said.text,
            "attempt": 1,
            "attempt_token": attempt_token(),
            "segments": said.segments,
            "sent_at": at,
            "delivery": Delivery.DELIVERED,
            "delivery_rank": Delivery.DELIVERED.rank,
            "media_count": 0,
        },
    )
