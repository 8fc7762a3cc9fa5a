"""The taper desk: arithmetic in sight, no default yes, exactly the version seen, one clinic only."""

import html
import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import select

from followup.core.vocabulary import (
    AlertEventKind,
    AlertStatus,
    Channel,
    CommunicationStatus,
    Direction,
    Severity,
    StaffRole,
    TaperStatus,
)
from followup.services import taper
from followup.store.models import (
    AlertEvent,
    AuditEvent,
    CarePlan,
    Communication,
    CommunicationRequest,
    DetectedIssue,
    MedicationRequest,
    Organization,
    TaperPlan,
)
from tests import factories
from tests.web import doors

RULE = {"starts_on": "2026-06-05", "step_days": "2", "target_days": "", "unit": "1"}


@pytest.fixture
def app(sqlite_url: str) -> Iterator[Flask]:
    app = doors.build(sqlite_url)
    yield app
    doors.close(app)


class Desk:
    """A clinic with one patient on six pills a day for ten days, and its staff."""

    def __init__(self, app: Flask) -> None:
        self.app, self.house = app, doors.house_of(app)
        with self.house.session() as session:
            clinic = factories.organization(session)
            self.patient, self.plan, _ = factories.enrolled(session, clinic)
            self.rx = factories.add(session, prescription(self.patient))
            self.people = {
                role: factories.staff(session, clinic, role=role)
                for role in (StaffRole.COORDINATOR, StaffRole.CLINICIAN, StaffRole.PRESCRIBER)
            }
            self.stranger = factories.staff(
                session, factories.organization(session), role=StaffRole.PRESCRIBER
            )
        self.address = f"/plans/{self.plan.public_id}"

    def as_(self, role):
        return doors.signed_in(self.app, self.people[role])

    def press(self, role, act, **fields):
        return doors.submit(self.as_(role), self.address, f"{self.address}/{act}", fields)

    def versions(self):
        with self.house.session() as session:
            return list(session.scalars(select(TaperPlan).order_by(TaperPlan.version)))

    def approve(self, **over):
        digest = self.versions()[-1].digest
        return self.press(StaffRole.PRESCRIBER, "approve", **{"digest": digest, "read": "1", **over})


def prescription(patient, **over):
    values = {
        "created_at": factories.NOW,
        "organization_id": patient.organization_id,
        "patient_id": patient.id,
        "drug": "oxycodone",
        "strength_mg": Decimal(5),
        "max_units_per_day": Decimal(6),
        "dispensed_units": Decimal(40),
        "is_regular": True,
        "first_taken_on": date(2026, 5, 26),
        "mme_per_day": Decimal(45),
        "mme_table": "cdc2022",
        **over,
    }
    return MedicationRequest(**values)


@pytest.fixture
def desk(app):
    return Desk(app)


def said(answer):
    return html.unescape(re.sub(r"\s+", " ", answer.get_data(as_text=True)))


def test_a_draft_shows_its_levels_limits_and_warnings(desk):
    with desk.house.session() as session:
        session.get_one(MedicationRequest, desk.rx.id).dispensed_units = Decimal(28)
    assert desk.press(StaffRole.COORDINATOR, "draft", **RULE).status_code == 303
    page = said(desk.as_(StaffRole.PRESCRIBER).get(desk.address, base_url=doors.PUBLIC_URL))
    assert "6 to 0" in page
    assert 'aria-label="Most pills of each day: 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0"' in page
    assert re.search(r'Tablets for the whole plan</th><td class="num">30<', page)
    assert "37.5" in page, "MME of the first step"
    assert "Short by 2" in page
    assert "The patient is not told to ask for more." in page
    assert "Largest drop 1; limit is 2" in page
    supply = page[: page.index("28 dispensed; the plan uses at most 30: 2 too few")]
    assert supply.rindex('<li class="warn">') > supply.rindex("Largest drop"), "too few is no check mark"
    assert 'name="starts_on" type="date" value="2026-06-05"' in page, "ready to be worked out again"
    assert "not validated as software" in page
    sign = page[page.index('class="sign"') : page.index("</form>", page.index('class="sign"'))]
    assert "checked" not in sign, "no yes by default"


def test_a_prescriber_approves_exactly_the_version_that_was_read(desk):
    desk.press(StaffRole.CLINICIAN, "draft", **RULE)
    seen = desk.versions()[-1].digest
    desk.press(StaffRole.CLINICIAN, "draft", **{**RULE, "step_days": "3"})
    stale = desk.press(StaffRole.PRESCRIBER, "approve", digest=seen, read="1")
    assert stale.status_code == 409
    assert "has changed since you opened it" in said(stale)
    assert TaperStatus.APPROVED not in {one.status for one in desk.versions()}
    assert desk.approve().status_code == 303
    approved = desk.versions()[-1]
    assert (approved.status, approved.approved_by) == (
        TaperStatus.APPROVED,
        desk.people[StaffRole.PRESCRIBER].id,
    )
    with desk.house.session() as session:
        steps = session.scalars(
            select(CommunicationRequest).where(CommunicationRequest.taper_step_id.is_not(None))
        ).all()
    assert len(steps) == 6, "the patient has said yes: the step texts are planned now"


