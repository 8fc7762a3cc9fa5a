"""Look at the pages with a real browser: no barrier, nothing cut off, nothing too small to press."""

import os
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from followup.core.vocabulary import Channel, Fact, Language, LinkPurpose, StaffRole, TaperStatus
from followup.store.models import TaperPlan, TaperStep
from tests import factories
from tests.web import doors
from tests.web.serving import served
from tests.web.test_enrol import GOOD
from tests.web.test_patient_pages import ALL_PURPOSES, CHECKIN
from tests.web.test_taper_pages import RULE, prescription

pytestmark = pytest.mark.slow

WIDTHS = {360: 780, 1280: 900}
SCHEMES = ("light", "dark")
SMALLEST = 52  # px: what a sore or shaking hand hits (the interface guide)


class Site:
    """A served clinic with a patient on an approved taper, and its prescriber."""

    def __init__(self, app: Any, address: str) -> None:
        self.app, self.address, self.house = app, address, doors.house_of(app)
        with self.house.session() as session:
            clinic = factories.organization(session)
            self.patient, self.plan, self.road = factories.enrolled(
                session, clinic, channel=Channel.EMAIL, address="ana@example.org"
            )
            factories.add(session, prescription(self.patient))
            self.plan.facts = int(Fact.CONSENTED | Fact.STILL_TAKING)
            self._taper(session)
            self.draft = factories.care_plan(session, factories.patient(session, clinic, given_name="Bo"))
            factories.add(
                session, prescription(factories.patient(session, clinic), patient_id=self.draft.patient_id)
            )
            self.prescriber = factories.staff(session, clinic, role=StaffRole.PRESCRIBER)

    def _taper(self, session: Any) -> None:
        owned = {"created_at": factories.NOW, "organization_id": self.plan.organization_id}
        plan = factories.add(
            session,
            TaperPlan(
                **owned,
                care_plan_id=self.plan.id,
                version=1,
                status=TaperStatus.APPROVED,
                starts_on=date(2026, 6, 1),
                start_units=Decimal(4),
                unit=Decimal(1),
                days_taken=10,
                warnings=[],
                digest="0" * 64,
                rule_text="",
            ),
        )
        for sequence, (day, days, most) in enumerate([(1, 2, 3), (3, 2, 2), (5, 2, 1), (7, 1, 0)], 1):
            starts_on = date(2026, 6, day)
            factories.add(
                session,
                TaperStep(
                    **owned,
                    taper_plan_id=plan.id,
                    sequence=sequence,
                    starts_on=starts_on,
                    days=days,
                    max_units=Decimal(most),
                ),
            )

    def link(self, purpose: LinkPurpose, **over: Any) -> str:
        """Hand the patient a link; return its address."""
        with self.house.session() as session:
            row = factories.request(
                session,
                self.plan,
                self.road.value,
                channel=Channel.EMAIL,
                message_key=CHECKIN[0],
                message_keys=CHECKIN,
            )
            token = doors.link(session, self.patient, purpose, request_id=row.id, **over)
        return f"{self.address}/{ALL_PURPOSES[purpose]}/{token}"

    def invite(self) -> str:
        """Hand an invited patient the link of the consent page."""
        with self.house.session() as session:
            clinic = session.get_one(factories.Organization, self.patient.organization_id)
            person = factories.patient(session, clinic, given_name="Cleo")
            factories.care_plan(session, person, status="draft", facts=int(Fact.CONSENT_PENDING))
            factories.consent(session, person, "cleo@example.org", channel=Channel.EMAIL, status="proposed")
            token = doors.link(session, person, LinkPurpose.CONSENT)
        return f"{self.address}/y/{token}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, sqlite_template) -> Iterator[Site]:
    path = tmp_path_factory.mktemp("site") / "followup.sqlite3"
    path.write_bytes(sqlite_template.read_bytes())
    with served(f"sqlite:///{path}") as (app, address):
        yield Site(app, address)


class Eyes:
    """One browser window of one width and color scheme; complaints are gathered while it looks."""

    def __init__(self, context: Any, axe: str) -> None:
        self.page, self.axe = context.new_page(), axe
        self.complaints: list[str] = []
        self.page.on(
            "console", lambda said: self.complaints.append(said.text) if said.type == "error" else None
        )
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def judge(self, smallest: int = 0) -> None:
        """Fail on a barrier, on what is wider than the window, on a target too small, on a complaint."""
        self.page.evaluate(self.axe)
        found = self.page.evaluate(
            "async () => (await axe.run()).violations.map(v => [v.id, v.nodes[0].html])"
        )
        assert found == []
        overflow = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert self.page.evaluate(overflow) <= 0, "the page is wider than the window"
        small = self.page.evaluate(_SMALL, smallest)
        assert small == []
        # A page that refuses on purpose is told to the console by the browser itself.
        assert [one for one in self.complaints if "the server responded with a status of" not in one] == []


_PRESSED = "main a.btn, main button, .pick, .check, .seg label, input[type=text]"
_SMALL = f"""smallest => [...document.querySelectorAll('{_PRESSED}')]
  .map(e => [e.innerText || e.name, e.getBoundingClientRect()])
  .filter(([, box]) => box.width > 0 && Math.round(box.height) < smallest)
  .map(([name, box]) => [name, box.height])"""


@pytest.fixture(scope="module")
def chromium(chromium_path: str) -> Iterator[Browser]:
    flags = [] if os.geteuid() else ["--no-sandbox"]  # Chromium refuses its sandbox to root
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=chromium_path, args=[*flags, "--disable-dev-shm-usage"]
        )
        yield running
        running.close()


