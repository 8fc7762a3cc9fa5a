"""The road out, across all clinics: the worker's claim with its gates, leases, expiry and lateness.

The gates stand here once: the claim asks that all are open, the expiry asks which one was shut.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Engine,
    Integer,
    Select,
    Update,
    and_,
    bindparam,
    case,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from followup.core.vocabulary import (
    AlertStatus,
    Audience,
    CarePlanStatus,
    Channel,
    CommunicationStatus,
    ConsentStatus,
    Direction,
    Lane,
    Language,
    Question,
    RequestOrigin,
    RequestStatus,
    SuppressionReason,
    TaperStatus,
    Tier,
)
from followup.store.models import (
    Alert,
    CarePlan,
    Communication,
    Consent,
    Organization,
    Patient,
    SenderNumber,
    Suppression,
    TaperPlan,
    TaperStep,
)
from followup.store.models import CommunicationRequest as Request
from followup.store.session import autocommitted

#: The one text that still goes to an address which has just told us STOP, or that we have the wrong number.
LAST_WORDS = ("auto_optout", "auto_optout_danger", "email_optout_done", "auto_wrong_number", "auto_help")
_OWN_WISH = (SuppressionReason.OPTED_OUT, SuppressionReason.WRONG_NUMBER)
_WAITING = (RequestStatus.ACTIVE, RequestStatus.ON_HOLD)
_WE_START = (RequestOrigin.PLANNED, RequestOrigin.STAFF, RequestOrigin.INVITATION)


@dataclass(frozen=True, slots=True)
class Claimed:
    """One request as its drain took it: everything that rendering and recording need."""

    id: UUID
    organization_id: UUID
    patient_id: UUID | None
    staff_id: UUID | None
    alert_id: UUID | None
    audience: Audience
    origin: RequestOrigin
    channel: Channel
    address: str
    language: Language
    message_key: str
    body: str | None
    fields: dict[str, Any]
    asks: Question | None
    due_at: datetime
    expires_at: datetime
    attempt: int


def _is(column: Any, word: Any) -> ColumnElement[bool]:
    # Written out, not bound: a partial index serves a statement only when its condition can be read in it.
    return _literal(column, "=", word)


def _literal(column: Any, operator: str, word: Any) -> ColumnElement[bool]:
    compared: ColumnElement[bool] = column.op(operator, is_comparison=True)(
        literal(word, column.type, literal_execute=True)
    )
    return compared


def _exists(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    # A scalar, not EXISTS: PostgreSQL would read all patients' consents into a hash to look up a hundred.
    return select(1).where(*conditions).limit(1).correlate(Request).scalar_subquery().is_not(None)


def _plan_of_request() -> ColumnElement[bool]:
    return and_(
        CarePlan.patient_id == Request.patient_id,
        or_(Request.care_plan_id.is_(None), CarePlan.id == Request.care_plan_id),
    )


def _suppressed() -> ColumnElement[bool]:
    return and_(
        Request.audience != Audience.STAFF,
        _exists(
            Suppression.organization_id == Request.organization_id,
            Suppression.system == Request.channel,
            Suppression.value == Request.address,
            Suppression.ended_at.is_(None),
            or_(
                Suppression.reason.not_in(_OWN_WISH),
                Request.message_key.not_in(LAST_WORDS),
            ),
        ),
    )


def _we_start() -> ColumnElement[bool]:
    return and_(Request.audience == Audience.PATIENT, Request.origin.in_(_WE_START))


def _paused() -> ColumnElement[bool]:
    paused = _exists(Organization.id == Request.organization_id, Organization.paused_at.is_not(None))
    return and_(_we_start(), paused)


def _held() -> ColumnElement[bool]:
    # An invitation precedes the plan's start; everything else that we start needs the plan to run.
    may_run = or_(
        CarePlan.status == CarePlanStatus.ACTIVE,
        and_(Request.origin == RequestOrigin.INVITATION, CarePlan.status == CarePlanStatus.DRAFT),
    )
    followed = and_(
        _exists(Patient.id == Request.patient_id, Patient.is_active.is_(True)),
        _exists(_plan_of_request(), may_run),
    )
    return and_(_we_start(), ~followed)


def _consent(status: ConsentStatus) -> ColumnElement[bool]:
    return _exists(
        Consent.patient_id == Request.patient_id,
        Consent.channel == Request.channel,
        Consent.address == Request.address,
        _is(Consent.status, status),
    )


def _unconsented() -> ColumnElement[bool]:
    invited = and_(Request.origin == RequestOrigin.INVITATION, _consent(ConsentStatus.PROPOSED))
    agreed = and_(Request.origin != RequestOrigin.INVITATION, _consent(ConsentStatus.ACTIVE))
    return and_(_we_start(), ~or_(invited, agreed))


def _untrue() -> ColumnElement[bool]:
    holds = CarePlan.facts.bitwise_and(Request.requires) == Request.requires
    return and_(Request.requires != 0, ~_exists(_plan_of_request(), holds))


def _open_alert(*tiers: Tier) -> ColumnElement[bool]:
    return _exists(
        Alert.organization_id == Request.organization_id,
        Alert.patient_id == Request.patient_id,
        _literal(Alert.status, "<>", AlertStatus.RESOLVED),
        Alert.tier.in_(tiers),
    )


def _emergency() -> ColumnElement[bool]:
    planned = and_(Request.origin == RequestOrigin.PLANNED, Request.audience == Audience.PATIENT)
    return and_(planned, Request.is_safety.is_(False), _open_alert(Tier.EMERGENCY))


def _auto_hold() -> ColumnElement[bool]:
    # reference 5.3.8: no step of a taper is texted while an urgent or emergency alert of the patient is open.
    return and_(Request.taper_step_id.is_not(None), _open_alert(Tier.URGENT, Tier.EMERGENCY))


def _superseded() -> ColumnElement[bool]:
    # reference 5.3.1, at send time: a level is texted only while the version that holds it is approved.
    standing = _exists(
        TaperStep.id == Request.taper_step_id,
        TaperPlan.id == TaperStep.taper_plan_id,
        _is(TaperPlan.status, TaperStatus.APPROVED),
    )
    return and_(Request.taper_step_id.is_not(None), ~standing)


def _page_is_over() -> ColumnElement[bool]:
    # Once somebody has taken the alert, a page that still waits would only wake people.
    waits = _exists(Alert.id == Request.alert_id, _is(Alert.status, AlertStatus.TRIGGERED))
    return and_(Request.page_step.is_not(None), ~waits)


def _shut() -> dict[str, ColumnElement[bool]]:
    """Return each gate's name and the condition under which it is shut."""
    return {
        "suppressed": _suppressed(),
        "paused": _paused(),
        "hold": _held(),
        "consent": _unconsented(),
        "condition": _untrue(),
        "emergency": _emergency(),
        "auto_hold": _auto_hold(),
        "superseded": _superseded(),
        "taken": _page_is_over(),
    }


