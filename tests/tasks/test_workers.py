"""Real workers on a real broker: each pool drains, beat rings; without a broker `followup sweep` does it."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from followup.core.vocabulary import (
    WATCHED_QUEUES,
    Channel,
    CommunicationStatus,
    Direction,
    Lane,
    RequestOrigin,
    RequestStatus,
)
from followup.providers.ports import InboundMessage
from followup.services import heartbeat, inbound
from followup.settings import settings_from_environment
from followup.store.models import Communication, CommunicationRequest, ServiceState
from followup.store.session import make_engine, session_factory
from followup.tasks import outbound
from followup.tasks.schedule import Queue
from tests import factories as make
from tests.support.processes import free_port, start, stop
from tests.support.tree import tool

pytestmark = pytest.mark.slow
QUEUES = ",".join(Queue)


@pytest.fixture
def surroundings(postgres_url, redis_url, monkeypatch) -> Iterator[dict[str, str]]:
    """Set the environment that every process of an installation shares, this one included."""
    values = {
        "ENVIRONMENT": "test",
        "CARRIER": "sandbox",
        "DATABASE_URL": postgres_url,
        "REDIS_URL": redis_url,
        "SECRET_KEY": "0123456789abcdef0123456789abcdef",
        "PUBLIC_URL": "http://127.0.0.1:8000",
        "TICK_SECONDS": "0.5",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"FOLLOWUP_{name}", value)
    settings_from_environment.cache_clear()
    yield dict(os.environ)
    settings_from_environment.cache_clear()


@pytest.fixture
def store(surroundings):
    """Lend the installation's sessions."""
    engine = make_engine(surroundings["FOLLOWUP_DATABASE_URL"])
    yield session_factory(engine)
    engine.dispose()


@contextmanager
def running(command: list[str], home: Path, env: dict[str, str]) -> Iterator[Path]:
    """Run one of our commands, and show what it said when the block fails."""
    log = home / f"{command[-1]}.log"
    process = start([tool(command[0]), *command[1:]], log=log, cwd=home, env=env)
    try:
        yield log
        assert process.poll() is None, log.read_text()
    finally:
        stop(process, seconds=30)


def soon(true: Callable[[], bool], log: Path, *, seconds: float = 60) -> None:
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, log.read_text()[-3000:]
        time.sleep(0.1)


def due(store):
    """Write a direct answer that is due now; return its request's id."""
    now = datetime.now(UTC)
    with store.begin() as session:
        clinic = make.organization(session)
        _, plan, road = make.enrolled(session, clinic)
        over = {"origin": RequestOrigin.REPLY, "lane": Lane.STAT, "message_key": "auto_help"}
        over |= {"due_at": now, "expires_at": now + timedelta(minutes=10)}
        return make.request(session, plan, road.value, **over).id


def is_sent(store, request_id) -> bool:
    with store() as session:
        return session.get_one(CommunicationRequest, request_id).status is RequestStatus.COMPLETED


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_a_worker_of_every_pool_drains_when_the_bell_rings(pool, surroundings, store, tmp_path):
    request_id = due(store)
    command = ["celery", "-A", "followup.tasks", "worker", "-c", "1", "-Q", QUEUES, "-P", pool]
    with running(command, tmp_path, surroundings) as log:
        outbound.ring(Lane.STAT)
        soon(lambda: is_sent(store, request_id), log)
    with store() as session:
        sent = session.scalars(select(Communication)).one()
        assert (sent.status, sent.provider) == (CommunicationStatus.COMPLETED, "sandbox")


def beaten(store) -> set[str]:
    with store() as session:
        return set(session.scalars(select(ServiceState.key)))


def test_beat_rings_without_a_file_and_its_ticks_are_written_down(surroundings, store, tmp_path):
    request_id = due(store)
    worker = ["celery", "-A", "followup.tasks", "worker", "-c", "2", "-Q", QUEUES, "-P", "threads"]
    beat = ["celery", "-A", "followup.tasks", "beat", "--pidfile", "beat.pid"]
    with running(worker, tmp_path, surroundings) as log, running(beat, tmp_path, surroundings):
        soon(lambda: is_sent(store, request_id), log)
        soon(lambda: beaten(store) == {heartbeat.key_of(queue) for queue in WATCHED_QUEUES}, log)
    assert {path.suffix for path in tmp_path.iterdir()} <= {".log", ".pid"}
    with store() as session:
        assert heartbeat.is_fresh(session, now=datetime.now(UTC), stale_seconds=15)


def emergency(store) -> tuple[str, set[str]]:
    """Store a patient's words of danger as the web does; return the phones that must hear of it."""
    with store.begin() as session:
        clinic = make.organization(session, sender="+12025550100")
        *_, road = make.enrolled(session, clinic)
        nurse = make.staff(session, clinic)
    message = InboundMessage(
        provider="twilio",
        provider_sid="SM1",
        channel=Channel.SMS,
        sender=road.value,
        recipient="+12025550100",
        body="i cant breathe good and my lips look blue",
        raw=b"",
    )
    inbound.receive(store, message, now=datetime.now(UTC) - timedelta(seconds=20))
    return road.value, {road.value, nurse.phone}


def heard(store) -> set[str]:
    with store() as session:
        out = (Communication.direction == Direction.OUT, Communication.channel == Channel.SMS)
        done = Communication.status == CommunicationStatus.COMPLETED
        return set(session.scalars(select(Communication.recipient).where(*out, done)))


def without_redis(surroundings: dict[str, str]) -> dict[str, str]:
    return surroundings | {"FOLLOWUP_REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}


def test_without_redis_an_emergency_is_still_answered_and_paged(surroundings, store, tmp_path):
    _, must_hear = emergency(store)
    with running(["followup", "sweep"], tmp_path, without_redis(surroundings)) as log:
        soon(lambda: heard(store) >= must_hear, log)


def test_sweep_keeps_still_while_the_workers_are_heard_of(surroundings, store, tmp_path):
    request_id = due(store)
    later = datetime.now(UTC) + timedelta(minutes=5)
    for queue in WATCHED_QUEUES:
        heartbeat.tick(store, queue, now=later)
    with running(["followup", "sweep"], tmp_path, surroundings) as log:
        time.sleep(5)
        assert not is_sent(store, request_id)
        heartbeat.tick(store, "stat", now=later - timedelta(hours=1))
        soon(lambda: is_sent(store, request_id), log)


def test_one_round_may_be_asked_for_whatever_beat_says(surroundings, store, tmp_path):
    request_id = due(store)
    process = start(
        [tool("followup"), "sweep", "--once"],
        log=tmp_path / "log",
        cwd=tmp_path,
        env=without_redis(surroundings),
    )
    assert process.wait(60) == 0, (tmp_path / "log").read_text()
    assert is_sent(store, request_id)
