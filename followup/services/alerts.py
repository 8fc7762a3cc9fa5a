"""Raise alerts, take them, pass them on, close them: the work that a person must do about a patient."""

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from followup.core.errors import Conflict, InvalidInput
from followup.core.states import ALERT_MOVES, move
from followup.core.vocabulary import (
    AlertEventKind,
    AlertKind,
    AlertOutcome,
    AlertStatus,
    FlagStatus,
    RequestOrigin,
    Tier,
    worst,
)
from followup.services import alert_rows as rows
from followup.services import audit, paging
from followup.services.alert_rows import PAGED
from followup.services.knowledge import Knowledge
from followup.store.models import (
    Alert,
    Communication,
    CommunicationRequest,
    Flag,
    Organization,
    Patient,
    StaffUser,
)
from followup.store.queries import alerts as queries

log = logging.getLogger(__name__)


def trigger(
    session: Session,
    organization: Organization,
    *,
    kind: AlertKind,
    tier: Tier,
    patient: Patient | None = None,
    sender: str | None = None,
    communication: Communication | None = None,
    flags: Iterable[str] = (),
    knowledge: Knowledge,
    now: datetime,
) -> Alert:
    """Raise what a person must look at, or add it to the open alert of the same patient (or unknown sender).

    An urgent or emergency tier pages at once, at any hour. A worse tier raises the open alert; new danger on
    an acknowledged one brings it back to triggered. `flags` are the taxonomy's words.
    """

    def known() -> Alert | None:
        if patient is not None:
            return queries.open_patient_alert(session, organization.id, kind, patient.id)
        if sender is not None:
            return queries.open_sender_alert(session, organization.id, kind, sender)
        return None

    def fresh() -> Alert:
        return rows.new_alert(
            session, organization.id, kind, tier, knowledge, now, patient=patient, sender=sender
        )

    alert, is_new = rows.find_or_add(session, known, fresh)
    said = tuple(dict.fromkeys(flags))
    if communication is not None and patient is not None:
        rows.add_flags(session, alert, patient, communication, said, now)
    kind_of_event = AlertEventKind.TRIGGERED if is_new else AlertEventKind.FLAG_ADDED
    rows.record(session, alert, kind_of_event, now, communication=communication, tier=tier, flags=said)
    if not is_new:
        _raise(session, alert, tier, communication, knowledge, now)
    elif tier in PAGED:
        _page_at_once(session, alert, knowledge, now)
    if patient is not None:
        refresh_reach(session, patient)
    return alert


def open_task(
    session: Session,
    organization_id: UUID,
    *,
    task: str,
    patient: Patient | None,
    now: datetime,
    knowledge: Knowledge,
    communication: Communication | None = None,
) -> Alert:
    """Ask staff to do something about a patient: one open routine item for each patient and task."""
    alert, is_new = rows.find_or_add(
        session,
        lambda: queries.open_task_alert(session, organization_id, patient.id if patient else None, task),
        lambda: rows.new_alert(
            session,
            organization_id,
            AlertKind.STAFF_TASK,
            Tier.ROUTINE,
            knowledge,
            now,
            patient=patient,
            task=task,
        ),
    )
    kind = AlertEventKind.TRIGGERED if is_new else AlertEventKind.FLAG_ADDED
    if is_new or communication is not None:
        rows.record(session, alert, kind, now, communication=communication, task=task)
    if patient is not None:
        refresh_reach(session, patient)
    return alert


def page(
    session: Session,
    alert: Alert,
    *,
    now: datetime,
    knowledge: Knowledge,
    exclude: Iterable[UUID] = (),
    message_key: str | None = None,
    fields: Mapping[str, str] | None = None,
) -> int:
    """Page the clinic's staff about this alert by SMS and e-mail; return how many people.

    Those who receive pages are told; if there are none, all whose role may take alerts, and a task says so.
    `exclude` holds ids of staff not to page.
    """
    if not alert.code.isdigit():  # routine work that got worse: a page offers a code that can be texted
        alert.code = rows.free_code(session, alert.organization_id, alert.tier)
    staff = queries.pageable_staff(session, alert.organization_id)
    if not staff:
        _ask_for_a_pager(session, alert, knowledge, now)
        staff = queries.alert_takers(session, alert.organization_id)
    left_out = set(exclude)
    people = [person for person in staff if person.id not in left_out]
    return paging.page(session, alert, people, now=now, message_key=message_key, fields=fields)


