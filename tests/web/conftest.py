"""Lend the web tests a house on SQLite, two clinics, staff who can sign in, patients with a story."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient

from followup.core.clock import FrozenClock
from followup.runtime import Runtime, build_runtime
from followup.settings import Settings
from tests.web.scene import NOW, PASSWORD, Clinic, make_clinic


@pytest.fixture
def settings(sqlite_url: str) -> Settings:
    return Settings(
        environment="test",
        database_url=sqlite_url,
        redis_url="redis://127.0.0.1:1/0",  # nobody listens: bells are lost, counts are in memory
        secret_key="not-a-secret-but-long-enough-to-sign",
        public_url="http://127.0.0.1:8000",
        carrier="sandbox",
        _env_file=None,
    )


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def house(settings: Settings, clock: FrozenClock) -> Iterator[Runtime]:
    house = build_runtime(settings, clock=clock, senders={})
    yield house
    house.engine.dispose()


@pytest.fixture
def app(house: Runtime) -> Flask:
    from web import create_app

    app = create_app(house)
    app.testing = True
    app.config["WTF_CSRF_ENABLED"] = False
    return app


@pytest.fixture
def clinic(house: Runtime) -> Clinic:
    return make_clinic(house, "Front Range")


@pytest.fixture
def other_clinic(house: Runtime) -> Clinic:
    return make_clinic(house, "Lakeside")


@dataclass
class Browser:
    """A visitor with cookies."""

    client: FlaskClient

    def sign_in(self, email: str, password: str = PASSWORD):
        return self.client.post("/sign-in", data={"email": email, "password": password})

    def text(self, address: str, status: int = 200) -> str:
        answer = self.client.get(address)
        assert answer.status_code == status, answer.get_data(as_text=True)[:2000]
        return answer.get_data(as_text=True)

    def post(self, address: str, **data: str):
        return self.client.post(address, data=data)


@pytest.fixture
def browser(app: Flask) -> Callable[[], Browser]:
    return lambda: Browser(app.test_client())


@pytest.fixture
def visitor(browser: Callable[[], Browser]) -> Browser:
    return browser()


@pytest.fixture
def nurse(browser: Callable[[], Browser], clinic: Clinic) -> Browser:
    """A clinician of the first clinic, signed in."""
    one = browser()
    assert one.sign_in(clinic.clinician_email).status_code == 303
    return one


@pytest.fixture
def stranger(browser: Callable[[], Browser], other_clinic: Clinic) -> Browser:
    """A clinician of another clinic, signed in."""
    one = browser()
    assert one.sign_in(other_clinic.clinician_email).status_code == 303
    return one


@pytest.fixture
def at() -> Callable[..., datetime]:
    return lambda *parts: datetime(*parts, tzinfo=UTC)