@cache
def claim(lane: Lane) -> Update:
    """Return the statement that takes due and allowed requests of one lane, of all clinics.

    Its parameters are `at_now`, `most` and `until`. The gates live here, so that a STOP committed before the
    claim is honoured. Built once: building costs more than an idle claim.
    """
    now = bindparam("at_now", type_=Request.expires_at.type)
    due = (
        select(Request.id)
        .where(
            _is(Request.lane, lane),
            _is(Request.status, RequestStatus.ACTIVE),
            Request.next_attempt_at <= now,
            Request.expires_at > now,
            *(~shut for shut in _shut().values()),
        )
        .order_by(Request.next_attempt_at, Request.id)
        .limit(bindparam("most", type_=Integer()))
        .with_for_update(of=Request, skip_locked=True)
    )
    picked = due.cte("picked").prefix_with("MATERIALIZED")
    until = bindparam("until", type_=Request.lease_until.type)
    return (
        update(Request)
        .where(Request.id.in_(select(picked.c.id)))
        .values(status=RequestStatus.IN_PROGRESS, lease_until=until, attempt=Request.attempt + 1)
        .returning(*(getattr(Request, name) for name in Claimed.__dataclass_fields__))
    )


@cache
def _still_allowed() -> Select[tuple[int]]:
    return select(1).where(Request.id == bindparam("request"), *(~shut for shut in _shut().values()))