def acknowledge(session: Session, alert: Alert, *, by: StaffUser, now: datetime) -> bool:
    """Give the alert to `by` and stop what is still to be paged; False when somebody else was first.

    A second call by the owner is True, and says that they have seen the words that came since; Conflict when
    the alert is closed.
    """
    won = session.execute(
        update(Alert)
        .where(Alert.id == alert.id, Alert.status == AlertStatus.TRIGGERED)
        .values(
            status=AlertStatus.ACKNOWLEDGED, acknowledged_at=now, acknowledged_by=by.id, next_step_at=None
        )
        .execution_options(synchronize_session=False)
    )
    session.refresh(alert)
    if not won.rowcount:  # type: ignore[attr-defined]
        _refuse_closed(alert)
        is_owner = alert.acknowledged_by == by.id
        if is_owner and _unseen(session, alert, by):
            rows.record(session, alert, AlertEventKind.ACKNOWLEDGED, now, by=by)
        return is_owner
    rows.record(session, alert, AlertEventKind.ACKNOWLEDGED, now, by=by)
    paging.stop(session, alert, now=now)
    paging.tell_taken(session, alert, queries.already_paged(session, alert.id), by=by, now=now)
    return True


def take_over(session: Session, alert: Alert, *, by: StaffUser, now: datetime) -> StaffUser | None:
    """Move an acknowledged alert to `by`, tell the former owner, and return them; None if it had none."""
    _hold(session, alert)
    if alert.status is not AlertStatus.ACKNOWLEDGED and acknowledge(session, alert, by=by, now=now):
        return None
    former = session.get(StaffUser, alert.acknowledged_by) if alert.acknowledged_by else None
    alert.acknowledged_by, alert.acknowledged_at = by.id, now
    rows.record(session, alert, AlertEventKind.TAKEN_OVER, now, by=by)
    paging.tell_taken(session, alert, [former] if former else [], by=by, now=now)
    return former


def pass_on(session: Session, alert: Alert, *, by: StaffUser, knowledge: Knowledge, now: datetime) -> bool:
    """Open the alert to all again and page all the others; False when there were none, so all were paged."""
    _hold(session, alert)
    _refuse_closed(alert)
    if alert.status is AlertStatus.ACKNOWLEDGED:
        _reopen(alert)
    rows.record(session, alert, AlertEventKind.PASSED_ON, now, by=by)
    if _page_at_once(session, alert, knowledge, now, exclude=(by.id,)):
        return True
    _page_at_once(session, alert, knowledge, now)
    return False


def resolve(
    session: Session,
    alert: Alert,
    *,
    by: StaffUser,
    outcome: AlertOutcome,
    note: str | None,
    now: datetime,
    seen: UUID | None = None,
) -> None:
    """Close the alert with an outcome and, now or by `add_note`, a note.

    `seen` is the newest event of words that `by` has seen (`queries.newest_words` when they looked); without
    it, what was there when they took the alert. Conflict when more has come since, when nobody has taken an
    alert that pages, and when it is closed already.
    """
    _hold(session, alert)  # a text that comes now waits, and opens a new alert
    _refuse_closed(alert)
    if alert.status is AlertStatus.TRIGGERED and alert.tier in PAGED:
        raise Conflict("Nobody has this alert. Press “I have this” first, then close.")
    if _unseen(session, alert, by, seen):
        raise Conflict("New words came in. Read them, then close.")
    move(alert, AlertStatus.RESOLVED, ALERT_MOVES)
    alert.resolved_at, alert.resolved_by, alert.outcome = now, by.id, outcome
    alert.note, alert.next_step_at = note.strip() if note else alert.note, None
    rows.record(session, alert, AlertEventKind.RESOLVED, now, by=by, outcome=outcome)
    paging.stop(session, alert, now=now)
    session.execute(
        update(Flag)
        .where(Flag.alert_id == alert.id, Flag.status == FlagStatus.ACTIVE)
        .values(status=FlagStatus.INACTIVE)
    )


def add_note(session: Session, alert: Alert, *, by: StaffUser, note: str, now: datetime) -> None:
    """Add words to an alert, open or closed; InvalidInput when there are none."""
    words = note.strip()
    if not words:
        raise InvalidInput("Write what was done.", field="note")
    alert.note = f"{alert.note}\n{words}" if alert.note else words
    rows.record(session, alert, AlertEventKind.NOTE, now, by=by)


