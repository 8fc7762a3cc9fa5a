"""Drain a lane on real PostgreSQL through the real Twilio SDK, against a stub that answers after 80 ms.

Prints one JSON line: texts a second of the drain, of a bare loop over one pooled urllib3 with as many calls
in flight against the same stub in the same minute, and their ratio. Exit 1 below the floor of 0.60.

    python benchmarks/drain.py [texts]
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
from sqlalchemy import func, insert, select

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from followup.core.clock import SystemClock  # noqa: E402
from followup.core.ids import new_id  # noqa: E402
from followup.core.vocabulary import Channel, CommunicationStatus, Lane  # noqa: E402
from followup.providers.twilio_sms import TwilioSender  # noqa: E402
from followup.services import drain  # noqa: E402
from followup.services.knowledge import load_knowledge  # noqa: E402
from followup.settings import Settings  # noqa: E402
from followup.store import migrate  # noqa: E402
from followup.store.models import Communication, CommunicationRequest  # noqa: E402
from followup.store.session import make_engine, session_factory  # noqa: E402
from tests import factories as make  # noqa: E402
from tests.support import servers  # noqa: E402
from tests.support.processes import answers, free_port  # noqa: E402

FLOOR = 0.60
IN_FLIGHT = 100
DELAY_SECONDS = 0.080
IDLE_RUNS = 200


async def _serve(port: int) -> None:
    count = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = [line for line in head.lower().split(b"\r\n")[1:] if b": " in line]
                fields = dict(line.split(b": ", 1) for line in lines)
                await reader.readexactly(int(fields.get(b"content-length", b"0")))
                await asyncio.sleep(DELAY_SECONDS)
                count += 1
                body = json.dumps({"sid": f"SM{count:032x}", "status": "queued"}).encode()
                writer.write(
                    b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                    % (len(body), body)
                )
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", port)
    await server.serve_forever()


def _stub(port: int) -> None:
    asyncio.run(_serve(port))


@contextmanager
def stub() -> Iterator[str]:
    """Run the stub in a process of its own."""
    port = free_port()
    process = get_context("spawn").Process(target=_stub, args=(port,), daemon=True)
    process.start()
    while not answers(port):
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.join()


def bare_rate(url: str, texts: int) -> float:
    """Return texts a second of a plain loop: one pooled urllib3, as many threads as calls in flight."""
    pool = urllib3.PoolManager(maxsize=IN_FLIGHT, retries=False)
    words = "How is your pain right now? " * 5
    form = urlencode({"To": "+12025550123", "From": "+12025550100", "Body": words})
    address = f"{url}/2010-04-01/Accounts/AC/Messages.json"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    def call(_: int) -> int:
        return pool.request("POST", address, body=form, headers=headers).status

    start = time.perf_counter()
    with ThreadPoolExecutor(IN_FLIGHT) as threads:
        assert set(threads.map(call, range(texts))) == {201}
    return texts / (time.perf_counter() - start)


def fill(sessions: Any, texts: int) -> None:
    """Write due texts, two a patient, each of whom has said yes and whose plan runs."""
    now = datetime.now(UTC)
    with sessions.begin() as session:
        clinic = make.organization(session)
        rows = []
        for _ in range(texts // 2):
            _, plan, road = make.enrolled(session, clinic)
            first = make.request(session, plan, road.value, due_at=now, expires_at=now + timedelta(hours=4))
            columns = CommunicationRequest.__table__.columns.keys()
            session.flush()
            rows.append({name: getattr(first, name) for name in columns} | {"id": new_id()})
        session.execute(insert(CommunicationRequest), rows)


def drain_rate(sessions: Any, settings: Settings, texts: int) -> float:
    """Return texts a second of one drain, after proving that each went once."""
    house = {
        "clock": SystemClock(),
        "settings": settings,
        "knowledge": load_knowledge(),
    }
    senders = {Channel.SMS: TwilioSender(settings)}
    start = time.perf_counter()
    report = drain.run(sessions, senders, lane=Lane.ROUTINE, seconds=300, **house)
    took = time.perf_counter() - start
    with sessions() as session:
        done = Communication.status == CommunicationStatus.COMPLETED
        stored = session.scalar(select(func.count(Communication.provider_sid.distinct())).where(done))
    assert report.accepted == stored == texts, (report, stored)
    return texts / took


def idle_ms(sessions: Any, settings: Settings) -> float:
    """Return the milliseconds of a drain that finds nothing: the median of many."""
    took = []
    for _ in range(IDLE_RUNS):
        start = time.perf_counter()
        drain.run(
            sessions, {}, lane=Lane.URGENT, clock=SystemClock(), settings=settings, knowledge=load_knowledge()
        )
        took.append(time.perf_counter() - start)
    return sorted(took)[IDLE_RUNS // 2] * 1000


def main(texts: int) -> int:
    """Measure, print, and return the exit status."""
    with servers.postgres() as server, server.database("bench") as url, stub() as carrier:
        migrate.upgrade(url)
        settings = Settings(
            environment="test", database_url=url, redis_url="redis://127.0.0.1/0", secret_key="0" * 32,
            public_url="https://followup.example.org", twilio_account_sid="AC" + "0" * 32,
            twilio_auth_token="0" * 32, twilio_api_url=carrier, in_flight=IN_FLIGHT,
        )  # fmt: skip
        engine = make_engine(url)
        sessions = session_factory(engine)
        fill(sessions, texts)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
        bare = bare_rate(carrier, texts)
        ours = drain_rate(sessions, settings, texts)
        idle = idle_ms(sessions, settings)
        engine.dispose()
    ratio = ours / bare
    result = {
        "benchmark": "drain", "texts": texts, "in_flight": IN_FLIGHT, "texts_per_second": round(ours),
        "bare_per_second": round(bare), "ratio": round(ratio, 3), "floor": FLOOR, "idle_ms": round(idle, 2),
    }  # fmt: skip
    print(json.dumps(result))
    return 0 if ratio >= FLOOR else 1


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3000))
