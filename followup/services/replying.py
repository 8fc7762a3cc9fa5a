"""Send a patient words that staff wrote: with a yes, to an open address, in the hours for texts."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from followup.clinical import timing
from followup.core.errors import Conflict, ConsentMissing, InvalidInput
from followup.core.typed import cleaned
from followup.core.vocabulary import (
    Audience,
    CarePlanStatus,
    CatchUp,
    Channel,
    ConsentStatus,
    Lane,
    Priority,
    RequestOrigin,
)
from followup.messages.law import load_law
from followup.messages.segments import segments, to_gsm
from followup.services import audit, once
from followup.store.models import CommunicationRequest, Patient, StaffUser
from followup.store.queries import patients

LONGEST = 480  #: characters: three parts; more is a call, not a text
#: Nothing is planned so close to closing that a busy minute would make it too late.
_LEAST_TIME = timedelta(minutes=5)
WRITTEN_BY_STAFF = "written_by_staff"


class NamesADrug(InvalidInput):
    """The text names a drug. Anyone who sees the phone can read it. Change it, or tick that it must be so."""

    code = "reply.names_a_drug"


@dataclass(frozen=True)
class Written:
    """What was written down to be sent: by which channel, when, in how many parts."""

    channel: Channel
    due_at: datetime
    parts: int
    is_later: bool  #: It is outside the hours for texts now.
    changed: str = ""  #: Signs that no text can hold: left out, or written plainer.


def send_staff_text(
    session: Session,
    organization_id: UUID,
    patient: Patient,
    text: str,
    *,
    by: StaffUser,
    now: datetime,
    may_name_drugs: bool = False,
    key: str | None = None,
) -> Written:
    """Write a staff member's words to a patient as a request that is due now, or when texts may next go.

    Raises InvalidInput for no words, too many, or a drug's name that nobody ticked; ConsentMissing without a
    yes on an open address; Conflict while the patient's course is not running; once.Repeated when the form
    with this key sent these words already.
    """
    words = _checked(text, may_name_drugs=may_name_drugs)
    if key is not None:
        once.claim(session, organization_id, once.bound(key, words), patient.public_id, now=now)
    header = patients.header(session, organization_id, patient.public_id)
    if not patient.is_active or header.plan_status is not CarePlanStatus.ACTIVE:
        raise Conflict("The patient's course is not running, so no text goes out. Call instead.")
    road = _open_road(patients.roads(session, organization_id, patient.id))
    changed = _changed(words) if road.channel is Channel.SMS else ""
    due_at, expires_at = _window(now, patient.time_zone)
    session.add(
        CommunicationRequest(
            created_at=now,
            organization_id=organization_id,
            audience=Audience.PATIENT,
            origin=RequestOrigin.STAFF,
            lane=Lane.URGENT,
            priority=Priority.ASAP,
            patient_id=patient.id,
            care_plan_id=header.plan_id,
            staff_id=by.id,
            channel=road.channel,
            address=road.address,
            language=patient.language,
            message_key=WRITTEN_BY_STAFF,
            message_keys=[WRITTEN_BY_STAFF],
            body=words,
            fields={},
            catch_up=CatchUp.SKIP,
            due_at=due_at,
            expires_at=expires_at,
            next_attempt_at=due_at,
        )
    )
    parts = segments(to_gsm(words)) if road.channel is Channel.SMS else 1
    audit.record(
        session, organization_id, "replying.send", now=now, staff_id=by.id, entity=patient.public_id,
        channel=road.channel.value, parts=parts,
    )  # fmt: skip
    return Written(road.channel, due_at, parts, due_at > now, changed)


def _checked(text: str, *, may_name_drugs: bool) -> str:
    words = "\n".join(line.strip() for line in cleaned(text).strip().splitlines())
    if not words:
        raise InvalidInput("Text: empty. Write what the patient should read.", field="text")
    if len(words) > LONGEST:
        raise InvalidInput(
            f"Text: {len(words)} characters, at most {LONGEST}. Shorten it, or call.", field="text"
        )
    if not may_name_drugs and load_law().never["drug"].search(words):
        raise NamesADrug(field="text")
    return words


def _changed(words: str) -> str:
    """Return the signs that a text message cannot hold, each once; InvalidInput where nothing is left."""
    if not to_gsm(words):
        raise InvalidInput("Text: no sign of it can go by text message. Write it in words.", field="text")
    return "".join(dict.fromkeys(char for char in words if to_gsm(char) != char and not char.isspace()))


def _open_road(roads: tuple[patients.Road, ...]) -> patients.Road:
    agreed = [road for road in roads if road.consent is ConsentStatus.ACTIVE]
    free = [road for road in agreed if road.blocked is None]
    if not agreed:
        raise ConsentMissing("The patient has not said yes to texts or email, so none can go. Call instead.")
    if not free:
        raise ConsentMissing("Every address of the patient is blocked, so no text can go. Call instead.")
    return free[0]


def _window(now: datetime, zone: str) -> tuple[datetime, datetime]:
    due_at = timing.next_opening(now, zone)
    closes = timing.open_window(timing.local_date(due_at, zone), zone)[1]
    if closes - due_at < _LEAST_TIME:
        due_at = timing.next_opening(closes, zone)
        closes = timing.open_window(timing.local_date(due_at, zone), zone)[1]
    return due_at, closes
