"""Run `followup demo` as a newcomer does, in a folder of its own."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import free_port, start, stop, wait_until
from tests.support.tree import ROOT

READY_SECONDS = 100  #: A newcomer waits 5 s once it is set up; here other tests share the machine.


@dataclass
class Demo:
    """A demo that answers: its process, address, data folder and what it has printed."""

    process: subprocess.Popen[bytes]
    url: str
    folder: Path
    log: Path

    def passwords(self) -> dict[str, str]:
        """Return what the demo printed for sign-in: address and password."""
        return dict(re.findall(r"^ +(\S+@\S+) +(\S+) ", self.log.read_text(), re.MULTILINE))

    def interrupt(self) -> float:
        """Press Ctrl-C and wait for the end; return the seconds it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)
        return time.monotonic() - began

    def processes(self) -> list[str]:
        """Return the command lines of everything on this machine that works on this demo's data."""
        marked = f"{self.folder}/followup.db".encode()
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if marked in (entry / "environ").read_bytes():
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
        return found


def environment(home: Path) -> dict[str, str]:
    """Return a newcomer's environment: an empty home, nothing set for Followup."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FOLLOWUP_")}
    return {**kept, "HOME": str(home), "XDG_STATE_HOME": str(home / "state"), "PYTHONPATH": str(ROOT)}


def command(*arguments: str) -> list[str]:
    """Return the command line of a `followup` command of this checkout."""
    return [sys.executable, "-m", "followup", *arguments]


@contextmanager
def demo(home: Path) -> Iterator[Demo]:
    """Run a demo until the block ends; nothing of it is left, whatever happens in the block."""
    folder, log, port = home / "data", home / "log", free_port()
    process = start(
        command("demo", "--data", str(folder), "--port", str(port)),
        log=log,
        cwd=home,
        env=environment(home),
        dies_by=signal.SIGTERM,
    )
    try:
        wait_until(lambda: "Ready" in log.read_text(), process, log=log, seconds=READY_SECONDS)
        yield Demo(process, f"http://127.0.0.1:{port}", folder, log)
    finally:
        stop(process, by=signal.SIGINT)
