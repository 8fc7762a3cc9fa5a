"""Write the rows of alerts: the alert itself, its history, the flags of the patient."""

from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import chain
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from followup.core.errors import Conflict
from followup.core.ids import alert_code, public_id
from followup.core.vocabulary import AlertEventKind, AlertKind, AlertStatus, Tier
from followup.services import paging
from followup.services.knowledge import Knowledge
from followup.store.models import Alert, AlertEvent, Communication, Flag, Patient, StaffUser
from followup.store.queries import alerts as queries

#: Tiers that are paged, at any hour.
PAGED = frozenset((Tier.URGENT, Tier.EMERGENCY))
_CODES = range(1000, 10_000)  # what `alert_code` draws from: digits, which staff can text
_KEPT = 1_000  # codes that routine work leaves to urgent and emergency alerts
_DRAWS = 200  # when a clinic has thousands of open alerts, random draws give way to the first free code
_TRIES = 5  # each needs another writer to have won the same moment


def new_alert(
    session: Session,
    organization_id: UUID,
    kind: AlertKind,
    tier: Tier,
    knowledge: Knowledge,
    now: datetime,
    *,
    patient: Patient | None = None,
    sender: str | None = None,
    task: str = "",
) -> Alert:
    """Return a triggered alert, not yet stored, with a code that no open alert of the clinic has."""
    return Alert(
        public_id=public_id("alt"),
        code=free_code(session, organization_id, tier),
        kind=kind,
        task=task,
        tier=tier,
        status=AlertStatus.TRIGGERED,
        organization_id=organization_id,
        patient_id=patient.id if patient else None,
        sender=sender,
        policy=paging.snapshot(knowledge, tier),
        page_round=0,
        triggered_at=now,
        created_at=now,
    )


def find_or_add(
    session: Session, known: Callable[[], Alert | None], fresh: Callable[[], Alert]
) -> tuple[Alert, bool]:
    """Return what `known` finds, else store what `fresh` makes; and whether it is new. Safe against races."""
    # Another transaction may add the same alert, or use the same code, between our look and our write. The
    # unique indexes tell; the savepoint keeps what this transaction did before.
    for _ in range(_TRIES):
        if found := known():
            return found, False
        try:
            with session.begin_nested():
                session.add(alert := fresh())
                session.flush()
        except IntegrityError:
            continue
        return alert, True
    raise Conflict("Too many alerts are being written at once. Try again.")


def free_code(session: Session, organization_id: UUID, tier: Tier) -> str:
    """Return a code that no open alert of the clinic has: four digits, which staff can text, while they last.

    Routine work leaves the last thousand to alerts that page; who comes after them gets four letters and
    digits, which name the alert on our pages and in texts, but act only there.
    """
    taken = queries.open_codes(session, organization_id)
    if tier in PAGED or len(taken) < len(_CODES) - _KEPT:
        drawn = (alert_code() for _ in range(_DRAWS))
        every = (f"{number:04d}" for number in _CODES)
        if free := next((code for code in chain(drawn, every) if code not in taken), None):
            return free
    return next(code for code in iter(_letters, None) if code not in taken)


def _letters() -> str:
    return public_id("")[-4:]  # 30 letters and digits: 810,000 codes


def add_flags(
    session: Session,
    alert: Alert,
    patient: Patient,
    communication: Communication,
    flags: Iterable[str],
    now: datetime,
) -> None:
    """Note on the patient what the text told, each in the taxonomy's word."""
    for code in flags:
        session.add(
            Flag(
                organization_id=alert.organization_id,
                patient_id=patient.id,
                alert_id=alert.id,
                communication_id=communication.id,
                code=code,
                created_at=now,
            )
        )


def record(
    session: Session,
    alert: Alert,
    kind: AlertEventKind,
    now: datetime,
    *,
    by: StaffUser | None = None,
    communication: Communication | None = None,
    **detail: Any,
) -> None:
    """Add one line to an alert's history; details hold words of the vocabulary, never the patient's."""
    session.add(
        AlertEvent(
            organization_id=alert.organization_id,
            alert_id=alert.id,
            kind=kind,
            staff_id=by.id if by else None,
            communication_id=communication.id if communication else None,
            detail={name: list(one) if isinstance(one, tuple) else str(one) for name, one in detail.items()},
            created_at=now,
        )
    )
