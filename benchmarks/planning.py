"""Plan 10,000 patients of about 40 texts on real PostgreSQL, beside a copy of the rows inside the server."""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

from sqlalchemy import func, insert, select, text

from followup.core.ids import new_id, public_id
from followup.core.vocabulary import (
    CarePlanStatus,
    Channel,
    ConsentStatus,
    Course,
    Fact,
    Language,
)
from followup.services import planning
from followup.services.knowledge import load_knowledge
from followup.store import migrate
from followup.store.models import CarePlan, CommunicationRequest, Consent, Organization, Patient
from followup.store.session import Sessions, make_engine, session_factory
from tests.support import servers

NOW = datetime(2026, 11, 24, 15, tzinfo=UTC)
ZONES = ("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Phoenix")
BATCH = 500
THREADS = 2  # of `celery worker -P threads -c 2`


def cohort(sessions: Sessions, patients: int) -> list:
    """Write a clinic and `patients` people who have said yes; return their plans' ids."""
    knowledge = load_knowledge()
    protocol = knowledge.protocols["default"]
    clinic = new_id()
    people, plans, consents = [], [], []
    for n in range(patients):
        patient, plan, owned = new_id(), new_id(), {"created_at": NOW, "organization_id": clinic}
        people.append(
            {
                **owned,
                "id": patient,
                "public_id": public_id("pat"),
                "given_name": "A",
                "family_name": "B",
                "language": Language.EN,
                "time_zone": ZONES[n % 5],
            }
        )
        plans.append(
            {
                **owned,
                "id": plan,
                "public_id": public_id("plan"),
                "patient_id": patient,
                "protocol_name": "default",
                "protocol_version": protocol.version,
                "protocol_digest": protocol.digest,
                "status": CarePlanStatus.ACTIVE,
                "course": list(Course)[n % 3],
                "procedure": "x",
                "discharge_on": date(2026, 11, 20 + n % 5),
                "ends_on": date(2027, 1, 5),
                "facts": int(Fact.CONSENTED | Fact.STILL_TAKING | Fact.SUPPORT_ON),
            }
        )
        consents.append(
            {
                **owned,
                "id": new_id(),
                "patient_id": patient,
                "channel": Channel.SMS,
                "address": f"+1202{n:07d}",
                "status": ConsentStatus.ACTIVE,
                "language": Language.EN,
                "wording_key": "consent_invite",
                "wording_version": "1",
                "open_until": NOW,
            }
        )
    with sessions.begin() as session:
        session.add(
            Organization(
                id=clinic,
                created_at=NOW,
                public_id=public_id("org"),
                name="Bench",
                time_zone=ZONES[0],
                phone="+12025550100",
                hours={},
                hours_text={},
                holidays=[],
            )
        )
        session.flush()
        for model, rows in ((Patient, people), (CarePlan, plans), (Consent, consents)):
            session.execute(insert(model), rows)
    return [plan["id"] for plan in plans]


def plan_all(sessions: Sessions, plan_ids: list) -> float:
    """Plan everybody in batches, on two threads as a worker has; return seconds."""
    knowledge, began = load_knowledge(), time.perf_counter()

    def plan(start: int) -> None:
        with sessions.begin() as session:
            found = select(CarePlan).where(CarePlan.id.in_(plan_ids[start : start + BATCH]))
            planning.apply_many(session, session.scalars(found).all(), knowledge=knowledge, now=NOW)

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(plan, range(0, len(plan_ids), BATCH)))
    return time.perf_counter() - began


def bare_insert(sessions: Sessions, rows: int) -> float:
    """Copy `rows` planned rows into a bare table of the same columns by INSERT .. SELECT; return seconds."""
    with sessions.begin() as session:
        session.execute(text("CREATE TABLE floor (LIKE communication_requests INCLUDING INDEXES)"))
        began = time.perf_counter()
        session.execute(text("INSERT INTO floor SELECT * FROM communication_requests LIMIT :n"), {"n": rows})
        return time.perf_counter() - began


def main(patients: int) -> None:
    """Print one JSON line."""
    with servers.postgres() as server, server.database("bench_planning") as url:
        migrate.upgrade(url)
        sessions = session_factory(make_engine(url))
        plan_ids = cohort(sessions, patients)
        seconds = plan_all(sessions, plan_ids)
        with sessions() as session:
            rows = session.scalar(select(func.count()).select_from(CommunicationRequest)) or 0
        floor = bare_insert(sessions, rows)
    print(
        json.dumps(
            {
                "path": "planning",
                "patients": patients,
                "rows": rows,
                "rows_per_s": round(rows / seconds),
                "goal_rows_per_s": 20_000,
                "server_side_copy_rows_per_s": round(rows / floor),
                "ratio_to_copy": round(floor / seconds, 3),
            }
        )
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
