"""What every answer carries, and what no answer lets in."""

import re
from pathlib import Path

import pytest

import web
from followup.settings import Settings
from web import create_app, errors
from web.errors import status_of

PAGES = ["/sign-in", "/healthz", "/nowhere", "/help/keys"]


@pytest.mark.parametrize("address", PAGES)
def test_every_answer_forbids_what_it_does_not_need(visitor, address):
    headers = visitor.client.get(address).headers
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "base-uri 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    assert "Server" not in headers


def test_style_sheets_may_be_kept_by_the_browser(visitor):
    with visitor.client.get("/static/app.css") as answer:
        assert "max-age" in answer.headers["Cache-Control"]


def test_each_answer_has_its_own_nonce(visitor):
    found = {
        re.search(r"'nonce-([^']+)'", visitor.client.get("/sign-in").headers["Content-Security-Policy"])[1]
        for _ in range(3)
    }
    assert len(found) == 3


def test_no_page_of_ours_holds_a_style_or_a_script_of_its_own():
    for path in Path(web.__file__).parent.joinpath("templates").rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\sstyle=|\son[a-z]+=|<style|javascript:", text), path.name
        assert not re.search(r"<script(?![^>]*src=)", text), path.name


def test_the_cookie_is_for_this_site_and_not_for_scripts(visitor, clinic):
    cookie = visitor.sign_in(clinic.clinician_email).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie  # the test's public address is this machine


def test_anywhere_but_on_this_machine_the_cookie_travels_over_tls_only(house, clinic):
    from dataclasses import replace

    settings = house.settings.model_copy(update={"public_url": "https://followup.example.org"})
    assert isinstance(settings, Settings)
    app = create_app(replace(house, settings=settings))
    app.config["WTF_CSRF_ENABLED"] = False
    answer = app.test_client().post(
        "/sign-in",
        data={"email": clinic.clinician_email, "password": "a long walk beside quiet water"},
        base_url="https://followup.example.org",
    )
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-followup=")
    assert "Secure" in cookie
    assert "max-age" in answer.headers["Strict-Transport-Security"]


def test_a_request_that_is_too_large_is_not_read(visitor):
    answer = visitor.client.post("/sign-in", data={"email": "x" * 300_000})
    assert answer.status_code == 413
    assert "That is too much at once" in answer.get_data(as_text=True)


def test_the_frame_says_when_paging_is_late(nurse, clock):
    assert "Paging OK, 2 s ago" in nurse.text("/")
    clock.forward(minutes=4)
    page = nurse.text("/")
    assert "Paging late, 4 min ago" in page
    assert "Pages to staff may be late." in page


@pytest.mark.parametrize("address", ["/healthz", "/readyz"])
def test_the_probes_answer_without_a_sign_in(visitor, address):
    assert visitor.client.get(address).status_code == 200


def test_readiness_names_its_parts_and_no_secret(visitor, clinic, settings, clock):
    said = visitor.client.get("/readyz").get_json()
    assert said == {"status": "ready", "database": "ok", "migrations": "ok", "beat": "ok"}
    clock.forward(minutes=5)
    assert visitor.client.get("/readyz").get_json()["beat"] == "late"


def test_an_unmigrated_database_is_not_ready(house, empty_sqlite_url):
    from dataclasses import replace

    from followup.store.session import make_engine, session_factory

    engine = make_engine(empty_sqlite_url)
    settings = house.settings.model_copy(update={"database_url": empty_sqlite_url})
    app = create_app(replace(house, settings=settings, engine=engine, sessions=session_factory(engine)))
    answer = app.test_client().get("/readyz")
    engine.dispose()
    assert answer.status_code == 503
    assert answer.get_json()["status"] == "not ready"


def test_a_failure_of_ours_is_a_calm_page_without_its_words(app, visitor):
    def broken():
        raise RuntimeError("secret detail of a patient")

    broken.__public__ = "a door of this test"
    app.add_url_rule("/broken", view_func=broken)
    app.testing = False
    answer = visitor.client.get("/broken")
    assert answer.status_code == 500
    assert "Something on our side failed" in answer.get_data(as_text=True)
    assert "secret detail" not in answer.get_data(as_text=True)
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_every_error_of_the_house_has_a_status():
    from followup.core import errors as tree

    for name in dir(tree):
        kind = getattr(tree, name)
        if isinstance(kind, type) and issubclass(kind, tree.FollowupError):
            assert status_of(kind("x")) in errors.WORDS


def test_the_sentence_of_an_error_is_shown_only_where_it_is_meant_for_people(app):
    from followup.core.errors import Conflict, ContentError

    with app.test_request_context("/"):
        assert "Owen was faster" in errors._refused(Conflict("Owen was faster"))[0]
        assert "messages/en" not in errors._refused(ContentError("messages/en is broken"))[0]
