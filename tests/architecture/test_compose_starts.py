"""Every command of docker-compose.yml starts here as written, only ports and places differ."""

import os
import shutil
import smtplib
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from followup.store import migrate
from tests.support.processes import answers, free_port, start, stop, wait_until
from tests.support.requirements import part
from tests.support.servers import redis_binary
from tests.support.tree import compose_command

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent


@pytest.fixture
def surroundings(postgres_url, redis_url, tmp_path) -> dict[str, str]:
    """Return the environment that compose gives the service, with this test's own servers in it."""
    return surroundings_for(postgres_url, redis_url, tmp_path)


def surroundings_for(database_url: str, redis_url: str, home: Path) -> dict[str, str]:
    return {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "PYTHONUNBUFFERED": "1",
        "FOLLOWUP_ENVIRONMENT": "test",
        "FOLLOWUP_CARRIER": "sandbox",
        "FOLLOWUP_DATABASE_URL": database_url,
        "FOLLOWUP_REDIS_URL": redis_url,
        "FOLLOWUP_SECRET_KEY": "only-for-tests-" * 3,
        "FOLLOWUP_PUBLIC_URL": "http://127.0.0.1:8000",
    }


def command_of(service: str, home: Path, **changed: str) -> list[str]:
    """Return a service's command with its files under `home`, and each word of `changed` replaced."""
    words = [changed.get(word, word) for word in compose_command(service)]
    words = [word.replace("/tmp/", f"{home}/") for word in words]
    return [shutil.which(words[0], path=f"{BIN}{os.pathsep}{os.environ['PATH']}") or words[0], *words[1:]]


@contextmanager
def running(
    command: list[str], home: Path, *, env: dict[str, str], ready: Callable[[], bool]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command until the block ends; fails with its output when it does not become ready."""
    log = home / "log"
    process = start(command, log=log, cwd=home, env=env)
    try:
        wait_until(ready, process, log=log, seconds=60)
        yield process
        assert process.poll() is None, log.read_text()
    finally:
        stop(process, seconds=30)


def healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_migrate_brings_an_empty_database_up_and_ends(empty_postgres_url, redis_url, tmp_path):
    env = surroundings_for(empty_postgres_url, redis_url, tmp_path)
    ended = subprocess.run(
        command_of("migrate", tmp_path), cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert migrate.is_current(empty_postgres_url)


def test_web_answers_its_healthcheck(surroundings, tmp_path):
    address = f"127.0.0.1:{free_port()}"
    command = command_of("web", tmp_path, **{"0.0.0.0:8000": address})
    url = f"http://{address}/healthz"
    with running(command, tmp_path, env=surroundings, ready=lambda: healthy(url)):
        assert healthy(url)


@pytest.mark.parametrize("service", ["worker", "worker-now"])
def test_a_worker_answers_a_ping(service, surroundings, tmp_path):
    ping = [str(BIN / "celery"), "-A", "followup.tasks", "inspect", "ping", "--timeout", "2"]
    ping += ["-d", f"{service}@{socket.gethostname()}"]

    def pings() -> bool:
        asked = subprocess.run(ping, cwd=tmp_path, env=surroundings, capture_output=True, check=False)
        return asked.returncode == 0

    with running(command_of(service, tmp_path), tmp_path, env=surroundings, ready=pings):
        pass


def test_beat_writes_its_process_id_where_the_healthcheck_looks(surroundings, tmp_path):
    pidfile = tmp_path / "beat.pid"
    with running(command_of("beat", tmp_path), tmp_path, env=surroundings, ready=pidfile.exists) as process:
        assert int(pidfile.read_text()) == process.pid


def test_sweep_goes_on_without_redis(surroundings, tmp_path):
    env = surroundings | {"FOLLOWUP_REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}
    command = command_of("sweep", tmp_path)
    process = start(command, log=tmp_path / "log", cwd=tmp_path, env=env)
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(4)
    finally:
        status = stop(process, seconds=10)
    assert status in (0, -15), (tmp_path / "log").read_text()


def test_redis_takes_the_settings_of_compose(tmp_path):
    port = free_port()
    with part("redis"):
        server = redis_binary()
    place = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path)]
    command = [server, *command_of("redis", tmp_path)[1:], *place]
    with running(command, tmp_path, env=dict(os.environ), ready=lambda: answers(port)):
        assert (tmp_path / "appendonlydir").is_dir()


def test_the_mail_sink_takes_mail(tmp_path):
    port = free_port()
    command = command_of("mail", tmp_path, **{"0.0.0.0:8025": f"127.0.0.1:{port}"})
    with (
        running(command, tmp_path, env=dict(os.environ), ready=lambda: answers(port)),
        smtplib.SMTP("127.0.0.1", port) as client,
    ):
        assert client.sendmail("clinic@example.org", ["ana@example.org"], "Subject: x\n\ny") == {}
