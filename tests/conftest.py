"""Give every test its real parts: databases, broker, mail server, Twilio's judge and a browser."""

import os
import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import hypothesis
import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from tests.support import offline, servers
from tests.support.requirements import part, required_parts

TEMPLATE = "followup_template"


def pytest_configure(config: pytest.Config) -> None:
    """Cut the network, and forget settings of the developer's shell."""
    required_parts()
    for name in list(os.environ):
        if name.startswith("FOLLOWUP_") and name != "FOLLOWUP_REQUIRE":
            del os.environ[name]
    offline.block_the_network()
    hypothesis.settings.register_profile("followup", deadline=None)  # a busy machine is no fault of the code
    hypothesis.settings.load_profile("followup")


# --- databases: a PostgreSQL cluster per test worker, a database per test, copied from a migrated one ---


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[servers.PostgresServer]:
    """Run one empty PostgreSQL cluster for this test worker."""
    with ExitStack() as stack:
        with part("postgres"):
            server = stack.enter_context(servers.postgres())
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres_server: servers.PostgresServer) -> Iterator[str]:
    """Migrate one database, to copy the others from; lends its name."""
    from followup.store import migrate

    with postgres_server.database(TEMPLATE) as url:
        migrate.upgrade(url)
        yield TEMPLATE


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrate one SQLite file, to copy the others from."""
    from followup.store import migrate

    path = tmp_path_factory.mktemp("template") / "followup.sqlite3"
    migrate.upgrade(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as connection:
        # What the write-ahead log still holds must be in the file that is copied.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def new_name() -> str:
    """Name a database that no other test has."""
    return f"test_{uuid.uuid4().hex[:12]}"


@pytest.fixture
def postgres_url(postgres_server: servers.PostgresServer, postgres_template: str) -> Iterator[str]:
    """Lend this test a migrated PostgreSQL database of its own."""
    with postgres_server.database(new_name(), template=postgres_template) as url:
        yield url


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """Lend this test a migrated SQLite file of its own."""
    return f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'followup.sqlite3')}"


@pytest.fixture
def empty_postgres_url(postgres_server: servers.PostgresServer) -> Iterator[str]:
    """Lend this test an empty PostgreSQL database, to migrate itself."""
    with postgres_server.database(new_name()) as url:
        yield url


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    """Lend this test the address of a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'empty.sqlite3'}"


@pytest.fixture(params=["sqlite", "postgres"])
def dialect(request: pytest.FixtureRequest) -> str:
    """Run the test twice, on SQLite and on PostgreSQL."""
    return str(request.param)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, dialect: str) -> str:
    """Run the test twice, on a migrated SQLite file and a migrated PostgreSQL database of its own."""
    return str(request.getfixturevalue(f"{dialect}_url"))


@pytest.fixture
def empty_database_url(request: pytest.FixtureRequest, dialect: str) -> str:
    """Run the test twice, on an empty SQLite file and an empty PostgreSQL database."""
    return str(request.getfixturevalue(f"empty_{dialect}_url"))


@pytest.fixture(scope="session")
def shared_postgres_engine(
    postgres_server: servers.PostgresServer, postgres_template: str
) -> Iterator[Engine]:
    """Connect to the one migrated database of this test worker in which nothing is ever committed."""
    from followup.store.session import make_engine

    with postgres_server.database("shared", template=postgres_template) as url:
        engine = make_engine(url)
        yield engine
        engine.dispose()


@pytest.fixture(scope="session")
def shared_sqlite_engine(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Connect to the one migrated SQLite file of this test worker in which nothing is ever committed."""
    from followup.store.session import make_engine

    path = shutil.copy(sqlite_template, tmp_path_factory.mktemp("shared") / "followup.sqlite3")
    engine = make_engine(f"sqlite:///{path}")
    yield engine
    engine.dispose()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Connect to this test's own database, as the service does."""
    from followup.store.session import make_engine

    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def sessions(engine: Engine) -> sessionmaker[Session]:
    """Hand out the session factory that services take when they own their transactions."""
    from followup.store.session import session_factory

    return session_factory(engine)


@pytest.fixture
def session(request: pytest.FixtureRequest, dialect: str) -> Iterator[Session]:
    """Open one session for the whole test and roll everything back, commits included: the fast way.

    A test that also takes `sessions`, `engine` or `database_url` gets a plain session on that database of its
    own, so that both see the same rows.
    """
    if "database_url" in request.fixturenames:
        with request.getfixturevalue("sessions")() as own:
            yield own
        return
    engine: Engine = request.getfixturevalue(f"shared_{dialect}_engine")
    with engine.connect() as connection, connection.begin() as outer:
        with Session(connection, join_transaction_mode="create_savepoint", expire_on_commit=False) as session:
            yield session
        outer.rollback()


# --- the other servers ---


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """Run one Redis or Valkey for this test worker."""
    with ExitStack() as stack:
        with part("redis"):
            url = stack.enter_context(servers.redis())
        yield url


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """Lend this test an empty Redis."""
    import redis

    with redis.Redis.from_url(redis_server) as client:
        client.flushall()
    return redis_server


@pytest.fixture(scope="session")
def prism(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.PrismServer]:
    """Run Prism over Twilio's own description of the Messages resource."""
    with ExitStack() as stack:
        with part("prism"):
            server = stack.enter_context(servers.prism())
        yield server


@pytest.fixture
def prism_url(prism: servers.PrismServer) -> str:
    """Lend the address that stands for Twilio's API in this test."""
    return prism.url


@pytest.fixture
def smtp_sink() -> Iterator[servers.SmtpSink]:
    """Run a real SMTP server for this test; `.host`, `.port`, `.wait_for(n)`, `.mails`, `.refuse_with`."""
    with servers.smtp() as sink:
        yield sink


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Find the browser of this machine."""
    with part("browser"):
        return servers.chromium()


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    """Run one headless browser for the tests of a file.

    Not for the whole session: Playwright keeps an event loop running in this thread, and others want theirs.
    """
    sandbox = [] if os.geteuid() else ["--no-sandbox"]  # Chromium refuses its sandbox to root
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=chromium_path, args=[*sandbox, "--disable-dev-shm-usage"]
        )
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Open one page with no memory of other tests (cookies, storage), 1280 px wide."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        yield context.new_page()


@pytest.fixture(scope="session")
def axe_source() -> str:
    """Read axe-core, to be run inside a page: `page.evaluate(axe_source)`, then `axe.run()`."""
    with part("browser"):
        path = servers.ROOT / "tests" / "node_modules" / "axe-core" / "axe.min.js"
        if not path.exists():
            raise servers.MissingPart("axe-core (`npm ci` in tests/)")
        return path.read_text()
