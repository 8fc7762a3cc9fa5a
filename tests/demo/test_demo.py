"""`followup demo`: one command starts everything, Ctrl-C ends everything, and nothing is left."""

import json
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.demo.running import Demo, command, demo, environment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc"),
]

STOP_SECONDS = 3  # issue 2, item 9
REPLIES = """\
id,lang,context,rx_max,text
r1,en,free,,i cant breathe good and my lips look blue
r2,es,pain,,4
r3,en,free,,Feeling good today
r4,en,taper,,NO
"""


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), cwd=home, env=environment(home), capture_output=True, text=True, timeout=120
    )


def listeners(running: Demo) -> set[str]:
    """Return the addresses that the demo's web answers on, as the kernel lists them."""
    port = f"{int(running.url.rpartition(':')[2]):04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    bound = [local.partition(":") for _, local, _, state, *_ in lines if state == "0A"]
    return {socket.inet_ntoa(bytes.fromhex(host)[::-1]) for host, _, at in bound if at == port}


def test_one_command_starts_everything_and_ctrl_c_leaves_nothing_behind(tmp_path):
    with demo(tmp_path) as running:
        # It says where it is, and answers there.
        said = running.log.read_text()
        assert f"Ready: {running.url}" in said
        assert urllib.request.urlopen(f"{running.url}/sandbox", timeout=10).status == 200
        # Only this user can read its settings, it reaches nobody, and nobody else reaches it.
        settings = running.folder / "settings.json"
        assert settings.stat().st_mode & 0o077 == 0
        assert json.loads(settings.read_text())["FOLLOWUP_CARRIER"] == "sandbox"
        assert listeners(running) == {"127.0.0.1"}
        # Three of the staff can sign in, with passwords that nobody chose.
        passwords = running.passwords()
        assert len(passwords) == 3
        assert all(len(password) >= 16 for password in passwords.values())
        # The service does its work: a replay loses nothing.
        (tmp_path / "replies.csv").write_text(REPLIES)
        replayed = run(
            tmp_path, "replay", "replies.csv", "--to", running.url, "--data", str(running.folder), "--json"
        )
        assert replayed.returncode == 0, replayed.stdout + replayed.stderr
        report = json.loads(replayed.stdout)
        assert (report["posted"], report["stored"], report["lost"], report["unexplained"]) == (4, 4, 0, [])
        # A second demo says where the first one runs, and starts nothing.
        before = sorted(running.processes())
        second = run(tmp_path, "demo", "--data", str(running.folder))
        assert second.returncode == 1
        assert running.url in second.stderr
        assert sorted(running.processes()) == before
        # Ctrl-C ends all of it, in time.
        took = running.interrupt()
        assert running.process.returncode == 0
        assert running.processes() == []
        left = {entry.name for entry in running.folder.iterdir()}
        assert {name for name in left if not name.startswith("seed-")} == {"demo.lock"}
        assert took <= STOP_SECONDS
