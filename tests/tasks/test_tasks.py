"""Tasks are thin, named alike, and each has a queue that somebody serves; what beat rings exists."""

import ast
import inspect
import re
import time

import pytest

from followup import tasks
from followup.core.vocabulary import Lane
from followup.settings import settings_from_environment
from followup.tasks import outbound
from followup.tasks.app import celery_app, know_the_tasks
from followup.tasks.schedule import ROUTES, Queue, beat_table, queue_of
from tests.support.processes import free_port

know_the_tasks()
OURS = {name: task for name, task in celery_app.tasks.items() if name.startswith("followup.")}


@pytest.mark.parametrize("name", OURS)
def test_a_task_is_thin(name):
    lines = inspect.getsource(OURS[name].run).splitlines()
    assert len(lines) <= 17  # decorator, head and a body of at most 15


@pytest.mark.parametrize("name", OURS)
def test_a_task_is_named_after_its_door_and_has_a_queue_of_ours(name):
    door, verb = re.fullmatch(r"followup\.(\w+)\.(\w+)", name).groups()
    assert OURS[name].run.__module__ == f"followup.tasks.{door}"
    assert verb
    assert ROUTES[name] in set(Queue)


@pytest.mark.parametrize("name", OURS)
def test_a_task_takes_the_name_of_a_lane_or_a_queue_and_nothing_else(name):
    (tree,) = ast.parse(inspect.getsource(OURS[name].run)).body
    assert isinstance(tree, ast.FunctionDef)
    assert {argument.arg for argument in tree.args.args} <= {"lane", "queue"}


def test_beat_rings_only_tasks_that_exist_and_every_task_is_rung():
    rung = {entry["task"] for entry in beat_table(2.0).values()}
    assert rung == set(OURS) == set(ROUTES)


def test_beat_rings_every_lane_as_often_as_it_is_told():
    entries = [entry for name, entry in beat_table(3.0).items() if name.startswith("drain-")]
    assert {entry["args"] for entry in entries} == {(lane.value,) for lane in Lane}
    assert {entry["schedule"] for entry in entries} == {3.0}


@pytest.mark.parametrize("entry", beat_table(2.0).values(), ids=beat_table(2.0))
def test_a_bell_that_nobody_hears_is_dropped_within_ten_minutes(entry):
    assert entry["schedule"] < entry["options"]["expires"] <= 600
    assert entry["options"]["queue"] in set(Queue)


def test_bulk_never_shares_a_queue_with_what_people_wait_for():
    assert {queue_of(lane) for lane in Lane if lane is not Lane.STAT} == {Queue.OUTBOUND}
    assert queue_of(Lane.STAT) is Queue.STAT


def test_celery_finds_the_application_where_the_commands_look():
    assert tasks.celery is celery_app


@pytest.fixture
def settings(monkeypatch, tmp_path):
    """Set the environment that a worker or a web process has, without a broker behind it."""
    values = {
        "ENVIRONMENT": "test",
        "CARRIER": "sandbox",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'none.sqlite3'}",
        "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",
        "SECRET_KEY": "0123456789abcdef0123456789abcdef",
        "PUBLIC_URL": "http://127.0.0.1:8000",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"FOLLOWUP_{name}", value)
    settings_from_environment.cache_clear()
    yield settings_from_environment()
    settings_from_environment.cache_clear()


def test_ringing_without_a_broker_returns_at_once_and_raises_nothing(settings, caplog):
    start = time.monotonic()
    outbound.ring(Lane.STAT)
    assert time.monotonic() - start < 1
    assert "nobody hears the bell" in caplog.text
