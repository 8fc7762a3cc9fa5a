"""Add a clinic: who patients know it as, when it is open, which numbers it sends from."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from followup.clinical import timing
from followup.core.contactpoint import PhoneNumber
from followup.core.errors import ClinicalError, InvalidInput
from followup.core.ids import public_id
from followup.core.typed import cleaned
from followup.core.vocabulary import Language
from followup.services import audit
from followup.services.wording import hours_label
from followup.store.models import Organization, SenderNumber

_NAME_LENGTH = 20  #: It stands in every text; texts are measured with a name of this length.


class ClinicRefused(InvalidInput):
    """Some facts about the clinic need fixing before it can be added."""

    code = "clinic.refused"

    def __init__(self, faults: Mapping[str, str]) -> None:
        """Keep what is wrong by field name, each with what to do."""
        super().__init__(" ".join(faults.values()))
        self.faults = dict(faults)


def add(
    session: Session,
    *,
    name: str,
    time_zone: str,
    phone: str,
    oncall_phone: str | None,
    senders: Sequence[str],
    hours: Mapping[str, list[str]],
    holidays: Sequence[str] = (),
    region: str | None = None,
    now: datetime,
) -> Organization:
    """Write a clinic with its sender numbers; ClinicRefused lists every fault by its field.

    `hours`: {"mon": ["08:00", "17:00"], ...}; `holidays`: ISO dates; numbers in E.164, or as people type
    them in `region`. The office's and the on-call number are only ever called, so they may be toll-free; a
    clinic may send from a toll-free number too.
    """
    checked = _Checked(region)
    checked.name(name)
    checked.rule("time_zone", timing.zone_of, time_zone)
    checked.rule("hours", timing.clinic_hours, hours)
    office = checked.number("phone", phone)
    oncall = checked.number("oncall_phone", oncall_phone) if oncall_phone else None
    sending = dict.fromkeys(checked.sender(session, one) for one in senders)
    if checked.faults:
        raise ClinicRefused(checked.faults)
    clinic = Organization(
        created_at=now,
        public_id=public_id("org"),
        name=cleaned(name).strip(),
        time_zone=time_zone,
        phone=office,
        oncall_phone=oncall,
        hours=dict(hours),
        hours_text={language.value: hours_label(hours, language) for language in Language},
        holidays=list(holidays),
    )
    session.add(clinic)
    session.flush()
    session.add_all(SenderNumber(created_at=now, organization_id=clinic.id, e164=one) for one in sending)
    audit.record(session, clinic.id, "clinics.add", now=now, entity=clinic.public_id)
    return clinic


class _Checked:
    """What was looked at so far, and every fault of it by field."""

    def __init__(self, region: str | None) -> None:
        self.region = region
        self.faults: dict[str, str] = {}

    def fault(self, field: str, said: str) -> None:
        known = self.faults.get(field)
        self.faults[field] = f"{known} {said}" if known else said

    def name(self, typed: str) -> None:
        length = len(cleaned(typed).strip())
        if not 0 < length <= _NAME_LENGTH:
            self.fault("name", f"{length} characters; it needs 1 to {_NAME_LENGTH}.")

    def rule(self, field: str, holds: Callable[[Any], object], value: object) -> None:
        try:
            holds(value)
        except ClinicalError as refused:
            self.fault(field, str(refused))

    def number(self, field: str, typed: str) -> str:
        if self.region is None:
            return typed
        try:
            return PhoneNumber.parse(typed, self.region, is_texted=False).e164
        except InvalidInput as refused:
            self.fault(field, f"{typed}: {refused}")
            return ""

    def sender(self, session: Session, typed: str) -> str:
        """Return a number to send from, of no other clinic: what comes in is told apart by it."""
        number = self.number("senders", typed)  # Carriers let toll-free ones send.
        if number and session.scalar(select(SenderNumber.id).where(SenderNumber.e164 == number)):
            self.fault("senders", f"{typed}: another clinic of this installation sends from it. Use another.")
        return number


def id_of(session: Session, public_id: str) -> UUID | None:
    """Return the key of a clinic by its public id."""
    return session.scalar(select(Organization.id).where(Organization.public_id == public_id))