@pytest.fixture(
    params=[(width, scheme) for width in WIDTHS for scheme in SCHEMES], ids=lambda one: f"{one[0]}-{one[1]}"
)
def eyes(chromium: Browser, axe_source: str, request: pytest.FixtureRequest) -> Iterator[Eyes]:
    width, scheme = request.param
    options = {"viewport": {"width": width, "height": WIDTHS[width]}, "color_scheme": scheme}
    with chromium.new_context(**options) as context:
        yield Eyes(context, axe_source)


@pytest.fixture
def staff(site: Site, eyes: Eyes) -> Eyes:
    """Sign the prescriber in."""
    client = doors.signed_in(site.app, site.prescriber)
    cookie = client.get_cookie("followup", domain="127.0.0.1")
    eyes.page.context.add_cookies([{"name": "followup", "value": cookie.value, "url": site.address}])
    return eyes


@pytest.mark.parametrize("language", list(Language))
def test_patients_pages_have_no_barrier_in_either_language(site, eyes, language):
    addresses = [site.link(purpose) for purpose in ALL_PURPOSES]
    addresses += [site.invite(), site.link(LinkPurpose.PREFERENCES) + "/stop", f"{site.address}/h/nothing"]
    addresses.append(site.link(LinkPurpose.HELP, expires_at=factories.NOW))
    for address in addresses:
        eyes.page.goto(f"{address}?lang={language.value}")
        assert eyes.page.locator("html").get_attribute("lang") == language.value
        eyes.judge(SMALLEST)


def test_a_check_in_is_answered_by_touch_without_a_script(site, eyes):
    eyes.page.goto(site.link(LinkPurpose.CHECKIN))
    eyes.page.get_by_role("radio", name="8", exact=True).check()
    eyes.page.get_by_label("how many of your pain pills").fill("many")
    eyes.page.get_by_role("button", name="Send my answers").click()
    assert eyes.page.get_by_text("Please type a number, like 2.").is_visible()
    assert eyes.page.locator("[name=ask_pain]:checked").get_attribute("value") == "8"
    eyes.judge(SMALLEST)
    eyes.page.get_by_label("how many of your pain pills").fill("2")
    eyes.page.get_by_label("anything else").fill("i want to die")
    eyes.page.get_by_role("button", name="Send my answers").click()
    alarm = eyes.page.get_by_role("alert")
    assert alarm.get_by_text("You matter, and help is here now").is_visible()
    assert alarm.get_by_role("link", name="Call 988").get_attribute("href") == "tel:988"
    eyes.judge(SMALLEST)


def test_the_language_is_one_touch_away(site, eyes):
    eyes.page.goto(site.link(LinkPurpose.PREFERENCES))
    eyes.page.get_by_role("link", name="En español").click()
    assert eyes.page.locator("html").get_attribute("lang") == "es"
    eyes.page.get_by_role("link", name="In English").click()
    assert eyes.page.locator("html").get_attribute("lang") == "en"


def test_enrolling_has_no_barrier_from_the_empty_form_to_the_preview(site, staff):
    page = staff.page
    page.goto(f"{site.address}/enrol")
    staff.judge()
    page.get_by_role("button", name="Preview every text").click()
    assert page.get_by_role("heading", name="answers need fixing").is_visible()
    staff.judge()
    for name in ("given_name", "family_name", "birth_on", "phone", "procedure", "discharge_on"):
        page.locator(f"#{name}").fill(GOOD[name])
    for name in ("max_units_per_day", "dispensed_units", "first_taken_on"):
        page.locator(f"#{name}").fill(GOOD[name])
    for name in ("time_zone", "drug", "form"):
        page.locator(f"#{name}").select_option(GOOD[name])
    for name in ("language", "is_regular", "course", "support"):
        page.locator(f"[name={name}][value={GOOD[name]}]").check()
    page.get_by_role("button", name="Preview every text").click()
    assert page.get_by_role("heading", name="Marisol Etxeberria would get up to").is_visible()
    assert page.locator(".bubble").count() > 40
    staff.judge()


def test_back_from_the_preview_brings_the_whole_form_back(site, staff):
    page = staff.page
    page.goto(f"{site.address}/enrol")
    page.get_by_role("button", name="Preview every text").click()
    assert page.evaluate("document.activeElement.id") == "given_name", "the first fault has the focus"
    for name in ("given_name", "family_name", "birth_on", "phone", "procedure", "discharge_on"):
        page.locator(f"#{name}").fill(GOOD[name])
    for name in ("max_units_per_day", "dispensed_units", "first_taken_on"):
        page.locator(f"#{name}").fill(GOOD[name])
    for name in ("time_zone", "drug", "form"):
        page.locator(f"#{name}").select_option(GOOD[name])
    for name in ("language", "is_regular", "course", "support"):
        page.locator(f"[name={name}][value={GOOD[name]}]").check()
    page.get_by_role("button", name="Preview every text").click()
    page.get_by_role("heading", name="Marisol Etxeberria would get up to").wait_for()
    page.go_back()
    assert page.locator("#family_name").input_value() == "Etxeberria"
    assert page.locator("#drug").input_value() == GOOD["drug"]
    assert page.locator("[name=support]:checked").get_attribute("value") == "yes"


def test_a_taper_is_drafted_and_read_without_a_barrier(site, staff):
    page = staff.page
    page.goto(f"{site.address}/plans")
    staff.judge()
    page.goto(f"{site.address}/plans/{site.draft.public_id}")
    page.locator("#starts_on").fill(RULE["starts_on"])
    page.locator("#step_days").fill(RULE["step_days"])
    page.get_by_text("Whole tablets only").first.click()
    page.get_by_role("button", name="Work out").click()
    box = page.get_by_label("I have read the steps and the limits")
    assert not box.is_checked()
    staff.judge()
    page.get_by_role("button", name="Approve version").click()
    assert page.get_by_text("then tick this box").first.is_visible()
    staff.judge()
