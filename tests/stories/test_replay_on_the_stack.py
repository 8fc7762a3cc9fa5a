"""The main job on the parts of production: PostgreSQL, Redis, gunicorn, workers and beat, as in compose."""

import csv
import json
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.architecture.test_compose_starts import BIN, command_of, healthy, running, surroundings_for
from tests.support.processes import free_port
from tests.support.tree import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

REPLIES = ROOT.parent / "shared" / "clinical" / "replies-dev.csv"
FEW = """id,lang,context,rx_max,text,tier,flags
r1,en,free,,"Feeling good today, thank you",none,ok
r2,es,taper,,PARAR,none,stop
r3,en,pills,4,2,none,numeric;ok
r4,en,free,,i cant breathe good and my lips look blue,emergency,breathing
r5,en,mood,,"low, not sure why",routine,depression
r6,en,free,,wrong number,routine,wrong_number
"""


def replay(env: dict[str, str], file: Path, url: str) -> dict:
    asked = [str(BIN / "followup"), "replay", str(file), "--to", url, "--json"]
    ended = subprocess.run(asked, env=env, capture_output=True, text=True, check=False, timeout=240)
    assert ended.returncode == 0, ended.stderr + ended.stdout
    return json.loads(ended.stdout.strip().splitlines()[-1])


def test_every_reply_is_stored_once_explained_and_a_second_run_adds_nothing(
    postgres_url: str, redis_url: str, tmp_path: Path
) -> None:
    file = REPLIES
    if not file.exists():  # beside a checkout without the shared documents
        file = tmp_path / "replies.csv"
        file.write_text(FEW)
    with file.open(newline="") as lines:
        rows = sum(1 for _ in csv.DictReader(lines))
    address = f"127.0.0.1:{free_port()}"
    url = f"http://{address}"
    env = surroundings_for(postgres_url, redis_url, tmp_path) | {
        "FOLLOWUP_PUBLIC_URL": url,
        "FOLLOWUP_MAIL_FROM": "care@example.org",
    }
    with ExitStack() as stack:
        for service, changed in (
            ("worker", {}),
            ("worker-now", {}),
            ("beat", {}),
            ("web", {"0.0.0.0:8000": address}),
        ):
            home = tmp_path / service
            home.mkdir()
            ready = (lambda: healthy(f"{url}/healthz")) if service == "web" else (lambda: True)
            stack.enter_context(running(command_of(service, home, **changed), home, env=env, ready=ready))
        first = replay(env, file, url)
        second = replay(env, file, url)
    assert first["posted"] == first["stored"] == rows
    assert (first["lost"], first["unexplained"]) == (0, [])
    assert second["added"] == 0, second
    assert (second["lost"], second["unexplained"]) == (0, [])
