"""`followup replay`: send a file of real replies through a running service, and say what became of each."""

import csv
import hashlib
import io
import json
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal, InvalidOperation
from pathlib import Path
from threading import Event
from typing import Any, TextIO
from urllib.parse import urlsplit

import click

from followup.core.clock import SystemClock
from followup.core.errors import InvalidInput, SettingsError
from followup.core.vocabulary import Language
from followup.embedded.folder import default_path, read_settings
from followup.providers import sandbox_phone
from followup.providers.sandbox_phone import NotDelivered
from followup.runtime import Runtime, build_runtime
from followup.services import replay_report, replaying
from followup.services.replay_report import Report
from followup.services.replaying import Case, Ready
from followup.settings import PREFIX, Carrier, Settings, load_settings

AT_ONCE = 4  #: Posts under way at one time.
_COLUMNS = ("id", "lang", "context", "rx_max", "text")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_POLL_SECONDS = 0.2
_OK = 200
_DATABASE = f"{PREFIX}DATABASE_URL"


@click.command("replay")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--to", required=True, help="Address of the running service, on this machine.")
@click.option("--lang", type=click.Choice([one.value for one in Language]), help="Only rows in it.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first rows.")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="The demo's data folder.")
@click.option("--wait", default=60.0, show_default=True, help="Longest wait for the last answer, seconds.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(
    file: Path, to: str, lang: str | None, limit: int | None, data: Path | None, wait: float, as_json: bool
) -> None:
    """Make one test patient per row of FILE, post each reply as a signed webhook, report what became of it.

    FILE is a CSV with the columns id, lang, context, rx_max and text. With the service's own settings, or
    those of the demo that runs at --to. Sandbox carrier only. A second run adds nothing. Exit 1 on any loss.
    """
    content = file.read_bytes()
    cases = list(_chosen(read_cases(content), lang, limit))
    if not cases:
        raise InvalidInput("No row of the file is left to replay.")
    house = build_runtime(settings_for(to, data))
    report, added = _replay(house, cases, hashlib.sha256(content).hexdigest(), to, wait)
    click.echo(json.dumps(as_facts(report, added)) if as_json else "\n".join(as_lines(report, added)))
    raise SystemExit(0 if report.is_good else 1)


def settings_for(to: str, data: Path | None) -> Settings:
    """Return the settings of the service at `to`; SettingsError when it may not be played with.

    Those of the environment; else of the demo in its data folder, if that is the one at `to`.
    """
    if urlsplit(to).scheme not in ("http", "https") or urlsplit(to).hostname not in _LOOPBACK:
        raise SettingsError(
            "--to: a replay goes to a service on this machine only, such as http://127.0.0.1:5080."
        )
    demo = None if os.environ.get(_DATABASE) else read_settings((data or default_path()).resolve())
    if demo is not None and demo.get(f"{PREFIX}PUBLIC_URL", "").rstrip("/") == to.rstrip("/"):
        settings = load_settings(
            _env_file=None, **{name.removeprefix(PREFIX).lower(): value for name, value in demo.items()}
        )
    else:
        settings = load_settings()
    if settings.carrier is not Carrier.SANDBOX:
        raise SettingsError("FOLLOWUP_CARRIER: a replay would text real people; it needs the sandbox.")
    return settings


def read_cases(content: bytes) -> Iterator[Case]:
    """Yield the rows of a CSV in UTF-8; InvalidInput names the line and what is wrong with it."""
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    except UnicodeDecodeError as broken:
        raise InvalidInput("The file is not in UTF-8.") from broken
    if missing := [name for name in _COLUMNS if name not in (reader.fieldnames or ())]:
        raise InvalidInput(f"The file lacks the columns {', '.join(missing)}.")
    for row in reader:
        yield _case(row, reader.line_num)


def _case(row: dict[str, str | None], line: int) -> Case:
    context, most = row["context"] or "", row["rx_max"] or ""
    try:
        language, rx_max = Language(row["lang"] or ""), Decimal(most) if most else None
    except (ValueError, InvalidOperation) as wrong:
        raise InvalidInput(f"Line {line}: lang is en or es, rx_max a number or empty.") from wrong
    if context not in replaying.QUESTIONS:
        raise InvalidInput(f"Line {line}: context is one of {', '.join(replaying.QUESTIONS)}.")
    return Case(row["id"] or str(line), language, context, rx_max, row["text"] or "")


