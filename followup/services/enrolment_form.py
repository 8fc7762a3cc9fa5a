"""What an enrolment form holds, and what must be right before it may be saved."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy.orm import Session

from followup.clinical import timing
from followup.clinical.drugs import Form
from followup.clinical.issues import DetectedIssue, Effect, History, Prescription, detect
from followup.clinical.mme import Mme, mme_per_day
from followup.core.contactpoint import EmailAddress, PhoneNumber
from followup.core.errors import ClinicalError, InvalidInput
from followup.core.vocabulary import Channel, Course, Language
from followup.services.knowledge import Knowledge
from followup.store.queries import consents
from followup.store.queries import enrolments as queries

_ADULT = 18  #: reference, scope: CDC guidance covers adults; others are handled by a person
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
    yield from _blocked(session, organization_id, enrolment)
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


def _blocked(session: Session, organization_id: UUID, enrolment: Enrolment) -> Iterator[tuple[str, str]]:
    """Yield the address that may get nothing from this clinic: an invitation to it would never leave."""
    given = (
        ("phone", Channel.SMS, enrolment.phone.e164 if enrolment.phone else None),
        ("email", Channel.EMAIL, enrolment.email.address if enrolment.email else None),
    )
    for field_name, system, value in given:
        if (
            value is not None
            and consents.open_suppression(session, organization_id, system, value) is not None
        ):
            yield (
                field_name,
                (
                    "This address is blocked here: someone asked us to stop, or texts could not reach it. "
                    "Ask the patient to text START to the clinic's number, or use another address."
                ),
            )


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
