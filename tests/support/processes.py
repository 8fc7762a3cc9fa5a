"""Start other programs so that none outlives the tests: own group, ended by id, or with its parent."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Tell whether something accepts connections on that port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def unprivileged_user() -> str | None:
    """Name the user to run a server as that refuses root; None where we are not root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def identity(user: str | None) -> dict[str, Any]:
    """Return the arguments of subprocess that run a program as `user` and nobody else; none for None."""
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


@contextmanager
def short_directory(prefix: str, *, owner: str | None = None) -> Iterator[Path]:
    """Lend a new directory of `owner` with a short path (sockets need one), and remove it afterwards."""
    path = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
    try:
        if owner is not None:
            shutil.chown(path, owner)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def start(
    command: Sequence[str],
    *,
    log: Path,
    user: str | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    dies_by: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a program in its own group, writing to `log`; if we are killed, the kernel sends it `dies_by`."""
    setpriv = shutil.which("setpriv")
    guard = [setpriv, f"--pdeathsig={dies_by.name.removeprefix('SIG')}", "--"] if setpriv else []
    with log.open("ab") as out:
        return subprocess.Popen(
            [*guard, *command],
            cwd=cwd,
            env=env,
            **identity(user),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def wait_until(
    ready: Callable[[], bool], process: subprocess.Popen[bytes], *, log: Path, seconds: float
) -> None:
    """Wait until `ready()`, and fail with the program's own words when it ends first or takes too long."""
    end = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None or time.monotonic() > end:
            stop(process)
            raise RuntimeError(f"did not start within {seconds} s: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.02)


def stop(
    process: subprocess.Popen[bytes], *, by: signal.Signals = signal.SIGTERM, seconds: float = 10
) -> int:
    """End the program and everything in its group; return its exit status."""
    if process.poll() is None:
        process.send_signal(by)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    with suppress(ProcessLookupError, PermissionError):  # the whole group may be gone already
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()
