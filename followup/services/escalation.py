"""Climb the ladder: page again while nobody has taken an alert. It never gives up in silence."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from followup.core.vocabulary import AlertStatus
from followup.services import alerts, paging
from followup.services.knowledge import Knowledge
from followup.store.models import Alert
from followup.store.queries import alerts as queries
from followup.store.session import Sessions

log = logging.getLogger(__name__)

_BATCH = 50


@dataclass(frozen=True)
class Climbed:
    """What one climb did: alerts paged again, and alerts on which it failed (they stay due)."""

    paged: int
    failed: int


def climb(sessions: Sessions, *, knowledge: Knowledge, now: datetime) -> Climbed:
    """Page again about every alert, of any clinic, whose next step has come and that nobody has taken.

    One transaction for each alert: one that fails cannot stop the rest, and stays due for the next climb.
    """
    paged = failed = 0
    tried: list[UUID] = []
    while due := _due(sessions, now, tried):
        tried += due
        for alert_id in due:
            try:
                paged += _page_again(sessions, alert_id, knowledge=knowledge, now=now)
            except Exception as failure:
                failed += 1
                log.error("escalation.climb failed on alert %s: %s", alert_id, type(failure).__name__)
    return Climbed(paged, failed)


def _due(sessions: Sessions, now: datetime, tried: list[UUID]) -> list[UUID]:
    with sessions.begin() as session:
        return list(queries.due_alerts(session, now, _BATCH, tried))


def _page_again(sessions: Sessions, alert_id: UUID, *, knowledge: Knowledge, now: datetime) -> bool:
    with sessions.begin() as session:
        if not _take_step(session, alert_id, now):
            return False
        alert = session.get_one(Alert, alert_id)
        minutes = int((now - alert.triggered_at).total_seconds() // 60)
        fields = {"minutes": str(minutes)}
        alerts.page(session, alert, now=now, knowledge=knowledge, message_key="staff_repage", fields=fields)
        return True


def _take_step(session: Session, alert_id: UUID, now: datetime) -> bool:
    # Two climbs may see the same alert due; the one whose update finds it so writes the pages.
    taken = session.execute(
        update(Alert)
        .where(Alert.id == alert_id, Alert.status == AlertStatus.TRIGGERED, Alert.next_step_at <= now)
        .values(next_step_at=now + timedelta(minutes=max(paging.REPEAT_MINUTES.values())))
        .execution_options(synchronize_session=False)
    )
    return bool(taken.rowcount)  # type: ignore[attr-defined]