def test_an_unticked_box_approves_nothing(desk):
    desk.press(StaffRole.CLINICIAN, "draft", **RULE)
    answer = desk.press(StaffRole.PRESCRIBER, "approve", digest=desk.versions()[-1].digest)
    assert answer.status_code == 422
    assert "then tick this box" in said(answer)
    assert desk.versions()[-1].status is TaperStatus.DRAFT


def test_a_warning_has_a_box_of_its_own(desk):
    with desk.house.session() as session:
        session.get_one(MedicationRequest, desk.rx.id).dispensed_units = Decimal(28)
    desk.press(StaffRole.CLINICIAN, "draft", **RULE)
    assert desk.approve(has_warnings="1").status_code == 422
    assert desk.approve(has_warnings="1", warnings="1").status_code == 303


@pytest.mark.parametrize("role", [StaffRole.COORDINATOR, StaffRole.CLINICIAN])
def test_only_a_prescriber_approves(desk, role):
    desk.press(StaffRole.CLINICIAN, "draft", **RULE)
    page = said(desk.as_(role).get(desk.address, base_url=doors.PUBLIC_URL))
    assert "Approve version 1</button>" not in page
    answer = desk.press(role, "approve", digest=desk.versions()[-1].digest, read="1")
    assert answer.status_code == 403
    assert desk.versions()[-1].status is TaperStatus.DRAFT


@pytest.mark.parametrize(
    ("over", "advice"),
    [
        ({"target_days": "6"}, "at least 10 days"),
        ({"starts_on": "2026-06-02"}, "The first step can start on"),
        ({"starts_on": ""}, "Choose the first day"),
        ({"step_days": "0"}, "Must be from 1"),
        ({"unit": ""}, "Choose whole tablets"),
    ],
)
def test_a_plan_that_breaks_a_bound_is_refused_with_the_reason(desk, over, advice):
    answer = desk.press(StaffRole.CLINICIAN, "draft", **{**RULE, **over})
    assert answer.status_code == 422
    assert advice in said(answer)
    assert desk.versions() == []


def test_an_exclusion_leaves_the_rows_to_a_prescriber(desk):
    with desk.house.session() as session:
        factories.add(
            session,
            DetectedIssue(
                created_at=factories.NOW,
                organization_id=desk.patient.organization_id,
                patient_id=desk.patient.id,
                medication_request_id=desk.rx.id,
                code="pregnant",
                severity=Severity.HIGH,
                detail="Pregnant: get expert advice before any taper.",
            ),
        )
    refused = desk.press(StaffRole.CLINICIAN, "draft", **RULE)
    assert refused.status_code == 422
    assert "A prescriber writes each row" in said(refused)
    rows = {
        "starts_on": "2026-06-05",
        "unit": "1",
        "level_1": "5",
        "days_1": "3",
        "level_2": "4",
        "days_2": "3",
    }
    assert desk.press(StaffRole.CLINICIAN, "rows", **rows).status_code == 403
    assert desk.press(StaffRole.PRESCRIBER, "rows", **rows).status_code == 422, "4 to 0 is too large a drop"
    rows |= {"level_3": "2", "days_3": "3"}
    assert desk.press(StaffRole.PRESCRIBER, "rows", **rows).status_code == 303
    assert desk.versions()[-1].status is TaperStatus.DRAFT
    page = said(desk.as_(StaffRole.PRESCRIBER).get(desk.address, base_url=doors.PUBLIC_URL))
    assert "get expert advice" in page


def test_hold_and_resume_are_buttons_with_their_roles(desk):
    desk.press(StaffRole.CLINICIAN, "draft", **RULE)
    desk.approve()
    assert desk.press(StaffRole.COORDINATOR, "hold").status_code == 403
    assert desk.press(StaffRole.CLINICIAN, "hold").status_code == 303
    assert desk.versions()[-1].status is TaperStatus.ON_HOLD
    assert desk.press(StaffRole.CLINICIAN, "hold").status_code == 409
    assert desk.press(StaffRole.CLINICIAN, "resume").status_code == 403
    unread = desk.press(StaffRole.PRESCRIBER, "resume")
    assert unread.status_code == 422
    assert "then tick this box" in said(unread)
    assert desk.versions()[-1].status is TaperStatus.ON_HOLD
    assert desk.press(StaffRole.PRESCRIBER, "resume", why_read="1").status_code == 303
    assert desk.versions()[-1].status is TaperStatus.APPROVED


