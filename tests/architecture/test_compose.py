"""The deployment files say what the code says: valid, complete, and with every queue served."""

import subprocess
import sys

import pytest

from tests.support.tree import ROOT, compose, compose_command, procfile

SERVICES = {"postgres", "redis", "migrate", "web", "worker", "worker-now", "beat", "sweep", "mail"}
ONE_SHOT = {"migrate"}


def queues(command: list[str]) -> list[str]:
    """Return the queues that a worker's command names."""
    return command[command.index("-Q") + 1].split(",") if "-Q" in command else []


def test_the_compose_file_obeys_the_compose_specification():
    checked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec",
         "docker-compose.yml"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_service_is_there():
    assert set(compose()["services"]) == SERVICES


@pytest.mark.parametrize("service", sorted(SERVICES - ONE_SHOT))
def test_every_lasting_service_has_a_healthcheck(service):
    assert compose()["services"][service]["healthcheck"]["test"]


def test_redis_keeps_the_bell_and_never_drops_a_key():
    command = " ".join(compose_command("redis"))
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command


def test_every_queue_has_exactly_one_worker():
    from followup.tasks.schedule import Queue

    served = [queue for name in ("worker", "worker-now") for queue in queues(compose_command(name))]
    assert sorted(served) == sorted(queue.value for queue in Queue)


def test_bulk_never_stands_before_a_safety_reply():
    assert set(queues(compose_command("worker"))).isdisjoint({"stat", "inbound", "alerts"})


def test_the_procfile_serves_the_same_queues():
    commands = procfile()
    for name in ("worker", "worker-now"):
        assert queues(commands[name.replace("-", "_")]) == queues(compose_command(name))


def test_no_web_server_writes_an_access_log():
    for command in (compose_command("web"), procfile()["web"]):
        assert not [word for word in command if word.startswith("--access-logfile")]


def test_services_of_ours_may_write_nowhere_and_gain_nothing():
    ours = {
        name: service for name, service in compose()["services"].items() if service["image"] == "followup"
    }
    assert set(ours) == SERVICES - {"postgres", "redis"}
    for service in ours.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]


def test_the_image_runs_without_rights():
    users = [
        line.split()[1] for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("USER ")
    ]
    assert users
    assert users[-1] not in ("root", "0")
