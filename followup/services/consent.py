"""Give, decline, opt out, opt in: who may be written to, on which channel, and the wording they agreed to."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from followup.clinical import timing
from followup.core import states
from followup.core.errors import Conflict
from followup.core.vocabulary import (
    CarePlanStatus,
    Channel,
    CommunicationStatus,
    ConsentStatus,
    Direction,
    Fact,
    Lane,
    SuppressionReason,
)
from followup.services import alerts, audit, blocks, planning
from followup.services.blocks import suppress as suppress
from followup.services.knowledge import Knowledge
from followup.services.wording import day_label
from followup.store.models import (
    CarePlan,
    Communication,
    Consent,
    ContactPoint,
    Organization,
    Patient,
)
from followup.store.queries import consents as queries
from followup.store.queries import plans

_WHO_READS_AFTER = timedelta(minutes=5)
_LATE_WELCOME = timedelta(hours=1)  #: how long the answers to a YES that was understood late may go


def give(
    session: Session,
    consent: Consent,
    *,
    by: str,
    communication_id: UUID | None,
    knowledge: Knowledge,
    now: datetime,
) -> frozenset[Lane]:
    """Take a YES: the channel is open and verified, the course begins, its texts are planned.

    Returns lanes to ring; Conflict when the invitation was answered already or is too old. `by` is
    "patient:sms", "patient:web", or the public id of the staff member who recorded a signed form.
    """
    _must_be_open(session, consent, now)
    patient = session.get_one(Patient, consent.patient_id)
    consent.status, consent.answered_at, consent.answered_by = ConsentStatus.ACTIVE, now, by
    consent.communication_id = communication_id
    for contact in _contacts(session, patient):
        if (contact.system, contact.value) == (consent.channel, consent.address):
            contact.verified_at = now
    session.flush()
    for care_plan in _care_plans(session, patient):
        _activate(session, care_plan, knowledge, now)
    _welcome(session, patient, consent, _heard(session, consent, communication_id, now), by, now)
    audit.record(
        session, patient.organization_id, "consent.give", now=now, entity=patient.public_id, by=by,
        channel=consent.channel.value, wording=consent.wording_version,
    )  # fmt: skip
    return frozenset({Lane.STAT, Lane.ROUTINE})


def _must_be_open(session: Session, consent: Consent, now: datetime) -> None:
    session.refresh(consent, with_for_update=True)  # two buttons pressed at once: the second one waits
    if consent.status is not ConsentStatus.PROPOSED or consent.open_until <= now:
        raise Conflict("This invitation was answered already, or it is too old.")


def _activate(session: Session, care_plan: CarePlan, knowledge: Knowledge, now: datetime) -> None:
    _revoke_invitations(session, care_plan)
    care_plan.set_fact(Fact.CONSENT_PENDING, true=False)
    care_plan.set_fact(Fact.CONSENTED, true=True)
    care_plan.set_fact(Fact.TAPER_ACTIVE, true=planning.running_taper(session, care_plan) is not None)
    if care_plan.status is not CarePlanStatus.ACTIVE:
        states.move(care_plan, CarePlanStatus.ACTIVE, states.CARE_PLAN_MOVES)
    care_plan.activated_at = care_plan.activated_at or now
    care_plan.held_at = care_plan.hold_reason = None
    session.flush()
    planning.apply(session, care_plan, knowledge=knowledge, now=now)


def _revoke_invitations(
    session: Session, care_plan: CarePlan, reason: str = "answered", *, address: str | None = None
) -> None:
    unsent = queries.unsent_invitations(session, care_plan.organization_id, care_plan.id)
    plans.revoke(session, [row.id for row in unsent if address in (None, row.address)], reason)


def _heard(session: Session, consent: Consent, communication_id: UUID | None, now: datetime) -> Communication:
    """Return the words that said yes; for a button or a paper form, one that stands for them."""
    if communication_id is not None:
        return session.get_one(Communication, communication_id)
    heard = Communication(
        created_at=now,
        organization_id=consent.organization_id,
        direction=Direction.IN,
        status=CommunicationStatus.COMPLETED,
        channel=Channel.WEB,
        patient_id=consent.patient_id,
        provider="web",
        body="",
        received_at=now,
        processed_at=now,
        handling="consent",
    )
    session.add(heard)
    session.flush()
    return heard


def welcome_keys(channel: Channel, *, on_web: bool) -> tuple[str, ...]:
    """Return the texts that answer a YES; `on_web` is a button or a form on paper, where no reply is seen."""
    keys = ("auto_optin", "edu_welcome", "edu_who_reads") if on_web else ("auto_optin", "edu_who_reads")
    return (*keys, "email_consent_copy") if channel is Channel.EMAIL else keys


def _welcome(
    session: Session, patient: Patient, consent: Consent, heard: Communication, by: str, now: datetime
) -> None:
    """Write the answers to a YES (events consent_yes and consent_yes_on_web_or_paper)."""
    on_web = by != "patient:sms"
    first, expires_at = _when(heard, patient, now)
    for key in welcome_keys(consent.channel, on_web=on_web):
        planning.reply(
            session,
            organization=session.get_one(Organization, patient.organization_id),
            patient=patient,
            channel=consent.channel,
            address=consent.address,
            language=patient.language,
            message_key=key,
            in_reply_to=heard,
            now=now,
            due_at=first + _WHO_READS_AFTER if key == "edu_who_reads" and on_web else first,
            expires_at=expires_at,
        )


def _when(heard: Communication, patient: Patient, now: datetime) -> tuple[datetime, datetime | None]:
    # Who signed up must be told so, even where we understood it too late for a direct reply.
    if now - (heard.received_at or now) < timedelta(minutes=planning.REPLY_MINUTES):
        return now, None
    opens = timing.next_opening(now, patient.time_zone)
    return opens, opens + _LATE_WELCOME


def decline(
    session: Session, consent: Consent, *, by: str, communication_id: UUID | None, now: datetime
) -> frozenset[Lane]:
    """Take a NO: the invitation is over and the plan ends before it began; one answer says so.

    Conflict when the invitation was answered already or is too old.
    """
    _must_be_open(session, consent, now)
    patient = session.get_one(Patient, consent.patient_id)
    heard = _heard(session, consent, communication_id, now)
    planning.reply(
        session,
        organization=session.get_one(Organization, patient.organization_id),
        patient=patient,
        channel=consent.channel,
        address=consent.address,
        language=patient.language,
        message_key="consent_declined",
        in_reply_to=heard,
        now=now,
    )
    consent.status, consent.answered_at, consent.answered_by = ConsentStatus.REJECTED, now, by
    consent.communication_id, consent.ended_at = communication_id, now
    for care_plan in _care_plans(session, patient):
        _revoke_invitations(session, care_plan)
        care_plan.set_fact(Fact.CONSENT_PENDING, true=False)
        states.move(care_plan, CarePlanStatus.REVOKED, states.CARE_PLAN_MOVES)
    audit.record(
        session, patient.organization_id, "consent.decline", now=now, entity=patient.public_id, by=by,
        channel=consent.channel.value,
    )  # fmt: skip
    return frozenset({Lane.STAT})


def opt_out(
    session: Session,
    organization_id: UUID,
    *,
    channel: Channel,
    address: str,
    patients: Sequence[Patient],
    communication_id: UUID | None,
    knowledge: Knowledge,
    now: datetime,
    by: str = "patient",
) -> None:
    """Take a STOP: every channel of these patients is blocked, their course is on hold, staff are asked.

    It holds from this transaction's commit on: the claim of a text asks for it.
    """
    suppress(session, organization_id, channel, address, SuppressionReason.OPTED_OUT, communication_id, now)
    for patient in patients:
        for contact in _contacts(session, patient):
            suppress(
                session, organization_id, contact.system, contact.value, SuppressionReason.OPTED_OUT,
                communication_id, now,
            )  # fmt: skip
        _end_consents(session, patient, now)
        for care_plan in _care_plans(session, patient):
            _stop_plan(session, care_plan, now)
        alerts.open_task(
            session, organization_id, task="texts_stopped", patient=patient, now=now, knowledge=knowledge,
            communication=session.get(Communication, communication_id) if communication_id else None,
        )  # fmt: skip
        audit.record(session, organization_id, "consent.opt_out", now=now, entity=patient.public_id, by=by)


def wrong_number(
    session: Session,
    patient: Patient,
    *,
    channel: Channel,
    address: str,
    communication_id: UUID | None,
    now: datetime,
) -> None:
    """Block a number that may be a stranger's; an invitation to it ends, and no YES from there counts."""
    organization_id, reason = patient.organization_id, SuppressionReason.WRONG_NUMBER
    suppress(session, organization_id, channel, address, reason, communication_id, now)
    for consent in queries.current_consents(session, organization_id, patient.id):
        if consent.status is ConsentStatus.PROPOSED and (consent.channel, consent.address) == (
            channel,
            address,
        ):
            consent.status, consent.ended_at = ConsentStatus.INACTIVE, now
    for care_plan in _care_plans(session, patient):
        _revoke_invitations(session, care_plan, reason.value, address=address)
    audit.record(session, organization_id, "consent.wrong_number", now=now, entity=patient.public_id)


