"""What carriers report moves forward only, in whatever order and however often it comes."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from followup.core.vocabulary import (
    CommunicationStatus,
    Delivery,
    RequestStatus,
    SuppressionReason,
)
from followup.providers.ports import ReceiptUpdate
from followup.services import receipts
from followup.services.knowledge import load_knowledge
from followup.store.models import (
    Alert,
    Communication,
    CommunicationRequest,
    DeliveryReceipt,
    Suppression,
)
from tests import factories as make
from tests.factories import NOW

SENT = ReceiptUpdate("twilio", "SM1", None, "sent", Delivery.SENT, None)
DELIVERED = ReceiptUpdate("twilio", "SM1", None, "delivered", Delivery.DELIVERED, None)
UNDELIVERED = ReceiptUpdate("twilio", "SM1", None, "undelivered", Delivery.UNDELIVERED, "30003")


@pytest.fixture
def text(sessions):
    """Lend the id of a text that was accepted as SM1."""
    return attempt(sessions, provider_sid="SM1", delivery=Delivery.QUEUED, delivery_rank=0)


def attempt(sessions, *, request_status=RequestStatus.COMPLETED, **over):
    with sessions.begin() as session:
        clinic = make.organization(session)
        _, plan, road = make.enrolled(session, clinic)
        request = make.request(session, plan, road.value, status=request_status, attempt=1)
        return make.sent(session, request, **over).id


def report(sessions, *updates, now=NOW):
    for update in updates:
        receipts.append(sessions, update, now)
    return receipts.fold(sessions, knowledge=load_knowledge(), now=now)


def read(sessions, text):
    with sessions() as session:
        return session.get_one(Communication, text)


def unfolded(sessions):
    with sessions() as session:
        found = select(func.count()).where(DeliveryReceipt.folded_at.is_(None))
        return session.scalar(found)


@pytest.mark.parametrize(
    "updates",
    [(SENT, DELIVERED), (DELIVERED, SENT), (DELIVERED, DELIVERED, SENT)],
    ids=["in order", "late", "twice"],
)
def test_delivery_moves_forward_only_whatever_the_order(sessions, text, updates):
    assert report(sessions, *updates) == len(updates)
    assert read(sessions, text).delivery is Delivery.DELIVERED
    assert unfolded(sessions) == 0


def test_it_moves_forward_only_over_several_folds_too(sessions, text):
    report(sessions, DELIVERED)
    report(sessions, SENT)
    report(sessions, UNDELIVERED)
    stored = read(sessions, text)
    assert (stored.delivery, stored.error_code) == (Delivery.DELIVERED, None)


def test_the_reason_of_a_text_that_did_not_arrive_is_kept(sessions, text):
    report(sessions, SENT, UNDELIVERED)
    stored = read(sessions, text)
    assert (stored.delivery, stored.error_code) == (Delivery.UNDELIVERED, "30003")


def test_an_unknown_word_is_kept_and_changes_nothing(sessions, text):
    strange = replace(SENT, status="teleported-through-a-very-long-tunnel", delivery=None)
    assert report(sessions, strange) == 1
    assert read(sessions, text).delivery is Delivery.QUEUED
    with sessions() as session:
        assert session.scalars(select(DeliveryReceipt.status)).one() == "teleported-through-a-ver"


def test_an_unknown_sid_waits_a_while_for_its_text_and_is_then_let_go(sessions):
    assert report(sessions, SENT) == 0
    assert unfolded(sessions) == 1
    receipts.fold(sessions, knowledge=load_knowledge(), now=NOW + timedelta(minutes=3))
    assert unfolded(sessions) == 0


def test_a_sid_of_another_carrier_is_another_text(sessions, text):
    report(sessions, replace(DELIVERED, provider="sandbox"))
    assert read(sessions, text).delivery is Delivery.QUEUED


@pytest.mark.parametrize("status", [CommunicationStatus.UNKNOWN, CommunicationStatus.IN_PROGRESS])
def test_a_report_with_the_attempts_token_proves_that_the_text_was_taken(sessions, status):
    over = {"status": status, "provider_sid": None, "attempt_token": "token-1"}
    text = attempt(sessions, request_status=RequestStatus.IN_PROGRESS, **over)
    report(sessions, replace(SENT, provider_sid="SM9", attempt_token="token-1"))
    stored = read(sessions, text)
    assert (stored.status, stored.provider_sid, stored.delivery) == (
        CommunicationStatus.COMPLETED,
        "SM9",
        Delivery.SENT,
    )
    with sessions() as session:
        request = session.get_one(CommunicationRequest, stored.request_id)
        assert (request.status, request.lease_until) == (RequestStatus.COMPLETED, None)


def test_a_stop_that_only_the_carrier_heard_blocks_the_address(sessions, text):
    report(sessions, replace(UNDELIVERED, error_code="21610"))
    recipient = read(sessions, text).recipient
    with sessions() as session:
        blocked = session.scalars(select(Suppression)).one()
        assert (blocked.reason, blocked.value) == (SuppressionReason.OPTED_OUT, recipient)
        assert session.scalars(select(Alert.task)).one() == "carrier_opt_out"
    report(sessions, replace(UNDELIVERED, error_code="21610"))
    with sessions() as session:
        assert len(session.scalars(select(Suppression)).all()) == 1


def test_a_fold_takes_no_more_than_its_limit(sessions, text):
    for update in (SENT, DELIVERED, UNDELIVERED):
        receipts.append(sessions, update, NOW)
    assert receipts.fold(sessions, knowledge=load_knowledge(), now=NOW, limit=2) == 2
    assert unfolded(sessions) == 1
