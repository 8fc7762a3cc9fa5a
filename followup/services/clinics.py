"""Add a clinic: who patients know it as, when it is open, which numbers it sends from."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from followup.clinical import timing
from followup.core.errors import InvalidInput
from followup.core.ids import public_id
from followup.core.vocabulary import Language
from followup.services import audit
from followup.services.wording import hours_label
from followup.store.models import Organization, SenderNumber

_NAME_LENGTH = 20  #: It stands in every text; texts are measured with a name of this length.


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
    now: datetime,
) -> Organization:
    """Write a clinic with its sender numbers; InvalidInput or ClinicalError says what is wrong.

    `hours`: {"mon": ["08:00", "17:00"], ...}; `holidays`: ISO dates; numbers in E.164.
    """
    if not 0 < len(name.strip()) <= _NAME_LENGTH:
        raise InvalidInput(
            f"The name has {len(name)} characters; it needs 1 to {_NAME_LENGTH}.", field="name"
        )
    timing.zone_of(time_zone)
    timing.clinic_hours(hours)
    clinic = Organization(
        created_at=now,
        public_id=public_id("org"),
        name=name.strip(),
        time_zone=time_zone,
        phone=phone,
        oncall_phone=oncall_phone,
        hours=dict(hours),
        hours_text={language.value: hours_label(hours, language) for language in Language},
        holidays=list(holidays),
    )
    session.add(clinic)
    session.flush()
    session.add_all(SenderNumber(created_at=now, organization_id=clinic.id, e164=one) for one in senders)
    audit.record(session, clinic.id, "clinics.add", now=now, entity=clinic.public_id)
    return clinic


def id_of(session: Session, public_id: str) -> UUID | None:
    """Return the key of a clinic by its public id."""
    return session.scalar(select(Organization.id).where(Organization.public_id == public_id))
