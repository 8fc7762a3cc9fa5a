"""The staff pages in a real browser: nothing that shuts people out, at both widths, in light and dark."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.serving import make_server

from followup.core.vocabulary import (
    CarePlanStatus,
    CommunicationStatus,
    ConsentStatus,
    Delivery,
    Question,
    RequestOrigin,
    RequestStatus,
    Tier,
)
from tests.web.scene import (
    NOW,
    PASSWORD,
    add_patient,
    add_taper,
    answer,
    page_link,
    plan_text,
    raise_alert,
    say,
)

pytestmark = pytest.mark.slow

WIDTHS = (360, 1280)
SCHEMES = ("light", "dark")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.fixture
def server(house) -> Iterator[str]:
    """Serve the application, CSRF and all, on a free port of this machine."""
    from web import create_app

    served = make_server("127.0.0.1", 0, create_app(house), threaded=True)
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{served.port}"
    served.shutdown()
    thread.join()
    served.server_close()


@pytest.fixture
def chromium(chromium_path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def story(clinic):
    """A clinic in the middle of a morning."""
    rosalind = add_patient(clinic)
    add_taper(clinic, rosalind, [5, 4, 3, 2, 1, 0], starts_on=NOW.date() - timedelta(days=2))
    for day, (pain, pills) in enumerate([(8, 6), (7, 6), (7, 5), (6, 6), (6, 5), (6, 6), (5, 5)], start=1):
        at = NOW - timedelta(days=9 - day)
        asked = say(
            clinic,
            rosalind,
            "How is your pain right now? Reply with a number from 0 to 10.",
            at=at,
            asks=Question.PAIN,
            delivery=Delivery.DELIVERED,
        )
        answer(clinic, rosalind, Question.PAIN, pain, at=at + timedelta(minutes=7), asked=asked)
        answer(clinic, rosalind, Question.PILLS, pills, at=at + timedelta(minutes=9), asked=asked)
        answer(clinic, rosalind, Question.WITHDRAWAL, day % 3, at=at + timedelta(minutes=11), asked=asked)
    hour = NOW - timedelta(hours=3)
    say(clinic, rosalind, "Keep your pills locked up.", at=hour, status=CommunicationStatus.UNKNOWN)
    say(
        clinic,
        rosalind,
        "Keep them in the bottle they came in.",
        at=hour + timedelta(minutes=5),
        delivery=Delivery.UNDELIVERED,
        error_code="30006",
    )
    say(
        clinic,
        rosalind,
        "Your clinic called. All is well.",
        at=hour + timedelta(minutes=9),
        origin=RequestOrigin.STAFF,
        delivery=Delivery.SENT,
    )
    plan_text(clinic, rosalind, NOW + timedelta(hours=5))
    plan_text(clinic, rosalind, NOW + timedelta(days=1), RequestStatus.ON_HOLD)
    plan_text(clinic, rosalind, NOW - timedelta(days=1), RequestStatus.EXPIRED)
    first = raise_alert(clinic, rosalind)
    halvard = add_patient(clinic, "Halvard", "Nyström", phone="+15095550164", day=5)
    raise_alert(
        clinic,
        halvard,
        "101.8 this morning and the cut is leaking yellow, also pain is a 6",
        tier=Tier.URGENT,
        flags=("infection",),
        evidence=[{"start": 0, "end": 5}, {"start": 34, "end": 48}],
        at=NOW - timedelta(minutes=26),
    )
    lucinda = add_patient(clinic, "Lucinda", "Marsh", phone="+15095550165", day=20)
    raise_alert(
        clinic,
        lucinda,
        "can you send a refill to the pharmacy on Pine",
        tier=Tier.ROUTINE,
        flags=("refill_request",),
        evidence=[{"start": 15, "end": 21}],
        at=NOW - timedelta(hours=2),
    )
    cosmo = add_patient(
        clinic,
        "Cosmo",
        "Delacroix",
        phone="+15095550166",
        day=1,
        status=CarePlanStatus.DRAFT,
        consent=ConsentStatus.PROPOSED,
    )
    return {"alert": first, "patient": rosalind, "draft": cosmo, "page": page_link(clinic, first)}


def faults(page: Page, axe_source: str) -> list[str]:
    page.evaluate(axe_source)
    found = page.evaluate("rules => axe.run({runOnly: rules})", RULES)
    assert found["passes"], "axe looked at nothing"
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


def overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_no_staff_page_shuts_anybody_out(
    server, chromium, axe_source, clinic, story, width, scheme, tmp_path
):
    context = chromium.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, base_url=server
    )
    page = context.new_page()
    broken: list[str] = []
    page.on("console", lambda message: broken.append(message.text) if message.type == "error" else None)
    seen: dict[str, list[str]] = {}

    def look(name: str, address: str | None) -> None:
        if address is not None:
            page.goto(address)
        page.screenshot(path=str(Path(tmp_path) / f"{name}-{width}-{scheme}.png"), full_page=True)
        seen[name] = faults(page, axe_source)
        if overflow(page) > 0:
            seen[name].append(f"wider than the screen by {overflow(page)} px")

    look("sign-in", "/sign-in")
    look("page-outside", story["page"])
    page.goto("/sign-in")
    page.fill("[name=email]", clinic.clinician_email)
    page.fill("[name=password]", PASSWORD)
    page.click("text=Sign in >> nth=-1")
    page.wait_for_url(f"{server}/")
    look("worklist", None)
    look("worklist-empty", "/?view=mine")
    look("page-inside", story["page"])
    look("alert", f"/alerts/{story['alert']}")
    look("patients", "/patients")
    look("patients-none", "/patients?q=zzz")
    look("patient", f"/patients/{story['patient']}")
    look("patient-draft", f"/patients/{story['draft']}")
    look("account", "/account")
    look("keys", "/help/keys")
    look("missing", "/patients/pat_nothing")
    page.goto(f"/alerts/{story['alert']}")
    page.click("text=I have this")
    look("alert-taken", None)
    page.click(".seg label:has-text('Called the patient')")
    page.fill("#n", "Spoke with the husband. 911 is there.")
    page.click("text=Close alert")
    look("alert-closed", None)
    context.close()
    assert {name: found for name, found in seen.items() if found} == {}
    # The page that does not exist is a 404, and the browser says so; nothing else may be refused or missing.
    assert [text for text in broken if "404" not in text] == []


def test_single_keys_lead_to_the_button_and_into_the_list(server, chromium, clinic, story):
    context = chromium.new_context(base_url=server)
    page = context.new_page()
    page.goto("/sign-in")
    page.fill("[name=email]", clinic.clinician_email)
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{server}/")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.className") == "row-name"
    page.keyboard.press("a")
    assert "I have this" in page.evaluate("document.activeElement.innerText")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=You have this. No one else will be paged.")
    context.close()


def test_the_staff_pages_work_without_javascript(server, chromium, clinic, story):
    context = chromium.new_context(base_url=server, java_script_enabled=False)
    page = context.new_page()
    page.goto("/sign-in")
    page.fill("[name=email]", clinic.clinician_email)
    page.fill("[name=password]", PASSWORD)
    page.click("text=Sign in >> nth=-1")
    page.click("text=Keys")
    assert page.url.endswith("/help/keys")
    page.goto(f"/patients/{story['patient']}")
    page.fill("#say", "Call us at noon.")
    page.click("text=Send text")
    assert "On its way." in page.inner_text("main") or "Planned for" in page.inner_text("main")
    context.close()
