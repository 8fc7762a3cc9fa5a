"""Enrol a patient: check what was typed, show what would go out, then write everything at once or nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy.orm import Session

from followup.clinical import timing
from followup.clinical.drugs import Form
from followup.clinical.issues import DetectedIssue, Effect, History, Prescription, detect
from followup.clinical.mme import Mme, mme_per_day
from followup.core.contactpoint import EmailAddress, PhoneNumber
from followup.core.errors import ClinicalError, InvalidInput, TaperRefused
from followup.core.ids import public_id
from followup.core.vocabulary import CarePlanStatus, Channel, Course, Fact, Lane, Language
from followup.services import audit, invitations, taper_drafts
from followup.services.knowledge import Knowledge
from followup.store.models import (
    CarePlan,
    ContactPoint,
    MedicationRequest,
    Patient,
)
from followup.store.models import DetectedIssue as DetectedIssueRow
from followup.store.queries import enrolments as queries

_ADULT = 18  #: reference, scope: CDC guidance covers adults; others are handled by a person
_DAYS = 42
_LATEST_START = 35  #: with less than a week left there is nothing to follow


@dataclass(frozen=True)
class Rx:
    """The prescription as the form has it; amounts in mg and pills, dates the patient's own."""

    drug: str
    strength_mg: Decimal
    max_units_per_day: Decimal
    is_regular: bool
    apap_mg: int = 0
    dispensed_units: Decimal | None = None
    first_taken_on: date | None = None
    form: Form = Form.IR_TABLET


@dataclass(frozen=True)
class Enrolment:
    """One filled-in form."""

    given_name: str
    family_name: str
    birth_on: date | None
    sex: str | None
    phone: PhoneNumber | None
    email: EmailAddress | None
    language: Language
    time_zone: str
    procedure: str
    discharge_on: date
    course: Course
    support: bool
    rx: Rx
    protocol: str = "default"
    hide_numbers: bool = False
    is_spine: bool = False
    shared_phone_ok: bool = False
    history: History = field(default_factory=History)


class EnrolmentRefused(InvalidInput):
    """Some answers need fixing before this patient can be enrolled."""

    code = "enrolment.refused"

    def __init__(self, faults: Mapping[str, str]) -> None:
        """Keep what is wrong by field name, each with what to do."""
        super().__init__()
        self.faults = dict(faults)


@dataclass(frozen=True)
class Findings:
    """What the prescription shows: the figure with its caveats, and the issues."""

    mme: Mme
    issues: tuple[DetectedIssue, ...]


@dataclass(frozen=True)
class Enrolled:
    """What was written, and which lanes to ring."""

    patient_public_id: str
    care_plan_public_id: str
    lanes: frozenset[Lane]


def findings(enrolment: Enrolment, knowledge: Knowledge, *, now: datetime) -> Findings:
    """Return MME and issues of the prescription; ClinicalError names an unknown drug or a bad amount."""
    rx, rules = enrolment.rx, knowledge.rules
    mme = mme_per_day(rules.drugs, rx.drug, rx.strength_mg, rx.max_units_per_day)
    today = timing.local_date(now, enrolment.time_zone)
    days = (today - rx.first_taken_on).days if rx.first_taken_on else None
    prescription = Prescription(
        rx.drug, rx.strength_mg, rx.max_units_per_day, rx.form, rx.apap_mg, rx.is_regular, days
    )
    return Findings(mme, detect(prescription, enrolment.history, drugs=rules.drugs, table=rules.issues))


def check(
    session: Session, organization_id: UUID, enrolment: Enrolment, *, knowledge: Knowledge, now: datetime
) -> Findings:
    """Return the findings if the form can be saved; EnrolmentRefused lists every fault by its field."""
    faults = dict(_faults(session, organization_id, enrolment, now))
    found: Findings | None = None
    if "time_zone" not in faults:
        try:
            found = findings(enrolment, knowledge, now=now)
            faults.update(("rx", one.text) for one in found.issues if one.effect is Effect.REFUSE)
        except ClinicalError as refused:
            faults[refused.field or "rx"] = str(refused)
    if enrolment.protocol not in knowledge.protocols:
        faults["protocol"] = "Choose one of the programs of this clinic."
    if faults or found is None:
        raise EnrolmentRefused(faults)
    return found