def still_allowed(engine: Engine, request_id: UUID) -> bool:
    """Tell whether every gate is still open for a request that was claimed a while ago; takes no lock."""
    with engine.connect().execution_options(reads_only=True) as connection:
        return connection.scalar(_still_allowed(), {"request": request_id}) is not None


def take(engine: Engine, lane: Lane, *, now: datetime, limit: int, lease_until: datetime) -> list[Claimed]:
    """Run the claim in a transaction of its own; return up to `limit` requests in the order they were due."""
    rows = autocommitted(engine, claim(lane), {"at_now": now, "most": limit, "until": lease_until})
    return sorted((Claimed(**row._mapping) for row in rows), key=lambda one: (one.due_at, one.id))


def expired(session: Session, *, now: datetime, limit: int) -> list[tuple[Request, str]]:
    """Lock requests of all clinics whose window has passed unsent, each with the gate that keeps it back.

    The gate is named as it stands now; "window" when every one is open.
    """
    why = case(*((shut, name) for name, shut in _shut().items()), else_="window")
    found = (
        select(Request, why)
        .where(
            Request.status.in_(bindparam("waiting", _WAITING, expanding=True, literal_execute=True)),
            Request.expires_at <= now,
        )
        .order_by(Request.expires_at)
        .limit(limit)
        .with_for_update(of=Request, skip_locked=True)
    )
    return [(request, gate) for request, gate in session.execute(found)]


def lease_ran_out(session: Session, *, now: datetime, limit: int) -> Sequence[Request]:
    """Lock claimed requests of all clinics whose drain did not report in time."""
    found = (
        select(Request)
        .where(_is(Request.status, RequestStatus.IN_PROGRESS), Request.lease_until <= now)
        .order_by(Request.lease_until)
        .limit(limit)
        .with_for_update(of=Request, skip_locked=True)
    )
    return session.scalars(found).all()


def attempts(session: Session, request_ids: Sequence[UUID]) -> dict[tuple[UUID, int], Communication]:
    """Return the outbound communications of these requests, by request and attempt; of all clinics."""
    found = select(Communication).where(Communication.request_id.in_(request_ids))
    return {
        (one.request_id, one.attempt): one
        for one in session.scalars(found)
        if one.request_id is not None and one.attempt is not None
    }


def clinics(session: Session, organization_ids: Sequence[UUID]) -> list[tuple[Organization, str | None]]:
    """Return clinics, each with the number that it sends from (None when it has none)."""
    number = (
        select(func.min(SenderNumber.e164))
        .where(SenderNumber.organization_id == Organization.id, SenderNumber.is_active.is_(True))
        .scalar_subquery()
    )
    found = select(Organization, number).where(Organization.id.in_(organization_ids))
    return [(organization, sender) for organization, sender in session.execute(found)]


def scheduled_between(
    session: Session, patient_id: UUID, start: datetime, end: datetime, *, but: UUID
) -> int:
    """Count a patient's planned texts, `but` apart, that are due in [start, end) and went, or still may."""
    alive = (RequestStatus.ACTIVE, RequestStatus.IN_PROGRESS, RequestStatus.COMPLETED)
    found = select(func.count()).where(
        Request.patient_id == patient_id,
        Request.id != but,
        Request.origin == RequestOrigin.PLANNED,
        Request.status.in_(alive),
        Request.due_at >= start,
        Request.due_at < end,
    )
    return session.scalar(found) or 0


@dataclass(frozen=True, slots=True)
class Lateness:
    """How the road out stands, in all clinics: what waits beyond its time, and what nobody can vouch for."""

    overdue: int  #: Allowed, due before the given instant, and not taken.
    oldest_due_at: datetime | None
    unknown: int


def lateness(session: Session, *, due_before: datetime, now: datetime) -> Lateness:
    """Count requests of all clinics that could have gone before `due_before`, and unknown attempts."""
    late = select(func.count(), func.min(Request.next_attempt_at)).where(
        _is(Request.status, RequestStatus.ACTIVE),
        Request.next_attempt_at <= due_before,
        Request.expires_at > now,
        *(~shut for shut in _shut().values()),
    )
    overdue, oldest = session.execute(late).one()
    unknown = select(func.count()).where(
        _is(Communication.status, CommunicationStatus.UNKNOWN), Communication.direction == Direction.OUT
    )
    return Lateness(overdue, oldest, session.scalar(unknown) or 0)