def _end_consents(session: Session, patient: Patient, now: datetime) -> None:
    for consent in queries.current_consents(session, patient.organization_id, patient.id):
        consent.status, consent.ended_at = ConsentStatus.INACTIVE, now


def _stop_plan(session: Session, care_plan: CarePlan, now: datetime) -> None:
    care_plan.set_fact(Fact.CONSENTED, true=False)
    care_plan.set_fact(Fact.CONSENT_PENDING, true=False)
    if care_plan.status in (CarePlanStatus.ACTIVE, CarePlanStatus.DRAFT):
        states.move(care_plan, CarePlanStatus.ON_HOLD, states.CARE_PLAN_MOVES)
    care_plan.held_at, care_plan.hold_reason = now, "opted_out"
    _revoke_invitations(session, care_plan)
    planning.revoke_active(session, care_plan, reason="opted_out")


def opt_in(
    session: Session,
    organization_id: UUID,
    *,
    channel: Channel = Channel.SMS,
    address: str,
    patients: Sequence[Patient],
    communication_id: UUID | None,
    knowledge: Knowledge,
    now: datetime,
) -> bool:
    """Take a START: lift the blocks that a STOP or a wrong number set, where the person once said yes.

    False where nobody did, where no course is left, or where a block stays.
    """
    if blocks.stands(session, organization_id, channel, address):
        return False
    welcome_back = [one for one in patients if _may_come_back(session, one, channel, address)]
    if not welcome_back:
        return False
    blocks.lift(session, organization_id, _addresses(session, welcome_back), now)
    blocks.lift(session, organization_id, [(channel, address)], now, blocks.OWN_WISH)
    for patient in welcome_back:
        _consent_again(session, patient, channel, address, communication_id, knowledge, now)
        for care_plan in _care_plans(session, patient):
            _activate(session, care_plan, knowledge, now)
        audit.record(session, organization_id, "consent.opt_in", now=now, entity=patient.public_id)
    return True


