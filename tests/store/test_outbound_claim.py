"""The claim takes what is due and allowed, once, and nothing else."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import Engine, event, select
from sqlalchemy.orm import Session, sessionmaker

from followup.core.vocabulary import (
    AlertKind,
    AlertStatus,
    Audience,
    CarePlanStatus,
    Channel,
    ConsentStatus,
    Fact,
    Lane,
    RequestOrigin,
    RequestStatus,
    SuppressionReason,
    TaperStatus,
    Tier,
)
from followup.store.models import (
    Alert,
    CarePlan,
    CommunicationRequest,
    Consent,
    Organization,
    Patient,
    TaperPlan,
    TaperStep,
)
from followup.store.queries import outbound
from followup.store.session import make_engine, session_factory
from tests import factories as make
from tests.factories import NOW

Sessions = sessionmaker[Session]
World = tuple[Organization, Patient, CarePlan, CommunicationRequest]


def take(engine: Engine, lane: Lane = Lane.ROUTINE, *, limit: int = 100, now=NOW) -> list[outbound.Claimed]:
    return outbound.take(engine, lane, now=now, limit=limit, lease_until=now + timedelta(seconds=60))


def world(session: Session, **over: object) -> World:
    clinic = make.organization(session)
    person, plan, road = make.enrolled(session, clinic)
    return clinic, person, plan, make.request(session, plan, road.value, **over)


def why(session: Session, row: CommunicationRequest) -> str:
    """Tell which gate keeps a row back, by letting its window pass."""
    row.expires_at = NOW
    session.flush()
    ((_, gate),) = outbound.expired(session, now=NOW, limit=10)
    return gate


def test_a_due_request_is_taken_with_all_that_rendering_needs(engine, sessions):
    with sessions.begin() as session:
        clinic, person, _, row = world(session, fields={"n": "2"})
    (one,) = take(engine)
    assert (one.id, one.organization_id, one.patient_id) == (row.id, clinic.id, person.id)
    assert (one.fields, one.attempt, one.channel) == ({"n": "2"}, 1, Channel.SMS)
    with sessions() as session:
        stored = session.get_one(CommunicationRequest, row.id)
        assert stored.status is RequestStatus.IN_PROGRESS
        assert stored.lease_until == NOW + timedelta(seconds=60)


def test_a_request_is_taken_once(engine, sessions):
    with sessions.begin() as session:
        world(session)
    assert len(take(engine)) == 1
    assert take(engine) == []


def test_the_most_overdue_come_first(engine, sessions):
    with sessions.begin() as session:
        clinic = make.organization(session)
        _, plan, road = make.enrolled(session, clinic)
        for minutes in (1, 30, 5):
            make.request(session, plan, road.value, due_at=NOW - timedelta(minutes=minutes))
    first = take(engine, limit=2)
    assert [one.due_at for one in first] == [NOW - timedelta(minutes=30), NOW - timedelta(minutes=5)]


@pytest.mark.parametrize(
    "over",
    [
        {"due_at": NOW + timedelta(seconds=1)},
        {"next_attempt_at": NOW + timedelta(seconds=1)},
        {"expires_at": NOW},
        {"lane": Lane.URGENT},
        {"status": RequestStatus.ON_HOLD},
        {"status": RequestStatus.REVOKED},
        {"status": RequestStatus.COMPLETED},
    ],
    ids=lambda over: next(iter(over)),
)
def test_what_is_not_due_in_this_lane_stays(engine, sessions, over):
    with sessions.begin() as session:
        world(session, **over)
    assert take(engine) == []


def suppress(session: Session, made: World) -> None:
    make.suppression(session, made[0], made[3].address)


def block(session: Session, made: World) -> None:
    make.suppression(session, made[0], made[3].address, reason=SuppressionReason.INVALID)


def pause(session: Session, made: World) -> None:
    made[0].paused_at = NOW


def hold(session: Session, made: World) -> None:
    made[2].status = CarePlanStatus.ON_HOLD


def leave(session: Session, made: World) -> None:
    made[1].is_active = False


def withdraw(session: Session, made: World) -> None:
    made_consent = session.scalars(select(Consent)).one()
    made_consent.status = ConsentStatus.INACTIVE


def change_number(session: Session, made: World) -> None:
    session.scalars(select(Consent)).one().address = make.phone()


def require_more(session: Session, made: World) -> None:
    made[3].requires = int(Fact.CONSENTED | Fact.TAPER_ACTIVE)


def endanger(session: Session, made: World) -> None:
    make.alert(session, made[1])


def step_with_urgent_alert(session: Session, made: World) -> None:
    plan = make.add(
        session,
        TaperPlan(
            created_at=NOW, organization_id=made[0].id, care_plan_id=made[2].id, version=1,
            status=TaperStatus.APPROVED, starts_on=NOW.date(), start_units=4, unit=1, days_taken=5,
            warnings=[], digest="0" * 64, rule_text="",
        ),
    )  # fmt: skip
    step = make.add(
        session,
        TaperStep(
            created_at=NOW, organization_id=made[0].id, taper_plan_id=plan.id, sequence=1,
            starts_on=NOW.date(), days=2, max_units=4,
        ),
    )  # fmt: skip
    made[3].taper_step_id = step.id
    make.alert(session, made[1], tier=Tier.URGENT)


def supersede(session: Session, made: World) -> None:
    step_with_urgent_alert(session, made)
    session.scalars(select(Alert)).one().status = AlertStatus.RESOLVED
    session.scalars(select(TaperPlan)).one().status = TaperStatus.SUPERSEDED


def take_the_alert(session: Session, made: World) -> None:
    alert = make.alert(session, made[1], tier=Tier.URGENT, status=AlertStatus.ACKNOWLEDGED)
    made[3].alert_id, made[3].page_step, made[3].page_round = alert.id, 1, 1


GATES = {
    "suppressed": suppress,
    "suppressed, a dead number": block,
    "paused": pause,
    "hold": hold,
    "hold, gone": leave,
    "consent": withdraw,
    "consent, another number": change_number,
    "condition": require_more,
    "emergency": endanger,
    "auto_hold": step_with_urgent_alert,
    "superseded": supersede,
    "taken": take_the_alert,
}


@pytest.mark.parametrize("name", GATES)
def test_each_gate_alone_keeps_a_text_back_and_is_named(engine, sessions, name):
    with sessions.begin() as session:
        made = world(session)
        GATES[name](session, made)
    assert take(engine) == []
    with sessions.begin() as session:
        row = session.get_one(CommunicationRequest, made[3].id)
        assert why(session, row) == name.split(",")[0]


SAFE = {
    "a suppression of another clinic": lambda s, w: make.suppression(s, make.organization(s), w[3].address),
    "a suppression that ended": lambda s, w: make.suppression(s, w[0], w[3].address, ended_at=NOW),
    "a condition that holds": lambda s, w: setattr(w[3], "requires", int(Fact.CONSENTED)),
    "an urgent alert beside a plain text": lambda s, w: make.alert(s, w[1], tier=Tier.URGENT),
    "an emergency that is closed": lambda s, w: make.alert(s, w[1], status=AlertStatus.RESOLVED),
    "an emergency of another patient": lambda s, w: make.alert(s, make.patient(s, w[0])),
    "an emergency beside a safety text": lambda s, w: (
        make.alert(s, w[1]),
        setattr(w[3], "is_safety", True),
    ),
}


@pytest.mark.parametrize("name", SAFE)
def test_what_does_not_concern_a_text_lets_it_go(engine, sessions, name):
    with sessions.begin() as session:
        made = world(session)
        SAFE[name](session, made)
    assert len(take(engine)) == 1


@pytest.mark.parametrize("origin", [RequestOrigin.REPLY, RequestOrigin.SAFETY])
def test_a_direct_answer_passes_pause_hold_consent_and_emergency(engine, sessions, origin):
    with sessions.begin() as session:
        made = world(session, origin=origin, lane=Lane.STAT)
        for gate in (pause, hold, withdraw, endanger):
            gate(session, made)
    assert len(take(engine, Lane.STAT)) == 1


@pytest.mark.parametrize("origin", [RequestOrigin.REPLY, RequestOrigin.SAFETY])
def test_after_a_stop_only_its_confirmation_goes_out(engine, sessions, origin):
    with sessions.begin() as session:
        made = world(session, origin=origin, lane=Lane.STAT, message_key="auto_routine")
        make.request(
            session, made[2], made[3].address, origin=origin, lane=Lane.STAT, message_key="auto_optout_danger"
        )
        suppress(session, made)
    assert [one.message_key for one in take(engine, Lane.STAT)] == ["auto_optout_danger"]


def test_a_dead_number_gets_no_confirmation_either(engine, sessions):
    with sessions.begin() as session:
        made = world(session, origin=RequestOrigin.REPLY, lane=Lane.STAT, message_key="auto_optout")
        block(session, made)
    assert take(engine, Lane.STAT) == []


def test_a_page_to_staff_passes_every_gate_of_patients(engine, sessions):
    with sessions.begin() as session:
        made = world(session)
        nurse = make.staff(session, made[0])
        made[3].audience, made[3].origin = Audience.STAFF, RequestOrigin.PAGE
        made[3].lane, made[3].staff_id, made[3].address = Lane.STAT, nurse.id, nurse.phone
        make.suppression(session, made[0], nurse.phone)
        for gate in (pause, hold, withdraw, endanger):
            gate(session, made)
    assert len(take(engine, Lane.STAT)) == 1


def invited(session: Session) -> World:
    over = {"origin": RequestOrigin.INVITATION, "requires": int(Fact.CONSENT_PENDING)}
    made = world(session, **over)
    made[2].status, made[2].facts = CarePlanStatus.DRAFT, int(Fact.CONSENT_PENDING)
    session.scalars(select(Consent)).one().status = ConsentStatus.PROPOSED
    return made


def test_an_invitation_goes_while_it_is_open(engine, sessions):
    with sessions.begin() as session:
        invited(session)
    assert len(take(engine)) == 1


@pytest.mark.parametrize(
    "answer",
    [
        lambda s, w: setattr(w[2], "facts", int(Fact.CONSENTED)),
        lambda s, w: setattr(s.scalars(select(Consent)).one(), "status", ConsentStatus.REJECTED),
        lambda s, w: setattr(w[2], "status", CarePlanStatus.REVOKED),
        lambda s, w: setattr(w[0], "paused_at", NOW),
    ],
    ids=["answered", "refused", "revoked", "paused"],
)
def test_an_invitation_that_is_no_longer_open_stays(engine, sessions, answer):
    with sessions.begin() as session:
        answer(session, invited(session))
    assert take(engine) == []


def test_a_stop_that_is_committed_before_the_claim_is_honoured(postgres_url):
    engine = make_engine(postgres_url)
    sessions = session_factory(engine)
    with sessions.begin() as session:
        made = world(session)
    with sessions() as stop:
        make.suppression(stop, made[0], made[3].address)
        stop.commit()
        assert take(engine) == []
    engine.dispose()


def test_two_drains_that_race_never_take_the_same_row(postgres_url):
    engine = make_engine(postgres_url)
    with session_factory(engine).begin() as session:
        clinic = make.organization(session)
        _, plan, road = make.enrolled(session, clinic)
        wanted = {make.request(session, plan, road.value).id for _ in range(200)}
    taken: list[list[outbound.Claimed]] = []
    start = threading.Barrier(2)

    def drain() -> None:
        start.wait()
        while batch := take(engine, limit=10):
            taken.append(batch)

    threads = [threading.Thread(target=drain) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [one.id for batch in taken for one in batch]
    assert len(ids) == len(set(ids)) == 200
    assert set(ids) == wanted
    engine.dispose()


def test_a_row_that_another_claim_holds_is_passed_over(postgres_url):
    engine = make_engine(postgres_url)
    sessions = session_factory(engine)
    with sessions.begin() as session:
        made = world(session)
        other = make.request(session, made[2], made[3].address, due_at=NOW - timedelta(minutes=1))
    with sessions.begin() as holder:
        holder.execute(
            select(CommunicationRequest).where(CommunicationRequest.id == other.id).with_for_update()
        )
        assert [one.id for one in take(engine)] == [made[3].id]
    engine.dispose()


def test_the_claim_reads_the_index_of_what_is_due(engine, sessions):
    with sessions.begin() as session:
        clinic = make.organization(session)
        _, plan, road = make.enrolled(session, clinic)
        for status in (RequestStatus.COMPLETED,) * 300 + (RequestStatus.ACTIVE,):
            make.request(session, plan, road.value, status=status)
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            connection.exec_driver_sql("ANALYZE communication_requests")
            connection.commit()
    word = "EXPLAIN " if engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN "

    def explain(connection, cursor, statement, parameters, context, executemany):
        return word + statement, parameters

    with engine.connect() as connection:
        event.listen(connection, "before_cursor_execute", explain, retval=True)
        values = {"at_now": NOW, "most": 10, "until": NOW}
        ran = [
            " ".join(map(str, row))
            for row in connection.execute(outbound.claim(Lane.ROUTINE), values).cursor.fetchall()
        ]
        connection.rollback()
    assert any("ix_communication_requests_due" in line for line in ran), ran


def test_lateness_counts_what_could_have_gone_and_not_what_is_kept_back(sessions):
    with sessions.begin() as session:
        made = world(session, due_at=NOW - timedelta(minutes=10))
        make.request(session, made[2], made[3].address)
        kept = world(session, due_at=NOW - timedelta(minutes=20))
        kept[0].paused_at = NOW
    with sessions() as session:
        late = outbound.lateness(session, due_before=NOW - timedelta(minutes=5), now=NOW)
    assert (late.overdue, late.oldest_due_at, late.unknown) == (1, NOW - timedelta(minutes=10), 0)


def test_a_staff_task_about_a_patient_keeps_nothing_back(engine, sessions):
    with sessions.begin() as session:
        made = world(session)
        make.alert(session, made[1], kind=AlertKind.STAFF_TASK, tier=Tier.ROUTINE, task="texts_stopped")
    assert len(take(engine)) == 1
