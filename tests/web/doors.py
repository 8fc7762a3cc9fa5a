"""Open the web's doors for tests: an application on a real database, a signed-in client, a link."""

import re
from datetime import datetime, timedelta
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from followup.core.clock import FrozenClock, SystemClock
from followup.core.ids import link_token, signed_digest
from followup.core.vocabulary import LinkPurpose
from followup.runtime import Runtime, build_runtime
from followup.settings import Carrier, Environment, Settings
from followup.store.models import AccessLink, Patient, StaffUser
from tests import factories
from web import create_app
from web.house import KEY

SECRET = "a secret of forty characters for the tests"
PUBLIC_URL = "http://127.0.0.1:8123"


def build(database_url: str, *, now: datetime = factories.NOW, public_url: str = PUBLIC_URL) -> Flask:
    """Build the application on a migrated database, at an instant that stands still."""
    settings = Settings(
        _env_file=None,
        environment=Environment.TEST,
        carrier=Carrier.SANDBOX,
        database_url=database_url,
        secret_key=SECRET,
        public_url=public_url,
        mail_from="care@example.org",
    )
    app = create_app(build_runtime(settings, clock=FrozenClock(now), senders={}))
    app.testing = True
    return app


def house_of(app: Flask) -> Runtime:
    """Return the Runtime of an application."""
    return app.extensions[KEY]


def close(app: Flask) -> None:
    """Give the database back."""
    house_of(app).engine.dispose()


def link(
    session: Session,
    patient: Patient,
    purpose: LinkPurpose,
    *,
    request_id: Any = None,
    expires_at: datetime | None = None,
) -> str:
    """Hand a patient a link; return its token."""
    token = link_token()
    session.add(
        AccessLink(
            created_at=factories.NOW,
            organization_id=patient.organization_id,
            token_digest=signed_digest(token, SECRET),
            purpose=purpose,
            patient_id=patient.id,
            request_id=request_id,
            expires_at=expires_at or factories.NOW + timedelta(days=1),
        )
    )
    session.flush()
    return token


def signed_in(app: Flask, member: StaffUser) -> FlaskClient:
    """Return a browser in which a member of staff has just signed in."""
    client = app.test_client()
    seconds = int(SystemClock().now().timestamp())
    with client.session_transaction(base_url=PUBLIC_URL) as session:
        session["_user_id"] = f"{member.organization_id}:{member.id}:{member.session_epoch}"
        session["_fresh"] = True
        session["seen_at"] = session["began_at"] = seconds
    return client


def csrf(client: FlaskClient, page: str) -> str:
    """Return the token that the forms of a page carry."""
    html = client.get(page, base_url=PUBLIC_URL).get_data(as_text=True)
    found = re.search(r'name="csrf_token" value="([^"]+)"', html)
    assert found, html[:400]
    return found[1]


def submit(client: FlaskClient, page: str, action: str, fields: dict[str, Any]) -> Any:
    """Press the button of a form that stands on `page`."""
    return client.post(action, data={**fields, "csrf_token": csrf(client, page)}, base_url=PUBLIC_URL)