def _said_yes(session: Session, patient: Patient, channel: Channel, address: str) -> Consent | None:
    return queries.latest_yes(session, patient.organization_id, patient.id, channel, address)


def _may_come_back(session: Session, patient: Patient, channel: Channel, address: str) -> bool:
    said_yes = _said_yes(session, patient, channel, address) is not None
    return said_yes and patient.is_active and bool(_care_plans(session, patient))


def _addresses(session: Session, patients: Iterable[Patient]) -> list[tuple[Channel, str]]:
    return [(one.system, one.value) for patient in patients for one in _contacts(session, patient)]


def _consent_again(
    session: Session,
    patient: Patient,
    channel: Channel,
    address: str,
    communication_id: UUID | None,
    knowledge: Knowledge,
    now: datetime,
) -> None:
    before = _said_yes(session, patient, channel, address)
    if before is None or before.status is ConsentStatus.ACTIVE:
        return
    session.add(
        Consent(
            created_at=now,
            organization_id=patient.organization_id,
            patient_id=patient.id,
            channel=channel,
            address=address,
            status=ConsentStatus.ACTIVE,
            language=patient.language,
            wording_key="auto_start",
            wording_version=knowledge.wording_version,
            wording_text=knowledge.catalog.get("auto_start").words(patient.language).text,
            open_until=now,
            answered_at=now,
            answered_by="patient:start",
            communication_id=communication_id,
        )
    )
    session.flush()


def end_label(session: Session, patient: Patient) -> str:
    """Return the last day of the patient's texts as the patient reads it, for "your texts are on until"."""
    found = _care_plans(session, patient)
    return day_label(max(plan.ends_on for plan in found), patient.language) if found else ""


def _contacts(session: Session, patient: Patient) -> Sequence[ContactPoint]:
    return queries.contacts_of(session, patient.organization_id, patient.id)


def _care_plans(session: Session, patient: Patient) -> Sequence[CarePlan]:
    return queries.care_plans_of(session, patient.organization_id, patient.id)
