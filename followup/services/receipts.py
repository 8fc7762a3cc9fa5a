"""Keep what carriers report, then fold it: delivery only moves forward, whatever the order of the reports."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Update, and_, func, or_, select, update
from sqlalchemy.orm import Session

from followup.core.vocabulary import CommunicationStatus, RequestStatus, SuppressionReason
from followup.providers.ports import ReceiptUpdate
from followup.services import suppression
from followup.services.knowledge import Knowledge
from followup.store.models import Communication, CommunicationRequest, DeliveryReceipt
from followup.store.queries import batch
from followup.store.queries.batch import Source
from followup.store.session import Sessions

#: A report may be faster than our own record of the call; after this it belongs to no text of ours.
_WAIT_FOR_ITS_TEXT = timedelta(minutes=2)
_UNPROVED = (CommunicationStatus.IN_PROGRESS, CommunicationStatus.UNKNOWN)

_COMMUNICATION = Communication.__table__.c
_TYPES = {name: _COMMUNICATION[name].type for name in ("id", "delivery", "delivery_rank", "error_code")}


def append(sessions: Sessions, receipt: ReceiptUpdate, now: datetime) -> None:
    """Store one report as it came: one insert, nothing looked up, a word that we do not know included."""
    with sessions.begin() as session:
        session.add(
            DeliveryReceipt(
                created_at=now,
                organization_id=None,
                provider=receipt.provider,
                provider_sid=_short(receipt.provider_sid, 64),
                attempt_token=_short(receipt.attempt_token, 24),
                status=_short(receipt.status, 24) or "",
                delivery=receipt.delivery,
                error_code=_short(receipt.error_code, 16),
            )
        )


def _short(word: str | None, length: int) -> str | None:
    # What does not fit is no sid or code of ours; it is kept short rather than refused.
    return word.replace("\x00", "")[:length] if word is not None else None


def fold(sessions: Sessions, *, knowledge: Knowledge, now: datetime, limit: int = 500) -> int:
    """Apply up to `limit` stored reports, oldest first, of all clinics; return how many were applied.

    The attempt token proves that the carrier took a text, so that one in progress or unknown adopts its sid.
    """
    with sessions.begin() as session:
        unfolded = (
            select(DeliveryReceipt)
            .where(DeliveryReceipt.folded_at.is_(None))
            .order_by(DeliveryReceipt.created_at, DeliveryReceipt.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        receipts = session.scalars(unfolded).all()
        pairs = _matched(session, receipts)
        for sent, receipt in pairs:
            _adopt(session, sent, receipt)
        session.flush()
        batch.update_many(session, _forward, _TYPES, _latest(pairs))
        for sent, receipt in pairs:
            _suppress(session, sent, receipt, knowledge, now)
        _close(receipts, {receipt.id for _, receipt in pairs}, now)
    return len(pairs)


Pair = tuple[Communication, DeliveryReceipt]


def _matched(session: Session, receipts: Sequence[DeliveryReceipt]) -> list[Pair]:
    sids = {receipt.provider_sid for receipt in receipts if receipt.provider_sid}
    tokens = {receipt.attempt_token for receipt in receipts if receipt.attempt_token}
    if not sids and not tokens:
        return []
    by_sid = and_(
        Communication.provider.in_({receipt.provider for receipt in receipts}),
        Communication.provider_sid.in_(sids),
    )
    found = session.scalars(
        select(Communication).where(or_(Communication.attempt_token.in_(tokens), by_sid))
    ).all()
    by_name: dict[tuple[str, str | None], Communication] = {
        (one.provider, name): one for one in found for name in (one.provider_sid, one.attempt_token) if name
    }
    pairs = ((_named(receipt, by_name), receipt) for receipt in receipts)
    return [(sent, receipt) for sent, receipt in pairs if sent is not None]


def _named(
    receipt: DeliveryReceipt, by_name: Mapping[tuple[str, str | None], Communication]
) -> Communication | None:
    # The token first: it is the only name that exists before the carrier has answered.
    names = ((receipt.provider, receipt.attempt_token), (receipt.provider, receipt.provider_sid))
    return next((by_name[name] for name in names if name in by_name), None)


def _adopt(session: Session, sent: Communication, receipt: DeliveryReceipt) -> None:
    if sent.status not in _UNPROVED or receipt.attempt_token != sent.attempt_token:
        return
    sent.status = CommunicationStatus.COMPLETED
    sent.provider_sid = sent.provider_sid or receipt.provider_sid
    session.execute(
        update(CommunicationRequest)
        .where(
            CommunicationRequest.id == sent.request_id,
            CommunicationRequest.attempt == sent.attempt,
            CommunicationRequest.status == RequestStatus.IN_PROGRESS,
        )
        .values(status=RequestStatus.COMPLETED, lease_until=None)
        .execution_options(synchronize_session=False)
    )


def _latest(pairs: Iterable[Pair]) -> list[Mapping[str, Any]]:
    """Return one row for each text: the report that is furthest along, the first of them where two are."""
    furthest: dict[UUID, DeliveryReceipt] = {}
    for sent, receipt in pairs:
        known = furthest.get(sent.id)
        if receipt.delivery and (known is None or receipt.delivery.rank > _rank(known)):
            furthest[sent.id] = receipt
    return [
        {
            "id": sent_id,
            "delivery": receipt.delivery,
            "delivery_rank": _rank(receipt),
            "error_code": receipt.error_code,
        }
        for sent_id, receipt in furthest.items()
    ]


def _rank(receipt: DeliveryReceipt) -> int:
    return receipt.delivery.rank if receipt.delivery else -1


def _forward(fresh: Source) -> Update:
    return (
        update(Communication.__table__)  # type: ignore[arg-type]
        .where(_COMMUNICATION.id == fresh("id"), _COMMUNICATION.delivery_rank < fresh("delivery_rank"))
        .values(
            delivery=fresh("delivery"),
            delivery_rank=fresh("delivery_rank"),
            error_code=func.coalesce(fresh("error_code"), _COMMUNICATION.error_code),
        )
    )


def _suppress(
    session: Session, sent: Communication, receipt: DeliveryReceipt, knowledge: Knowledge, now: datetime
) -> None:
    if receipt.error_code == suppression.OPTED_OUT_CODE:
        suppression.suppress(session, sent, SuppressionReason.OPTED_OUT, knowledge=knowledge, now=now)


def _close(receipts: Iterable[DeliveryReceipt], matched: set[UUID], now: datetime) -> None:
    for receipt in receipts:
        if receipt.id in matched or receipt.created_at <= now - _WAIT_FOR_ITS_TEXT:
            receipt.folded_at = now