def _faults(
    session: Session, organization_id: UUID, enrolment: Enrolment, now: datetime
) -> Iterator[tuple[str, str]]:
    if not enrolment.given_name.strip():
        yield "given_name", "Given name is empty. Type it as the patient says it."
    if not enrolment.family_name.strip():
        yield "family_name", "Family name is empty. Type it as the patient says it."
    if not enrolment.procedure.strip():
        yield "procedure", "Name the operation. It stays here; no text to the patient holds it."
    if enrolment.phone is None and enrolment.email is None:
        yield "phone", "Type a mobile number, an e-mail address, or both."
    try:
        today = timing.local_date(now, enrolment.time_zone)
    except ClinicalError:
        yield "time_zone", "Choose the patient's time zone. Ask where they will be staying."
        return
    yield from _date_faults(enrolment, today)
    yield from _shared_phone(session, organization_id, enrolment)


def _date_faults(enrolment: Enrolment, today: date) -> Iterator[tuple[str, str]]:
    days = (today - enrolment.discharge_on).days
    if days < -1:
        yield "discharge_on", "That day is more than one day ahead. Enroll the patient when they go home."
    if days > _LATEST_START:
        yield "discharge_on", f"That was {days} days ago. Fewer than 7 of the 42 days are left."
    if enrolment.birth_on is not None and not 0 <= _age(enrolment.birth_on, today) < 120:
        yield "birth_on", "Check the year of birth."
    elif enrolment.birth_on is not None and _age(enrolment.birth_on, today) < _ADULT:
        yield "birth_on", "This program is for adults, 18 or older. Follow this patient by phone."
    taken = enrolment.rx.first_taken_on
    if taken is not None and taken > today:
        yield "first_taken_on", "The first dose cannot be in the future."


def _age(born: date, today: date) -> int:
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _shared_phone(session: Session, organization_id: UUID, enrolment: Enrolment) -> Iterator[tuple[str, str]]:
    if enrolment.phone is None or enrolment.shared_phone_ok:
        return
    if queries.phone_is_in_use(session, organization_id, enrolment.phone.e164):
        yield (
            "shared_phone_ok",
            (
                "Another patient of this clinic has this number. Tick the box if they share the phone. "
                "Then a reply is never filed under one of them without a person looking."
            ),
        )


def enrol(
    session: Session,
    organization_id: UUID,
    enrolment: Enrolment,
    *,
    by: UUID | None,
    knowledge: Knowledge,
    now: datetime,
) -> Enrolled:
    """Write the patient, the plan, a draft of the taper, and the invitation: nothing else goes out.

    EnrolmentRefused lists every fault by field, and nothing is written.
    """
    found = check(session, organization_id, enrolment, knowledge=knowledge, now=now)
    patient = _patient(session, organization_id, enrolment, now)
    contacts = _contacts(session, patient, enrolment, now)
    _prescription(session, patient, enrolment, found, now)
    care_plan = _care_plan(session, patient, enrolment, knowledge, now)
    invitations.invite(session, patient, care_plan, contacts[0], knowledge=knowledge, now=now)
    session.flush()
    _draft_taper(session, care_plan, patient, enrolment, by, knowledge, now)
    audit.record(
        session, organization_id, "patients.enrol", now=now, staff_id=by, entity=patient.public_id,
        protocol=care_plan.protocol_name, version=care_plan.protocol_version,
    )  # fmt: skip
    return Enrolled(patient.public_id, care_plan.public_id, frozenset({Lane.URGENT}))


def _patient(session: Session, organization_id: UUID, enrolment: Enrolment, now: datetime) -> Patient:
    patient = Patient(
        created_at=now,
        organization_id=organization_id,
        public_id=public_id("pat"),
        given_name=enrolment.given_name.strip(),
        family_name=enrolment.family_name.strip(),
        birth_on=enrolment.birth_on,
        sex=enrolment.sex,
        language=enrolment.language,
        time_zone=enrolment.time_zone,
    )
    session.add(patient)
    session.flush()
    return patient


