"""Take each form once: a one-time key tells a second press from a second wish, and keeps what was typed."""

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ColumnElement, CursorResult, delete, null, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from followup.core.errors import Conflict, NotFound
from followup.store.models import FormSubmission
from followup.store.session import Sessions

#: How long a form that was not handed in is kept: it holds a patient's data before anybody agreed to it.
DRAFT_KEPT = timedelta(hours=1)
#: How long a key is remembered: far longer than any sign-in (12 hours), so than any page with its form.
KEY_KEPT = timedelta(days=30)
_KEY = re.compile(r"[A-Za-z0-9_-]{22,32}")


class Repeated(Conflict):
    """This form was handed in already; nothing was done twice."""

    code: ClassVar[str] = "form.repeated"


def new_key() -> str:
    """Draw the key of a form that is shown now: 22 characters, 128 bits."""
    return secrets.token_urlsafe(16)


def is_key(text: str) -> bool:
    """Tell whether a text has the form of a key."""
    return _KEY.fullmatch(text) is not None


def bound(key: str, words: str) -> str:
    """Return a key that holds for these words only: a form that was restored and changed is a new one."""
    return hashlib.sha256(f"{key}\n{words}".encode()).hexdigest()[:32]


def already(session: Session, organization_id: UUID, key: str) -> str | None:
    """Return the public id of what the form with this key made; None when it was not handed in."""
    return session.scalar(select(FormSubmission.entity).where(_is(organization_id, key)))


def claim(session: Session, organization_id: UUID, key: str, entity: str, *, now: datetime) -> None:
    """Write down, in the caller's transaction, what a form makes, and forget its draft; Repeated if it has.

    Ask before anything else is written or checked. A second press waits here until the first one is done, and
    finds the key taken; if the first is refused and rolled back, the key is free again.
    """
    if _take_draft(session, organization_id, key, entity):
        return
    row = FormSubmission(
        created_at=now, organization_id=organization_id, key=key, entity=entity, draft=null()
    )
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        raise Repeated from None


def _take_draft(session: Session, organization_id: UUID, key: str, entity: str) -> bool:
    taken = (
        update(FormSubmission)
        .where(_is(organization_id, key), FormSubmission.entity.is_(None))
        .values(entity=entity, draft=null())
        .execution_options(synchronize_session=False)
    )
    return _count(session, taken) == 1


def keep_draft(
    session: Session,
    organization_id: UUID,
    key: str,
    fields: Mapping[str, Sequence[str]],
    *,
    by: UUID,
    now: datetime,
) -> None:
    """Keep what a member typed under the form's key, for that member alone, for an hour.

    Raises Repeated when the form was handed in meanwhile, NotFound for a key of somebody else.
    """
    _forget_old(session, now, FormSubmission.organization_id == organization_id)
    kept = (
        update(FormSubmission)
        .where(_is(organization_id, key), FormSubmission.staff_id == by, FormSubmission.entity.is_(None))
        .values(draft=dict(fields), created_at=now)
        .execution_options(synchronize_session=False)
    )
    if _count(session, kept) == 1:
        return
    if already(session, organization_id, key) is not None:
        raise Repeated
    row = FormSubmission(
        created_at=now, organization_id=organization_id, key=key, staff_id=by, draft=dict(fields)
    )
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        raise NotFound from None


def draft_of(
    session: Session, organization_id: UUID, key: str, *, by: UUID, now: datetime
) -> Mapping[str, list[str]] | None:
    """Return what this member typed in the form with this key within the last hour; None for nobody's."""
    return session.scalar(
        select(FormSubmission.draft).where(
            _is(organization_id, key),
            FormSubmission.staff_id == by,
            FormSubmission.entity.is_(None),
            FormSubmission.created_at > now - DRAFT_KEPT,
        )
    )


def forget_old(sessions: Sessions, *, now: datetime) -> None:
    """Delete, across clinics, what was typed and not handed in within an hour, and keys no page holds now."""
    with sessions.begin() as session:
        _forget_old(session, now)


def _forget_old(session: Session, now: datetime, *of_whom: ColumnElement[bool]) -> None:
    unfinished = FormSubmission.entity.is_(None) & (FormSubmission.created_at <= now - DRAFT_KEPT)
    session.execute(
        delete(FormSubmission)
        .where(or_(unfinished, FormSubmission.created_at <= now - KEY_KEPT), *of_whom)
        .execution_options(synchronize_session=False)
    )


def _is(organization_id: UUID, key: str) -> ColumnElement[bool]:
    return (FormSubmission.organization_id == organization_id) & (FormSubmission.key == key)


def _count(session: Session, statement: Any) -> int:
    result = session.execute(statement)
    return result.rowcount if isinstance(result, CursorResult) else 0
