"""Without Redis, and while a carrier dawdles, people are still heard and answered."""

import os
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from followup.core.clock import SystemClock
from followup.core.vocabulary import Audience, Channel, CommunicationStatus, Direction, Lane
from followup.providers.ports import InboundMessage
from followup.providers.twilio_webhooks import INBOUND_PATH, sign, webhook_tokens
from followup.services import drain, inbound
from followup.store.models import Communication
from tests.support import processes
from tests.support.tree import ROOT
from tests.world import NUMBER, World, build
from web import create_app

#: A port on which nobody listens.
NO_REDIS = "redis://127.0.0.1:1/0"


def environment(world: World) -> dict[str, str]:
    settings = world.house.settings
    names = ("database_url", "public_url", "mail_from")
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "FOLLOWUP_ENVIRONMENT": "test",
        "FOLLOWUP_CARRIER": "sandbox",
        "FOLLOWUP_REDIS_URL": NO_REDIS,
        "FOLLOWUP_SECRET_KEY": settings.secret_key.get_secret_value(),
        "FOLLOWUP_TICK_SECONDS": "0.5",
        **{f"FOLLOWUP_{name.upper()}": str(getattr(settings, name)) for name in names},
    }


def accepted(world: World, audience: Audience) -> list[Communication]:
    found = select(Communication).where(
        Communication.direction == Direction.OUT,
        Communication.status == CommunicationStatus.COMPLETED,
        Communication.staff_id.is_not(None)
        if audience is Audience.STAFF
        else Communication.staff_id.is_(None),
    )
    with world.session() as session:
        return list(session.scalars(found))


@pytest.mark.slow
def test_with_redis_gone_sweep_answers_and_pages_an_emergency(database_url: str, tmp_path: Path) -> None:
    world = build(database_url, at=datetime.now(UTC) - timedelta(seconds=30))
    world.staff()
    ana = world.enrol(says_yes=False)
    text = InboundMessage(
        provider="sandbox", provider_sid="SM" + "1" * 32, channel=Channel.SMS, sender=ana.phone,
        recipient=NUMBER, body="i cant breathe good and my lips look blue", raw=b"",
    )  # fmt: skip
    inbound.receive(world.house.sessions, text, now=datetime.now(UTC) - timedelta(seconds=11))
    log = tmp_path / "sweep.log"
    sweep = processes.start([sys.executable, "-m", "followup", "sweep"], env=environment(world), log=log)
    try:
        processes.wait_until(
            lambda: (
                any("911" in one.body for one in accepted(world, Audience.PATIENT))
                and any("EMERGENCY" in one.body for one in accepted(world, Audience.STAFF))
            ),
            sweep,
            log=log,
            seconds=45,
        )
    finally:
        processes.stop(sweep)
        world.house.engine.dispose()


def test_a_web_write_does_not_wait_for_a_slow_send(sqlite_url: str) -> None:
    world = build(sqlite_url)
    ana = world.enrol()
    world.carrier.delay_seconds = 5
    world.clock.forward(hours=6, minutes=1)
    house = world.house
    slow = threading.Thread(
        target=lambda: drain.run(
            house.sessions, house.senders, lane=Lane.ROUTINE, clock=SystemClockAt(world),
            settings=house.settings, knowledge=house.knowledge,
        )
    )  # fmt: skip
    client = create_app(house).test_client()
    client.get("/healthz")
    slow.start()
    until = time.monotonic() + 4
    while not _in_flight(world) and time.monotonic() < until:
        time.sleep(0.01)
    took = [_post(client, world, ana.phone, n) for n in range(5)]
    assert _in_flight(world), "the slow send must still be running"
    slow.join()
    assert sorted(took)[1] < 0.1, took
    house.engine.dispose()


class SystemClockAt(SystemClock):
    """The story's instant, with a real monotonic count."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> datetime:
        return self._world.clock.now()


def _in_flight(world: World) -> list[Communication]:
    found = select(Communication).where(Communication.status == CommunicationStatus.IN_PROGRESS)
    with world.session() as session:
        return list(session.scalars(found.where(Communication.direction == Direction.OUT)))


def _post(client: FlaskClient, world: World, sender: str, n: int) -> float:
    settings = world.house.settings
    form = {"MessageSid": f"SM{n:032d}", "From": sender, "To": NUMBER, "Body": "thanks", "NumMedia": "0"}
    signature = sign(settings.public_url + INBOUND_PATH, form, webhook_tokens(settings)[0])
    began = time.perf_counter()
    answer = client.post(INBOUND_PATH, data=form, headers={"X-Twilio-Signature": signature})
    assert answer.status_code == 200
    return time.perf_counter() - began
