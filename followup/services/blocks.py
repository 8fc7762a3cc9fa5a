"""Block addresses and lift blocks: each holds from the commit on, for the claim of a text asks for it."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from followup.core.vocabulary import Channel, SuppressionReason
from followup.store.models import Suppression
from followup.store.queries import consents as queries

#: Blocks that end with the word of whoever answers at the address; the others are the carrier's word.
OWN_WISH = frozenset((SuppressionReason.OPTED_OUT, SuppressionReason.WRONG_NUMBER))


def suppress(
    session: Session,
    organization_id: UUID,
    system: Channel,
    value: str,
    reason: SuppressionReason,
    communication_id: UUID | None,
    now: datetime,
) -> None:
    """Block an address for a clinic; one blocked already stays so, but a STOP outweighs a wrong number."""
    session.flush()
    blocked = queries.open_suppression(session, organization_id, system, value)
    if blocked is None:
        session.add(
            Suppression(
                created_at=now,
                organization_id=organization_id,
                system=system,
                value=value,
                reason=reason,
                communication_id=communication_id,
            )
        )
        session.flush()
    elif {blocked.reason, reason} == OWN_WISH:
        blocked.reason = SuppressionReason.OPTED_OUT


def lift(
    session: Session,
    organization_id: UUID,
    addresses: Iterable[tuple[Channel, str]],
    now: datetime,
    reasons: Iterable[SuppressionReason] = (SuppressionReason.OPTED_OUT,),
) -> None:
    """End the blocks on these addresses that stand for one of the reasons."""
    for system, value in set(addresses):
        blocked = queries.open_suppression(session, organization_id, system, value)
        if blocked is not None and blocked.reason in reasons:
            blocked.ended_at = now
    session.flush()


def stands(session: Session, organization_id: UUID, system: Channel, value: str) -> bool:
    """Tell whether a block stands that no word of the person can lift."""
    blocked = queries.open_suppression(session, organization_id, system, value)
    return blocked is not None and blocked.reason not in OWN_WISH