def test_a_held_plan_says_why_since_when_and_what_is_open(desk):
    desk.press(StaffRole.CLINICIAN, "draft", **RULE)
    desk.approve()
    with desk.house.session() as session:
        care_plan = session.get_one(CarePlan, desk.plan.id)
        held = {"knowledge": desk.house.knowledge, "now": factories.NOW}
        taper.hold(session, care_plan, reason="withdrawal", **held)
        theirs = factories.alert(session, desk.patient, code="7301")
        closed = factories.alert(session, desk.patient, code="7302", status=AlertStatus.RESOLVED)
        someone = factories.patient(session, session.get_one(Organization, desk.patient.organization_id))
        other = factories.alert(session, someone, code="7303")
        text = factories.add(session, heard(desk.patient, "shaking and sweating all night"))
        factories.add(session, raised(theirs, text))
    page = said(desk.as_(StaffRole.PRESCRIBER).get(desk.address, base_url=doors.PUBLIC_URL))
    panel = page[page.index("is on hold</h2>") :]
    assert "The patient answered that withdrawal was strong." in panel
    assert "Tue Jun 2, 9:00 am MDT" in panel or "Tue Jun 2, 11:00 am EDT" in panel
    assert f'href="/alerts/{theirs.public_id}">Alert 7301</a>' in panel
    assert "shaking and sweating all night" in panel
    assert closed.public_id not in panel
    assert other.public_id not in panel
    assert "The taper is on hold. A prescriber must look at it." in panel
    box = panel[panel.index('name="why_read"') :]
    assert "checked" not in box[: box.index(">")]


def heard(patient, body):
    return Communication(
        created_at=factories.NOW,
        organization_id=patient.organization_id,
        direction=Direction.IN,
        status=CommunicationStatus.COMPLETED,
        channel=Channel.SMS,
        patient_id=patient.id,
        provider="sandbox",
        provider_sid="SM7301",
        sender="+12025550123",
        body=body,
        received_at=factories.NOW,
    )


def raised(alert, text):
    return AlertEvent(
        created_at=factories.NOW,
        organization_id=alert.organization_id,
        alert_id=alert.id,
        kind=AlertEventKind.TRIGGERED,
        communication_id=text.id,
        detail={},
    )


@pytest.mark.parametrize(
    ("act", "fields", "field"),
    [
        ("draft", {**RULE, "step_days": "20"}, "step_days"),
        ("rows", {**RULE, "starts_on": ""}, "rows_starts_on"),
    ],
)
def test_a_refused_panel_has_the_focus_and_the_title_counts(desk, act, fields, field):
    page = said(desk.press(StaffRole.PRESCRIBER, act, **fields))
    body = page[: page.index("<dialog")]
    assert re.search(r"<title>\([12] to fix\) Plan, ", body)
    assert body.count(" autofocus") == 1
    assert re.search(rf'id="{field}"[^>]* autofocus', body)
    assert "prescription" not in body[body.index(f'id="{field}"') :][:600], "the advice is about this field"


def test_courses_are_named_in_words(desk):
    page = said(desk.as_(StaffRole.PRESCRIBER).get("/plans", base_url=doors.PUBLIC_URL))
    assert re.search(r'data-label="Course">(Short course|Long course|As needed)<', page)


def test_the_desk_lists_drafts_first(desk):
    desk.press(StaffRole.CLINICIAN, "draft", **RULE)
    page = said(desk.as_(StaffRole.PRESCRIBER).get("/plans", base_url=doors.PUBLIC_URL))
    assert "1 draft waits for a prescriber" in page
    assert "Ana Lopez" in page


def test_another_clinic_sees_nothing_and_changes_nothing(desk):
    desk.press(StaffRole.CLINICIAN, "draft", **RULE)
    stranger = doors.signed_in(desk.app, desk.stranger)
    assert stranger.get(desk.address, base_url=doors.PUBLIC_URL).status_code == 404
    assert "Ana Lopez" not in said(stranger.get("/plans", base_url=doors.PUBLIC_URL))
    token = doors.csrf(stranger, "/account")
    fields = {
        "draft": RULE,
        "approve": {"digest": desk.versions()[-1].digest, "read": "1"},
        "hold": {},
        "resume": {},
    }
    for act, typed in fields.items():
        answer = stranger.post(
            f"{desk.address}/{act}", data={**typed, "csrf_token": token}, base_url=doors.PUBLIC_URL
        )
        assert answer.status_code == 404
    assert [one.status for one in desk.versions()] == [TaperStatus.DRAFT]


def test_every_look_and_every_act_is_audited(desk):
    desk.press(StaffRole.CLINICIAN, "draft", **RULE)
    desk.approve()
    with desk.house.session() as session:
        actions = set(session.scalars(select(AuditEvent.action)))
    assert {"plans.view", "taper.draft", "taper.approve"} <= actions