def refresh_reach(session: Session, patient: Patient) -> None:
    """Say on each open alert of the patient whether we can text them; after any yes, STOP, START or block."""
    reachable = queries.can_reach(session, patient.organization_id, patient.id)
    for alert in queries.open_alerts_of(session, patient.organization_id, patient.id):
        alert.cannot_text = not reachable


def reply_failed(session: Session, communication: Communication, *, now: datetime) -> Alert | None:
    """Note on its alert that a safety text does not reach the person, so that somebody calls; return it.

    None for a text of another kind, and where no alert is to be found. Saying it twice changes nothing.
    """
    request = communication.request_id and session.get(CommunicationRequest, communication.request_id)
    if not request or request.origin is not RequestOrigin.SAFETY or request.in_reply_to_id is None:
        return None
    organization_id = communication.organization_id
    alert = queries.alert_of_words(session, organization_id, request.in_reply_to_id)
    if alert is None and communication.patient_id is not None:
        kind, patient_id = AlertKind.REPLY, communication.patient_id
        alert = queries.open_patient_alert(session, organization_id, kind, patient_id)
    if alert is not None and not queries.is_noted(session, organization_id, alert.id, request.id):
        kind_of_event, failed = AlertEventKind.NOTE, "not delivered"
        rows.record(session, alert, kind_of_event, now, communication=communication, safety_reply=failed)
    return alert


def _page_at_once(
    session: Session,
    alert: Alert,
    knowledge: Knowledge,
    now: datetime,
    *,
    exclude: Iterable[UUID] = (),
    message_key: str | None = None,
) -> int:
    """Page in a savepoint: if it fails, alert and safety reply stand, and the next climb pages."""
    session.flush()
    alert_id = alert.id
    try:
        with session.begin_nested():
            people = page(
                session, alert, now=now, knowledge=knowledge, exclude=exclude, message_key=message_key
            )
    except Exception as failure:
        log.error("paging failed on alert %s: %s", alert_id, type(failure).__name__)
        alert.next_step_at = now
        return 0
    return people


def _ask_for_a_pager(session: Session, alert: Alert, knowledge: Knowledge, now: datetime) -> None:
    action = "alerts.nobody_receives_pages"
    audit.record(session, alert.organization_id, action, now=now, entity=alert.public_id)
    task = "nobody_receives_pages"
    open_task(session, alert.organization_id, task=task, patient=None, now=now, knowledge=knowledge)


def _raise(
    session: Session,
    alert: Alert,
    tier: Tier,
    communication: Communication | None,
    knowledge: Knowledge,
    now: datetime,
) -> None:
    is_worse = tier.rank > alert.tier.rank
    is_back = alert.status is AlertStatus.ACKNOWLEDGED and tier in PAGED
    was_paged = alert.tier in PAGED
    if is_worse:
        alert.tier = worst(alert.tier, tier)
        alert.policy = paging.snapshot(knowledge, alert.tier)
        rows.record(session, alert, AlertEventKind.RAISED, now, communication=communication, tier=tier)
    if is_back:
        _reopen(alert)
        rows.record(session, alert, AlertEventKind.TRIGGERED, now, communication=communication, tier=tier)
    if is_worse or is_back:
        alert.triggered_at = (
            now  # people wait since these words; when the alert was first raised is `created_at`
        )
    if tier in PAGED and (is_worse or is_back):
        key = "staff_raised" if is_worse and was_paged else None
        _page_at_once(session, alert, knowledge, now, message_key=key)


def _reopen(alert: Alert) -> None:
    move(alert, AlertStatus.TRIGGERED, ALERT_MOVES)
    alert.acknowledged_at = alert.acknowledged_by = None


def _hold(session: Session, alert: Alert) -> None:
    """Read the alert as it stands now, and keep it so until the transaction ends."""
    session.flush()
    session.refresh(alert, with_for_update={"key_share": True})


def _unseen(session: Session, alert: Alert, by: StaffUser, seen: UUID | None = None) -> bool:
    """Tell whether words came that `by` has not seen: after `seen`, else after they took the alert."""
    newest = queries.newest_words(session, alert.organization_id, alert.id)
    seen = seen or queries.words_seen_by(session, alert.organization_id, alert.id, by.id)
    return seen != newest


def _refuse_closed(alert: Alert) -> None:
    if alert.status is AlertStatus.RESOLVED:
        raise Conflict("This alert is closed. Look at it again to see by whom.")
