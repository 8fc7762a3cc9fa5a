"""Let staff act by text on the alerts of their own clinic: A takes, E passes on, R closes, T takes over."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from followup.clinical.keywords import StaffCode, StaffVerb, read_staff_code
from followup.clinical.timing import zone_of
from followup.core.errors import Conflict
from followup.core.vocabulary import AlertStatus, Tier
from followup.services import alerts, audit, paging
from followup.services.knowledge import Knowledge
from followup.store.models import Alert, Communication, Organization, StaffUser
from followup.store.queries import alerts as queries

#: Minutes within which we ask that a taken alert be closed [J]; only said, nothing follows from it here.
CLOSE_MINUTES: Mapping[Tier, int] = {Tier.EMERGENCY: 30, Tier.URGENT: 240}
_CLOSE_LATER = 24 * 60


@dataclass(frozen=True)
class Answer:
    """The text that answers a code, and what stands in its places."""

    message_key: str
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Act:
    """One code of one staff member, on an alert of their clinic."""

    session: Session
    alert: Alert
    staff: StaffUser
    organization: Organization
    code: StaffCode
    knowledge: Knowledge
    now: datetime

    @property
    def owner(self) -> StaffUser | None:
        """Return who has the alert."""
        taken_by = self.alert.acknowledged_by
        return self.session.get(StaffUser, taken_by) if taken_by else None


def act_on(
    session: Session,
    communication: Communication,
    *,
    staff: StaffUser,
    organization: Organization,
    knowledge: Knowledge,
    now: datetime,
) -> Alert | None:
    """Do what a staff member's text asks and answer it; return the alert it was about, if any."""
    code = read_staff_code(communication.body)
    alert = queries.open_alert_by_code(session, organization.id, code.code) if code else None
    if code is None:
        answer = Answer("staff_text_not_code")
    elif alert is None:
        answer = Answer("staff_code_unknown", {"alert": code.code})
    else:
        act = Act(session, alert, staff, organization, code, knowledge, now)
        answer = _VERBS[code.verb](act)
        detail = {"verb": code.verb.value, "answer": answer.message_key}
        audit.record(
            session,
            organization.id,
            "alerts.text_code",
            now=now,
            staff_id=staff.id,
            entity=alert.public_id,
            **detail,
        )
    _reply(session, communication, staff, answer, alert, now)
    return alert


def _reply(
    session: Session,
    communication: Communication,
    staff: StaffUser,
    answer: Answer,
    alert: Alert | None,
    now: datetime,
) -> None:
    fields = {"alert": alert.code, **answer.fields} if alert else answer.fields
    paging.answer(
        session,
        staff,
        message_key=answer.message_key,
        channel=communication.channel,
        address=communication.sender or staff.phone or staff.email,
        in_reply_to_id=communication.id,
        now=now,
        alert=alert,
        fields=fields,
    )


def _take(act: Act) -> Answer:
    if alerts.acknowledge(act.session, act.alert, by=act.staff, now=act.now):
        return Answer("staff_ack_ok", {"minutes": str(CLOSE_MINUTES.get(act.alert.tier, _CLOSE_LATER))})
    return _taken(act)


def _taken(act: Act) -> Answer:
    owner = act.owner
    at = act.alert.acknowledged_at or act.now
    local = at.astimezone(zone_of(act.organization.time_zone))
    staff = owner.display_name if owner else "Someone"
    return Answer("staff_ack_already", {"staff": staff, "time": f"{local:%H:%M}"})


def _pass_on(act: Act) -> Answer:
    owner = act.owner
    if owner is not None and owner.id != act.staff.id:
        return _taken(act)
    others = alerts.pass_on(act.session, act.alert, by=act.staff, knowledge=act.knowledge, now=act.now)
    return Answer("staff_escalate_ok" if others else "staff_escalate_last")


def _close(act: Act) -> Answer:
    if act.code.outcome is None:
        return Answer("staff_resolve_needs_outcome")
    if act.alert.status is AlertStatus.TRIGGERED:
        return Answer("staff_resolve_first_ack")
    owner = act.owner
    if owner is not None and owner.id != act.staff.id:
        return _taken(act)
    try:
        alerts.resolve(act.session, act.alert, by=act.staff, outcome=act.code.outcome, note=None, now=act.now)
    except Conflict:  # words came that they have not seen: A says that they have
        return Answer("staff_resolve_first_ack")
    return Answer("staff_resolve_ok")


def _take_over(act: Act) -> Answer:
    former = alerts.take_over(act.session, act.alert, by=act.staff, now=act.now)
    if former is None or former.id == act.staff.id:
        return Answer("staff_ack_ok", {"minutes": str(CLOSE_MINUTES.get(act.alert.tier, _CLOSE_LATER))})
    return Answer("staff_takeover_ok", {"staff": former.display_name})


_VERBS: Mapping[StaffVerb, Callable[[Act], Answer]] = {
    StaffVerb.TAKE: _take,
    StaffVerb.PASS_ON: _pass_on,
    StaffVerb.CLOSE: _close,
    StaffVerb.TAKE_OVER: _take_over,
}
