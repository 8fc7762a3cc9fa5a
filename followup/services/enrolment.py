"""Enrol a patient: check what was typed, show what would go out, then write everything at once or nothing."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy.orm import Session

from followup.core.errors import TaperRefused
from followup.core.ids import public_id
from followup.core.vocabulary import CarePlanStatus, Channel, Fact, Lane
from followup.services import audit, invitations, once, taper_drafts
from followup.services.enrolment_form import Enrolment, Findings, check
from followup.services.knowledge import Knowledge
from followup.services.schedule import LAST_DAY
from followup.store.models import (
    CarePlan,
    ContactPoint,
    MedicationRequest,
    Patient,
)
from followup.store.models import DetectedIssue as DetectedIssueRow
from followup.store.queries import enrolments as queries


@dataclass(frozen=True)
class Enrolled:
    """What was written, when the invitation goes (now, or at the next opening), and which lanes to ring."""

    patient_public_id: str
    care_plan_public_id: str
    invited_at: datetime
    lanes: frozenset[Lane]


def enrol(
    session: Session,
    organization_id: UUID,
    enrolment: Enrolment,
    *,
    by: UUID | None,
    knowledge: Knowledge,
    now: datetime,
    key: str | None = None,
) -> Enrolled:
    """Write the patient, the plan, a draft of the taper, and the invitation: nothing else goes out.

    EnrolmentRefused lists every fault by field, and nothing is written. `key` is the form's: once.Repeated
    when it enrolled somebody already.
    """
    patient_id = public_id("pat")
    if key is not None:
        # Before the check: the first press made a patient with this phone, and this one is no second patient.
        once.claim(session, organization_id, key, patient_id, now=now)
    found = check(session, organization_id, enrolment, knowledge=knowledge, now=now)
    patient = _patient(session, organization_id, patient_id, enrolment, now)
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
    invited_at, _ = invitations.times(now, patient.time_zone)
    return Enrolled(patient.public_id, care_plan.public_id, invited_at, frozenset({Lane.URGENT}))


def _patient(
    session: Session, organization_id: UUID, patient_id: str, enrolment: Enrolment, now: datetime
) -> Patient:
    patient = Patient(
        created_at=now,
        organization_id=organization_id,
        public_id=patient_id,
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
        ends_on=enrolment.discharge_on + timedelta(days=LAST_DAY),
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
    starts_on = default_start(enrolment, days[0], patient, now)
    try:
        taper_drafts.draft(
            session,
            patient.organization_id,
            care_plan,
            starts_on=starts_on,
            step_days=days[1] - days[0],
            shorten=True,
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
