"""Rows keep what they promise on both databases: aware times, exact amounts, words, natural keys."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from sqlalchemy import Enum, inspect, text
from sqlalchemy.exc import IntegrityError, StatementError

from followup.core.vocabulary import (
    AlertKind,
    AlertStatus,
    Channel,
    ConsentStatus,
    Fact,
    MedicationStatus,
    RequestOrigin,
    RequestStatus,
    TaperStatus,
    Tier,
)
from followup.store import models
from followup.store.base import Base, Keyed, UtcDateTime
from followup.store.models import CarePlan, Communication, CommunicationRequest, MedicationRequest, TaperPlan
from tests import factories as make
from tests.factories import NOW

#: Tables without a clinic, and why.
OF_NO_CLINIC = {
    "organizations": "it is the clinic",
    "service_state": "facts about the installation",
}
#: Rows that may come before their clinic is known.
CLINIC_MAY_BE_UNKNOWN = {"audit_events", "delivery_receipts"}
MAPPED = [mapper.class_ for mapper in Base.registry.mappers]


def medication(session, person, **over):
    values = {
        "created_at": NOW,
        "organization_id": person.organization_id,
        "patient_id": person.id,
        "drug": "oxycodone",
        "strength_mg": Decimal("2.5"),
        "max_units_per_day": Decimal(6),
        "is_regular": True,
        "status": MedicationStatus.ACTIVE,
        **over,
    }
    return make.add(session, MedicationRequest(**values))


def taper(session, plan, **over):
    values = {
        "created_at": NOW,
        "organization_id": plan.organization_id,
        "care_plan_id": plan.id,
        "version": 1,
        "status": TaperStatus.DRAFT,
        "starts_on": date(2026, 6, 9),
        "start_units": Decimal(6),
        "unit": Decimal(1),
        "days_taken": 10,
        "warnings": [],
        "digest": "0" * 64,
        "rule_text": "",
        **over,
    }
    return make.add(session, TaperPlan(**values))


@pytest.fixture
def enrolled(session):
    clinic = make.organization(session)
    return clinic, *make.enrolled(session, clinic)


def test_every_model_is_imported_where_migrations_look():
    assert {kind.__name__ for kind in MAPPED} == set(models.__all__)


@pytest.mark.parametrize("kind", MAPPED, ids=lambda kind: kind.__name__)
def test_every_table_belongs_to_a_clinic_or_says_why_not(kind):
    table = kind.__table__
    if table.name in OF_NO_CLINIC:
        assert "organization_id" not in table.c
        return
    column = table.c.organization_id
    assert {key.target_fullname for key in column.foreign_keys} == {"organizations.id"}
    assert column.nullable == (table.name in CLINIC_MAY_BE_UNKNOWN)


@pytest.mark.parametrize("kind", MAPPED, ids=lambda kind: kind.__name__)
def test_every_word_is_kept_by_value_as_text(kind):
    for column in kind.__table__.c:
        if isinstance(column.type, Enum):
            assert column.type.enums == [member.value for member in column.type.enum_class]
            assert not column.type.native_enum
            assert max(map(len, column.type.enums)) <= column.type.length


@pytest.mark.parametrize("kind", MAPPED, ids=lambda kind: kind.__name__)
def test_every_time_is_aware_and_named_at_and_every_key_is_time_ordered(kind):
    columns = kind.__table__.c
    assert all(isinstance(column.type, UtcDateTime) for column in columns if column.name.endswith("_at"))
    if issubclass(kind, Keyed):
        assert columns.id.primary_key
        assert columns.created_at.default is None, "the caller says when; no row reads a clock"


def test_a_word_lies_in_the_database_as_its_value(session, enrolled):
    _, _, plan, road = enrolled
    make.request(session, plan, road.value, status=RequestStatus.ON_HOLD)
    raw = session.execute(text("SELECT status, origin FROM communication_requests")).one()
    assert tuple(raw) == ("on-hold", "planned")


def test_an_unknown_word_is_refused(session, enrolled):
    _, _, plan, road = enrolled
    with pytest.raises(StatementError, match="not among the defined enum values"):
        make.request(session, plan, road.value, status="held")


def test_a_time_comes_back_in_utc_whatever_zone_it_was_given_in(session, enrolled):
    _, _, plan, road = enrolled
    there = datetime(2026, 6, 2, 11, 0, 0, 123456, tzinfo=timezone(timedelta(hours=-4)))
    row = make.request(session, plan, road.value, due_at=there)
    session.expire(row)
    assert row.due_at == datetime(2026, 6, 2, 15, 0, 0, 123456, tzinfo=UTC)
    assert row.due_at.utcoffset() == timedelta(0)
    assert row.lease_until is None


def test_a_naive_time_is_refused(session, enrolled):
    _, _, plan, road = enrolled
    with pytest.raises(StatementError, match="without a zone"):
        make.request(session, plan, road.value, due_at=datetime(2026, 6, 2, 11))


@pytest.mark.parametrize("amount", ["0", "6", "10", "2.5", "0.125", "123456.789"])
def test_an_amount_comes_back_exactly(session, enrolled, amount):
    row = medication(session, enrolled[1], strength_mg=Decimal(amount), mme_per_day=None)
    session.expire(row)
    assert (row.strength_mg, str(row.strength_mg)) == (Decimal(amount), amount)
    assert row.mme_per_day is None


def test_facts_are_set_and_asked_for_one_by_one():
    plan = CarePlan(facts=int(Fact.CONSENT_PENDING))
    plan.set_fact(Fact.CONSENTED, true=True)
    plan.set_fact(Fact.CONSENT_PENDING, true=False)
    plan.set_fact(Fact.STOPPED, true=False)
    assert plan.has(Fact.CONSENTED)
    assert not plan.has(Fact.CONSENTED | Fact.STOPPED)
    assert Fact(plan.facts) is Fact.CONSENTED


def test_relations_are_read_in_their_order(session, enrolled):
    _, person, _, road = enrolled
    second = make.contact(session, person, system=Channel.EMAIL, value="ana@example.org", rank=2)
    session.refresh(person)
    assert person.contact_points == [road, second]


def test_a_foreign_key_is_kept(session, enrolled):
    _, _, plan, road = enrolled
    with pytest.raises(IntegrityError):
        make.request(session, plan, road.value, patient_id=make.new_id())


def keeps_one(session, first, second):
    """Assert that the second row may not stand beside the first."""
    first()
    with pytest.raises(IntegrityError), session.begin_nested():
        second()


def test_one_planned_text_for_each_occurrence_until_it_is_revoked(session, enrolled):
    _, _, plan, road = enrolled

    def planned(**over):
        return make.request(
            session, plan, road.value, action_id="C1", occurrence="once", plan_version=1, **over
        )

    keeps_one(session, planned, planned)
    planned(status=RequestStatus.REVOKED)
    keeps_one(session, lambda: None, planned)


def test_one_answer_of_a_kind_for_each_inbound_text(session, enrolled):
    _, _, plan, road = enrolled
    heard = make.new_id()

    def answer(**over):
        return make.request(
            session,
            plan,
            road.value,
            origin=RequestOrigin.REPLY,
            in_reply_to_id=heard,
            message_key="auto_help",
            **over,
        )

    keeps_one(session, answer, answer)
    answer(channel=Channel.EMAIL)


def test_one_page_for_each_alert_step_round_person_and_channel(session, enrolled):
    clinic, person, plan, road = enrolled
    nurse, alert = make.staff(session, clinic), make.alert(session, person)

    def page(**over):
        values = {"page_step": 1, "page_round": 1, "alert_id": alert.id, "staff_id": nurse.id, **over}
        return make.request(session, plan, road.value, origin=RequestOrigin.PAGE, **values)

    keeps_one(session, page, page)
    page(page_round=2)


def test_one_current_consent_for_each_channel(session, enrolled):
    _, person, _, road = enrolled
    keeps_one(
        session,
        lambda: None,
        lambda: make.consent(session, person, road.value, status=ConsentStatus.PROPOSED),
    )
    make.consent(session, person, road.value, status=ConsentStatus.REJECTED)
    make.consent(session, person, "ana@example.org", channel=Channel.EMAIL)


def test_one_open_block_for_each_address_of_a_clinic(session, enrolled):
    clinic, _, _, road = enrolled
    keeps_one(
        session,
        lambda: make.suppression(session, clinic, road.value),
        lambda: make.suppression(session, clinic, road.value),
    )
    make.suppression(session, clinic, road.value, ended_at=NOW)
    make.suppression(session, make.organization(session), road.value)


def test_one_running_taper_for_each_plan(session, enrolled):
    plan = enrolled[2]
    keeps_one(
        session,
        lambda: taper(session, plan, status=TaperStatus.APPROVED),
        lambda: taper(session, plan, status=TaperStatus.ON_HOLD, version=2),
    )
    taper(session, plan, version=3)
    keeps_one(session, lambda: None, lambda: taper(session, plan, version=3))


def test_one_open_reply_alert_for_each_patient_and_one_open_code_for_each_clinic(session, enrolled):
    clinic, person, *_ = enrolled
    first = make.alert(session, person)
    keeps_one(session, lambda: None, lambda: make.alert(session, person))
    other = make.patient(session, clinic)
    keeps_one(session, lambda: None, lambda: make.alert(session, other, code=first.code))
    first.status = AlertStatus.RESOLVED
    session.flush()
    make.alert(session, person, code=first.code)


def test_one_open_task_of_a_kind_for_each_patient(session, enrolled):
    person = enrolled[1]

    def task(name):
        return make.alert(session, person, kind=AlertKind.STAFF_TASK, tier=Tier.ROUTINE, task=name)

    keeps_one(session, lambda: task("taper_held"), lambda: task("taper_held"))
    task("texts_stopped")


def test_a_carriers_id_is_stored_once(session, enrolled):
    _, _, plan, road = enrolled
    row = make.request(session, plan, road.value)
    keeps_one(
        session,
        lambda: make.sent(session, row, provider_sid="SM1"),
        lambda: make.sent(session, row, provider_sid="SM1"),
    )
    make.sent(session, row, provider_sid="SM1", provider="sandbox")


def test_raw_bytes_are_read_only_when_asked_for(session, enrolled):
    _, _, plan, road = enrolled
    sent = make.sent(session, make.request(session, plan, road.value), raw=b"Body=hi")
    session.expire(sent)
    session.refresh(sent, ["body"])
    assert "raw" in inspect(sent).unloaded
    assert sent.raw == b"Body=hi"


@pytest.mark.parametrize("kind", [CommunicationRequest, Communication])
def test_the_hot_queries_have_partial_indexes(kind):
    partial = [
        one for one in kind.__table__.indexes if one.dialect_options["postgresql"]["where"] is not None
    ]
    assert len(partial) >= 4
    for index in partial:
        assert str(index.dialect_options["sqlite"]["where"]) == str(
            index.dialect_options["postgresql"]["where"]
        )