def _chosen(cases: Iterator[Case], lang: str | None, limit: int | None) -> Iterator[Case]:
    kept = 0
    for case in cases:
        if (lang is None or case.language.value == lang) and (limit is None or kept < limit):
            kept += 1
            yield case


def _replay(house: Runtime, cases: Sequence[Case], digest: str, to: str, wait: float) -> tuple[Report, int]:
    now = house.clock.now()
    writing = replaying.prepare(house.sessions, cases, digest=digest, knowledge=house.knowledge, now=now)
    with click.progressbar(writing, length=len(cases), label="Patients", file=_bar()) as shown:
        ready = list(shown)
    sids = [one.sid for one in ready]
    before = replay_report.stored(house.engine, sids)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        posts = threads.map(lambda one: _post(house.settings, one, to), ready)
        with click.progressbar(posts, length=len(ready), label="Replies ", file=_bar()) as shown_posts:
            taken = sum(shown_posts)
    _wait(house, sids, wait)
    report = replay_report.judge(house.engine, sids, posted=len(ready), refused=len(ready) - taken)
    if report.is_good:  # else they stay, to be looked at
        replaying.close_alerts(house.sessions, digest=digest, now=house.clock.now())
    return report, report.stored - before


def _bar() -> TextIO:
    """Return where progress is shown: not among the words that --json prints."""
    return sys.stderr


def _post(settings: Settings, ready: Ready, to: str) -> bool:
    try:
        status = sandbox_phone.text(
            settings,
            sender=ready.sender,
            recipient=ready.recipient,
            body=ready.case.text,
            sid=ready.sid,
            to=to,
        )
    except NotDelivered:
        return False
    return status == _OK


def _wait(house: Runtime, sids: Sequence[str], wait: float) -> None:
    clock = SystemClock()
    ends = clock.monotonic() + wait
    most = replay_report.waiting(house.engine, sids)
    with click.progressbar(length=most, label="Answers ", file=_bar()) as shown:
        while (left := replay_report.waiting(house.engine, sids)) and clock.monotonic() < ends:
            shown.update(max(0, most - left - shown.pos))
            Event().wait(_POLL_SECONDS)
        shown.update(max(0, most - left - shown.pos))


def as_facts(report: Report, added: int) -> dict[str, Any]:
    """Return the report for machines."""
    return {
        "posted": report.posted,
        "refused": report.refused,
        "stored": report.stored,
        "added": added,
        "answered": report.answered,
        "alerted": dict(report.alerted),
        "silent": dict(report.silent),
        "unsent": report.unsent,
        "lost": report.lost,
        "unexplained": report.unexplained,
        "seconds_to_alert": {"p50": report.percentile(0.5), "p99": report.percentile(0.99)},
    }


def as_lines(report: Report, added: int) -> list[str]:
    """Return the report for people."""
    alerted = ", ".join(f"{count} {tier}" for tier, count in sorted(report.alerted.items())) or "none"
    silent = ", ".join(f"{count} {why}" for why, count in sorted(report.silent.items())) or "none"
    p50, p99 = report.percentile(0.5), report.percentile(0.99)
    seconds = "no alerts" if p50 is None or p99 is None else f"p50 {p50:.3f} s, p99 {p99:.3f} s"
    lines = [
        f"posted       {report.posted} ({report.refused} refused)",
        f"stored       {report.stored}, {added} of them new",
        f"answered     {report.answered}",
        f"alerted      {sum(report.alerted.values())}: {alerted}",
        f"silent       {sum(report.silent.values())}: {silent}",
        f"unsent       {report.unsent}",
        f"lost         {report.lost}",
        f"unexplained  {len(report.unexplained)}",
        f"receipt to alert row  {seconds}",
    ]
    return lines + [f"  unexplained {sid}" for sid in report.unexplained]