def _contacts(session: Session, patient: Patient, enrolment: Enrolment, now: datetime) -> list[ContactPoint]:
    """Write the patient's addresses, the phone first: the invitation goes by the first."""
    found: list[tuple[Channel, str]] = []
    if enrolment.phone is not None:
        found.append((Channel.SMS, enrolment.phone.e164))
    if enrolment.email is not None:
        found.append((Channel.EMAIL, enrolment.email.address))
    rows = [
        ContactPoint(
            created_at=now,
            organization_id=patient.organization_id,
            patient_id=patient.id,
            system=system,
            value=value,
            rank=rank,
            is_shared=system is Channel.SMS and enrolment.shared_phone_ok,
        )
        for rank, (system, value) in enumerate(found, start=1)
    ]
    session.add_all(rows)
    if enrolment.phone is not None and enrolment.shared_phone_ok:
        queries.mark_phone_shared(session, patient.organization_id, enrolment.phone.e164)
    return rows


def _prescription(
    session: Session, patient: Patient, enrolment: Enrolment, found: Findings, now: datetime
) -> None:
    rx = enrolment.rx
    owned = {"created_at": now, "organization_id": patient.organization_id, "patient_id": patient.id}
    row = MedicationRequest(
        **owned,
        drug=rx.drug,
        strength_mg=rx.strength_mg,
        apap_mg=Decimal(rx.apap_mg) if rx.apap_mg else None,
        max_units_per_day=rx.max_units_per_day,
        dispensed_units=rx.dispensed_units,
        is_regular=rx.is_regular,
        first_taken_on=rx.first_taken_on,
        mme_per_day=found.mme.value,
        mme_table="cdc2022",
    )
    session.add(row)
    session.flush()
    session.add_all(
        DetectedIssueRow(
            **owned, medication_request_id=row.id, code=one.code, severity=one.severity, detail=one.text
        )
        for one in found.issues
    )


def starting_facts(enrolment: Enrolment) -> Fact:
    """Return what is true of a plan before the patient has answered the invitation."""
    facts = Fact.CONSENT_PENDING | Fact.STILL_TAKING
    return facts | Fact.SUPPORT_ON if enrolment.support else facts


def _care_plan(
    session: Session, patient: Patient, enrolment: Enrolment, knowledge: Knowledge, now: datetime
) -> CarePlan:
    protocol = knowledge.protocols[enrolment.protocol]
    care_plan = CarePlan(
        created_at=now,
        organization_id=patient.organization_id,
        public_id=public_id("plan"),
        patient_id=patient.id,
        protocol_name=protocol.name,
        protocol_version=protocol.version,
        protocol_digest=protocol.digest,
        status=CarePlanStatus.DRAFT,
        course=enrolment.course,
        procedure=enrolment.procedure.strip(),
        discharge_on=enrolment.discharge_on,
        ends_on=enrolment.discharge_on + timedelta(days=_DAYS),
        facts=int(starting_facts(enrolment)),
        plan_version=1,
        hide_numbers=enrolment.hide_numbers,
        is_spine=enrolment.is_spine,
        is_pregnant=enrolment.history.pregnant,
    )
    session.add(care_plan)
    session.flush()
    return care_plan


def _draft_taper(
    session: Session,
    care_plan: CarePlan,
    patient: Patient,
    enrolment: Enrolment,
    by: UUID | None,
    knowledge: Knowledge,
    now: datetime,
) -> None:
    """Write the draft that a prescriber will find, where the rule makes one; else there are no steps."""
    days = knowledge.protocols[care_plan.protocol_name].default_steps.get(enrolment.course)
    if not days:
        return
    try:
        taper_drafts.draft(
            session,
            patient.organization_id,
            care_plan,
            starts_on=default_start(enrolment, days[0], patient, now),
            step_days=days[1] - days[0],
            by=by,
            knowledge=knowledge,
            now=now,
        )
    except TaperRefused:
        return  # a clinician writes it by hand on the taper page, which says why


def default_start(enrolment: Enrolment, first_day: int, patient: Patient, now: datetime) -> date:
    """Return the day of a course's first step: the protocol's, or the first that is still possible."""
    return max(
        enrolment.discharge_on + timedelta(days=first_day), taper_drafts.first_possible_start(patient, now)
    )
