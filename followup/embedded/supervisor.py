"""Start the demo's processes, wait until it answers, end them all. Imports no application code."""

import ctypes
import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from followup.core.clock import SystemClock
from followup.core.errors import FollowupError
from followup.embedded import broker
from followup.embedded.ending import Ending
from followup.embedded.folder import Folder

HOST = "127.0.0.1"
PORT = 5080
_READY_SECONDS = 60.0
_STOP_SECONDS = 1.5
_POLL_SECONDS = 0.05
_PR_SET_PDEATHSIG = 1
_CLOCK = SystemClock()
_CELERY = ("celery", "-q", "-A", "followup.tasks")
_WORKER = (
    *("-P", "threads", "-c", "4", "--loglevel", "WARNING"),
    *("-Q", "stat,inbound,alerts,outbound,upkeep"),
    *("--without-gossip", "--without-mingle", "--without-heartbeat"),  # there is no other worker to talk to
)
#: Celery warns whoever runs a worker as root; here that is whoever typed `make demo`, on loopback only.
_QUIET = {"PYTHONWARNINGS": "ignore:You're running the worker with superuser"}


class DemoFailed(FollowupError):
    """The demo did not start."""

    code = "demo.failed"


@dataclass
class Supervisor:
    """Children by name, in the order of their start."""

    environment: Mapping[str, str]
    folder: Path
    children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ending: Ending = field(default_factory=Ending)

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start one child in a session of its own, so that Ctrl-C reaches us alone and we end it in order."""
        # Neither the checkout's .env nor its working directory has a say in the demo.
        self.children[name] = subprocess.Popen(
            command,
            env={**os.environ, **_QUIET, **self.environment},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # we have one thread when we fork
        )

    def python(self, name: str, *arguments: str) -> None:
        """Start a Python module as a child."""
        self.start(name, [sys.executable, "-m", *arguments])

    def wait_until(self, answers: Callable[[], bool], *, what: str) -> None:
        """Wait for an answer; DemoFailed if a child ends or a minute passes."""
        deadline = _CLOCK.monotonic() + _READY_SECONDS
        while not self.ending.wait(_POLL_SECONDS):
            if dead := self.ended():
                raise DemoFailed(f"The demo did not start: its {dead} process ended. Its words stand above.")
            if answers():
                return
            if _CLOCK.monotonic() > deadline:
                raise DemoFailed(f"The demo did not start: {what} did not answer in {_READY_SECONDS:.0f} s.")

    def ended(self) -> str | None:
        """Return the name of a child that is no longer there."""
        return next((name for name, child in self.children.items() if child.poll() is not None), None)

    def stop(self) -> None:
        """End every child, the newest first; who does not go in time is killed."""
        for child in reversed(self.children.values()):
            if child.poll() is None:
                child.terminate()
        deadline = _CLOCK.monotonic() + _STOP_SECONDS
        for child in reversed(self.children.values()):
            try:
                child.wait(max(0.0, deadline - _CLOCK.monotonic()))
            except subprocess.TimeoutExpired:
                _kill_group(child.pid)
                child.wait()


def _die_with_parent() -> None:
    # Linux: even if we are killed without a chance to clean up, no orphan stays.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def free_port(wanted: int = 0) -> int:
    """Return `wanted` if it is free on loopback, else any free port."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # ours of a moment ago may linger
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise DemoFailed("No port is free on this machine.")


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def run(path: Path, *, port: int, keep: bool) -> None:
    """Run the demo until Ctrl-C; DemoFailed says why it did not start, or where it already runs."""
    folder = Folder.hold(path)
    if isinstance(folder, str):
        raise DemoFailed(
            f"The demo already runs at {folder}. Stop it there with Ctrl-C, or use --data for a second one."
        )
    if not keep:
        folder.wipe()
    port, bell = free_port(port), free_port()
    url = f"http://{HOST}:{port}"
    environment = folder.settings(url=url, redis_url=f"redis://{HOST}:{bell}/0")
    supervisor = Supervisor(environment, folder.path)
    folder.announce(url)
    try:
        _start(supervisor, port=port, bell=bell, url=url)
        while not supervisor.ending.wait(0.5):
            if dead := supervisor.ended():
                raise DemoFailed(f"The demo's {dead} process ended. Its words stand above.")
    finally:
        supervisor.stop()
        if not keep:
            folder.wipe()
    click.echo("Stopped." + (" The data is kept." if keep else ""))


def _start(supervisor: Supervisor, *, port: int, bell: int, url: str) -> None:
    supervisor.start(
        "valkey", broker.command(broker.find_server(), bell, log=supervisor.folder / "valkey.log")
    )
    supervisor.wait_until(lambda: _listens(bell), what="Valkey")
    supervisor.python("web", "followup.embedded.serve", str(port))
    supervisor.python("worker", *_CELERY, "worker", *_WORKER)
    supervisor.wait_until(lambda: _answers(port), what="the web")
    supervisor.python("beat", *_CELERY, "beat", "--loglevel", "WARNING")
    if not supervisor.ending.asked:
        click.echo(
            f"\nReady: {url}\nPhones of patients and staff: {url}/sandbox\nCtrl-C ends it.", color=False
        )
        sys.stdout.flush()
