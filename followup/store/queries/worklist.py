"""Read models of the worklist: who waits, what they wrote, who has it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from followup.core.vocabulary import AlertKind, AlertStatus, Direction, Language, Question, Tier
from followup.store.models import Alert, AlertEvent, CarePlan, Communication, Patient, StaffUser
from followup.store.queries.people import TIER_ORDER, newest_plan_id

LONGEST = 100  #: Most rows of one page; the worst come first.


@dataclass(frozen=True)
class Words:
    """A text that raised an alert, with the spans that did."""

    alert_id: UUID
    communication_id: UUID
    body: str
    media_count: int
    evidence: tuple[Mapping[str, Any], ...]
    flags: tuple[str, ...]
    tier: Tier | None
    received_at: datetime | None


@dataclass(frozen=True)
class Waiting:
    """An alert as a row of the worklist; one without a patient has a sender, or is the clinic's task."""

    id: UUID
    public_id: str
    code: str
    kind: AlertKind
    task: str
    tier: Tier
    status: AlertStatus
    triggered_at: datetime
    next_step_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: UUID | None
    cannot_text: bool
    sender: str | None
    owner: str | None
    patient_id: UUID | None
    patient_public_id: str | None
    given_name: str | None
    family_name: str | None
    birth_on: date | None
    sex: str | None
    language: Language | None
    time_zone: str | None
    discharge_on: date | None
    words: tuple[Words, ...] = field(default=())

    @property
    def name(self) -> str:
        """Return whom the row is about."""
        if self.given_name is not None:
            return f"{self.given_name} {self.family_name}"
        return "Unknown sender" if self.kind is AlertKind.UNKNOWN_SENDER else "The clinic"


@dataclass(frozen=True)
class Moment:
    """One text of a patient, as the strip of six weeks needs it."""

    patient_id: UUID
    direction: Direction
    at: datetime
    asks: Question | None
    tier: Tier | None
    is_answer: bool


def open_rows(
    session: Session, organization_id: UUID, *, owner_id: UUID | None = None
) -> tuple[Waiting, ...]:
    """Return a clinic's open alerts, worst first, then the oldest; with `owner_id` only theirs."""
    query = _rows(organization_id).where(Alert.status != AlertStatus.RESOLVED)
    if owner_id is not None:
        query = query.where(Alert.acknowledged_by == owner_id)
    order = (TIER_ORDER.desc(), Alert.triggered_at, Alert.id)
    rows = [Waiting(*row) for row in session.execute(query.order_by(*order).limit(LONGEST))]
    words = words_of(session, organization_id, [row.id for row in rows])
    return tuple(_with_words(row, words.get(row.id, ())) for row in rows)


def _with_words(row: Waiting, words: Sequence[Words]) -> Waiting:
    return Waiting(**{**row.__dict__, "words": tuple(words)})


def row_of(session: Session, organization_id: UUID, public_id: str) -> Waiting | None:
    """Return one alert of a clinic, open or closed, with its words; None for another clinic's."""
    found = session.execute(_rows(organization_id).where(Alert.public_id == public_id)).one_or_none()
    if found is None:
        return None
    row = Waiting(*found)
    return _with_words(row, words_of(session, organization_id, [row.id]).get(row.id, ()))


def _rows(organization_id: UUID) -> Any:
    return (
        select(
            Alert.id,
            Alert.public_id,
            Alert.code,
            Alert.kind,
            Alert.task,
            Alert.tier,
            Alert.status,
            Alert.triggered_at,
            Alert.next_step_at,
            Alert.acknowledged_at,
            Alert.acknowledged_by,
            Alert.cannot_text,
            Alert.sender,
            StaffUser.display_name,
            Patient.id,
            Patient.public_id,
            Patient.given_name,
            Patient.family_name,
            Patient.birth_on,
            Patient.sex,
            Patient.language,
            Patient.time_zone,
            CarePlan.discharge_on,
        )
        .outerjoin(Patient, Patient.id == Alert.patient_id)
        .outerjoin(CarePlan, CarePlan.id == newest_plan_id())
        .outerjoin(StaffUser, StaffUser.id == Alert.acknowledged_by)
        .where(Alert.organization_id == organization_id)
    )


def words_of(
    session: Session, organization_id: UUID, alert_ids: Collection[UUID]
) -> Mapping[UUID, tuple[Words, ...]]:
    """Return for each alert the texts behind it: worst first, then the newest."""
    found = session.execute(
        select(
            AlertEvent.alert_id,
            Communication.id,
            Communication.body,
            Communication.media_count,
            Communication.evidence,
            Communication.flags,
            Communication.tier,
            Communication.received_at,
        )
        .join(Communication, Communication.id == AlertEvent.communication_id)
        .where(
            AlertEvent.organization_id == organization_id,
            Communication.organization_id == organization_id,
            AlertEvent.alert_id.in_(alert_ids),
            Communication.direction == Direction.IN,
        )
        .distinct()
    )
    words: dict[UUID, list[Words]] = {}
    for alert_id, key, body, media, evidence, flags, tier, received_at in found:
        line = Words(alert_id, key, body, media, tuple(evidence or ()), tuple(flags or ()), tier, received_at)
        words.setdefault(alert_id, []).append(line)
    return {key: tuple(sorted(lines, key=_worst_then_newest)) for key, lines in words.items()}


def _worst_then_newest(line: Words) -> tuple[int, float]:
    return (
        -(line.tier.rank if line.tier else 0),
        -(line.received_at.timestamp() if line.received_at else 0.0),
    )


def moments(
    session: Session, organization_id: UUID, patient_ids: Collection[UUID]
) -> Mapping[UUID, tuple[Moment, ...]]:
    """Return what was asked and answered of each patient, oldest first, for their strips of six weeks."""
    at = func.coalesce(Communication.received_at, Communication.sent_at, Communication.created_at)
    rows: Any = session.execute(
        select(
            Communication.patient_id,
            Communication.direction,
            Communication.created_at,
            Communication.asks,
            Communication.tier,
            Communication.answers_request_id.is_not(None),
        )
        .where(
            Communication.organization_id == organization_id,
            Communication.patient_id.in_(patient_ids),
        )
        .order_by(at)
    )
    told: dict[UUID, list[Moment]] = {}
    for row in rows:
        moment = Moment(*row)
        told.setdefault(moment.patient_id, []).append(moment)
    return {key: tuple(line) for key, line in told.items()}
