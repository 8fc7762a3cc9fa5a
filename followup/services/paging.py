"""Tell staff about an alert: by which text and channel, how often again. Never a word about the patient."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from followup.core.vocabulary import (
    AlertEventKind,
    Audience,
    Channel,
    Lane,
    Language,
    Priority,
    RequestOrigin,
    RequestStatus,
    Tier,
)
from followup.services.knowledge import Knowledge
from followup.store.models import Alert, AlertEvent, CommunicationRequest, StaffUser

#: Minutes until the same people are paged again while nobody has taken it (reference 6, last line: 5 and 30).
REPEAT_MINUTES: Mapping[Tier, int] = {Tier.EMERGENCY: 5, Tier.URGENT: 30}
#: A page that could not go out for a day is no use; the climb has written fresh ones by then.
PAGE_LIFE = timedelta(hours=24)
FIRST_PAGE: Mapping[Tier, str] = {
    Tier.EMERGENCY: "staff_page_emergency",
    Tier.URGENT: "staff_page_urgent",
}
_BOTH = (Channel.SMS, Channel.EMAIL)


def snapshot(knowledge: Knowledge, tier: Tier) -> list[Any]:
    """Return the ladder of a tier as it stands now, for the alert to keep."""
    return [
        {
            "number": step.number,
            "delay_minutes": step.delay_minutes,
            "repeat_minutes": REPEAT_MINUTES.get(tier, max(REPEAT_MINUTES.values())),
            "targets": step.targets,
            "channels": [channel.value for channel in step.channels],
        }
        for step in knowledge.escalation[tier].steps
    ]


def page(
    session: Session,
    alert: Alert,
    staff: Sequence[StaffUser],
    *,
    now: datetime,
    message_key: str | None = None,
    fields: Mapping[str, str] | None = None,
) -> int:
    """Write, as a new round, one text for each of the staff and each of their channels; return how many."""
    _next_round(session, alert)
    key = message_key or FIRST_PAGE.get(alert.tier, FIRST_PAGE[Tier.URGENT])
    told = {"alert": alert.code, **(fields or {})}
    for person in staff:
        for channel, address in _roads(alert, person):
            row = _page_row(alert, person, channel, address, key, told, now)
            row.page_step, row.page_round = alert.page_step, alert.page_round
            session.add(row)
    alert.next_step_at = now + timedelta(minutes=repeat_minutes(alert))
    detail = {"people": len(staff), "round": alert.page_round, "text": key}
    session.add(
        AlertEvent(
            organization_id=alert.organization_id,
            alert_id=alert.id,
            kind=AlertEventKind.PAGED,
            detail=detail,
            created_at=now,
        )
    )
    return len(staff)


def _next_round(session: Session, alert: Alert) -> None:
    # Counted by the database: two who page at the same moment wait for each other and never share a round.
    session.execute(
        update(Alert)
        .where(Alert.id == alert.id)
        .values(page_round=Alert.page_round + 1)
        .execution_options(synchronize_session=False)
    )
    session.refresh(alert, ["page_round"])


def repeat_minutes(alert: Alert) -> int:
    """Return minutes from one page to the next, by the ladder that the alert keeps."""
    steps = [step["repeat_minutes"] for step in alert.policy]
    return int(min(steps, default=REPEAT_MINUTES[Tier.URGENT]))


def stop(session: Session, alert: Alert, *, now: datetime) -> None:
    """Revoke the pages of an alert that no drain has claimed yet."""
    session.execute(
        update(CommunicationRequest)
        .where(
            CommunicationRequest.alert_id == alert.id,
            CommunicationRequest.origin == RequestOrigin.PAGE,
            CommunicationRequest.page_step.is_not(None),
            CommunicationRequest.status == RequestStatus.ACTIVE,
        )
        .values(status=RequestStatus.REVOKED, ended_reason="acknowledged")
        .execution_options(synchronize_session=False)
    )


def tell_taken(
    session: Session, alert: Alert, staff: Iterable[StaffUser], *, by: StaffUser, now: datetime
) -> None:
    """Tell people who were paged that `by` has the alert, so that nobody rushes in vain; by one channel."""
    told = {"alert": alert.code, "staff": by.display_name}
    for person in staff:
        if person.id != by.id:
            channel, address = _roads(alert, person)[0]
            session.add(_page_row(alert, person, channel, address, "staff_taken_by_other", told, now))


def answer(
    session: Session,
    staff: StaffUser,
    *,
    message_key: str,
    channel: Channel,
    address: str,
    in_reply_to_id: UUID,
    now: datetime,
    alert: Alert | None = None,
    fields: Mapping[str, str] | None = None,
) -> CommunicationRequest:
    """Answer a staff member's own text; useless after 10 minutes, as every direct answer."""
    row = _row(staff, channel, address, message_key, dict(fields or {}), now, timedelta(minutes=10))
    row.origin, row.in_reply_to_id = RequestOrigin.REPLY, in_reply_to_id
    row.alert_id = alert.id if alert else None
    session.add(row)
    return row


def _roads(alert: Alert, person: StaffUser) -> list[tuple[Channel, str]]:
    wanted = {Channel(one) for step in alert.policy for one in step["channels"]} or set(_BOTH)
    found = [(Channel.SMS, person.phone), (Channel.EMAIL, person.email)]
    roads = [(channel, address) for channel, address in found if address and channel in wanted]
    return roads or [(Channel.EMAIL, person.email)]


def _page_row(
    alert: Alert,
    person: StaffUser,
    channel: Channel,
    address: str,
    key: str,
    fields: Mapping[str, str],
    now: datetime,
) -> CommunicationRequest:
    row = _row(person, channel, address, key, dict(fields), now, PAGE_LIFE)
    row.origin, row.alert_id = RequestOrigin.PAGE, alert.id
    return row


def _row(
    person: StaffUser,
    channel: Channel,
    address: str,
    key: str,
    fields: dict[str, Any],
    now: datetime,
    life: timedelta,
) -> CommunicationRequest:
    return CommunicationRequest(
        organization_id=person.organization_id,
        status=RequestStatus.ACTIVE,
        audience=Audience.STAFF,
        lane=Lane.STAT,
        priority=Priority.STAT,
        staff_id=person.id,
        channel=channel,
        address=address,
        language=Language.EN,
        message_key=key,
        message_keys=[key],
        fields=fields,
        due_at=now,
        expires_at=now + life,
        next_attempt_at=now,
        created_at=now,
    )
