"""Ask what must be true of a request for it to go out: each gate as SQL, part of the claim (reliability D7).

So that a STOP that was committed before a claim is honoured by it, without a second question.
"""

from typing import Any

from sqlalchemy import ColumnElement, and_, literal, or_, select

from followup.core.vocabulary import (
    AlertStatus,
    Audience,
    CarePlanStatus,
    ConsentStatus,
    RequestOrigin,
    SuppressionReason,
    TaperStatus,
    Tier,
)
from followup.store.models import (
    Alert,
    CarePlan,
    Consent,
    Organization,
    Patient,
    Suppression,
    TaperPlan,
    TaperStep,
)
from followup.store.models import CommunicationRequest as Request

#: The texts that still go to an address which has just told us STOP, or that we have the wrong number.
LAST_WORDS = (
    "auto_optout",
    "auto_optout_danger",
    "email_optout_done",
    "auto_wrong_number",
    "auto_help",
    "auto_start_refused",
)
_OWN_WISH = (SuppressionReason.OPTED_OUT, SuppressionReason.WRONG_NUMBER)
_WE_START = (RequestOrigin.PLANNED, RequestOrigin.STAFF, RequestOrigin.INVITATION)


def equals(column: Any, word: Any) -> ColumnElement[bool]:
    """Compare a column with a word that is written out, not bound.

    A partial index serves a statement only when its condition can be read in it.
    """
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
        equals(Consent.status, status),
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
        equals(TaperPlan.status, TaperStatus.APPROVED),
    )
    return and_(Request.taper_step_id.is_not(None), ~standing)


def _page_is_over() -> ColumnElement[bool]:
    # Once somebody has taken the alert, a page that still waits would only wake people.
    waits = _exists(Alert.id == Request.alert_id, equals(Alert.status, AlertStatus.TRIGGERED))
    return and_(Request.page_step.is_not(None), ~waits)


def shut() -> dict[str, ColumnElement[bool]]:
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
