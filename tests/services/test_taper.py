"""A prescriber decides exactly one version; danger holds it; nothing is ever texted from a draft."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from followup.core.errors import Conflict, Forbidden, TaperRefused
from followup.core.vocabulary import (
    AlertKind,
    AlertStatus,
    Channel,
    Course,
    Fact,
    MedicationStatus,
    RequestOrigin,
    RequestStatus,
    StaffRole,
    TaperStatus,
    Tier,
)
from followup.services import consent as consents
from followup.services import planning, taper, taper_drafts
from followup.store.models import AuditEvent, CarePlan, CommunicationRequest, MedicationRequest
from tests import factories as make
from tests.factories import NOW, ZONE
from tests.services import people
from tests.services.people import TODAY

KNOWLEDGE = people.knowledge()
STEP_1, STEP_2, STEP_3, STEP_4 = (TODAY + timedelta(days=days) for days in (5, 7, 9, 11))


@pytest.fixture
def clinic(session):
    return make.organization(session)


@pytest.fixture
def doctor(session, clinic):
    return people.prescriber(session, clinic)


@pytest.fixture
def plan(session, clinic):
    """Return the plan of a patient who said yes; the taper is a draft."""
    plan = people.enrol(session, clinic)
    people.yes(session, plan)
    return plan


@pytest.fixture
def running(session, plan, doctor):
    """Return a plan whose taper is approved: 3, 2, 1, 0 pills from days 5, 7, 9 and 11."""
    people.approve(session, plan, doctor)
    return plan


def approve(session, version, by, now=NOW, digest=None):
    taper.approve(session, version, by=by, seen_digest=digest or version.digest, knowledge=KNOWLEDGE, now=now)


def hold(session, plan, now=NOW, **over):
    return taper.hold(session, plan, **{"reason": "trouble", "knowledge": KNOWLEDGE, "now": now, **over})


def resume(session, plan, by, now):
    return taper.resume(session, plan, by=by, knowledge=KNOWLEDGE, now=now)


def written(session, plan, rows, by, starts_on=STEP_1, now=NOW, **over):
    """Write a version by hand: rows of (pills, days)."""
    return taper_drafts.draft(
        session, plan.organization_id, plan, starts_on=starts_on, by=by.id,
        rows=[(Decimal(str(level)), days) for level, days in rows], knowledge=KNOWLEDGE, now=now, **over,
    )  # fmt: skip


def step_rows(session, plan, *statuses):
    return [row for row in people.rows(session, plan, *statuses) if row.taper_step_id]


def notices(session, plan, *statuses):
    return [row for row in people.rows(session, plan, *statuses) if row.action_id in planning.PAUSE_NOTICES]


def audited(session, action):
    return session.scalars(select(AuditEvent).where(AuditEvent.action == action)).all()


def at(on: date, hour: int) -> datetime:
    """Return an hour of the patient's own day."""
    return datetime(on.year, on.month, on.day, hour, tzinfo=ZoneInfo(ZONE)).astimezone(NOW.tzinfo)


# --- drafts ---


def test_nothing_is_planned_from_a_draft(session, plan):
    draft = people.draft_of(session, plan)
    assert draft.status is TaperStatus.DRAFT
    planning.apply(session, plan, knowledge=KNOWLEDGE, now=NOW)
    assert step_rows(session, plan) == []
    assert not plan.has(Fact.TAPER_ACTIVE)


def test_every_edit_is_a_new_version_and_the_old_draft_is_superseded(session, plan, doctor):
    first = people.draft_of(session, plan)
    second = written(session, plan, [(3, 4), (2, 4), (1, 4)], doctor)
    assert (first.status, second.status, second.version) == (TaperStatus.SUPERSEDED, TaperStatus.DRAFT, 2)
    assert second.digest != first.digest
    assert second.drafted_by == doctor.id
    assert [level for *_, level in people.levels(session, second)] == [3, 2, 1, 0]
    assert len(audited(session, "taper.draft")) == 2


def test_the_digest_is_that_of_the_dated_levels(session, plan, doctor):
    one, same, moved = (
        written(session, plan, [(3, 2), (2, 2), (1, 2)], doctor, starts_on=day)
        for day in (STEP_1, STEP_1, STEP_2)
    )
    assert one.digest == same.digest != moved.digest


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([(5, 2), (4, 2)], "goes up"),
        ([(1, 2)], "drops by 3"),
        ([(3, 2), (3.5, 2)], "goes up|steps of 1"),
        ([(3, 50)], "1 to 42 days"),
        ([], "at least one"),
        ([(3, 30), (2, 20)], "most is 42"),
    ],
)
def test_a_version_that_breaks_a_bound_is_refused_with_the_reason(session, plan, doctor, rows, why):
    with pytest.raises(TaperRefused, match=why):
        written(session, plan, rows, doctor)


def test_halves_need_the_clinicians_tick(session, plan, doctor):
    with pytest.raises(TaperRefused, match="steps of 1"):
        written(session, plan, [(3.5, 2), (3, 2), (2, 2), (1, 2)], doctor)
    assert written(session, plan, [(3.5, 2), (3, 2), (2, 2), (1, 2)], doctor, unit=Decimal("0.5"))


def test_a_first_step_needs_an_evening_before_it(session, plan, doctor):
    with pytest.raises(TaperRefused, match="Jun 3"):
        written(session, plan, [(3, 2), (2, 2), (1, 2)], doctor, starts_on=TODAY)
    assert written(session, plan, [(3, 2), (2, 2), (1, 2)], doctor, starts_on=TODAY + timedelta(days=1))
    with pytest.raises(TaperRefused, match="Jun 4"):
        written(
            session,
            plan,
            [(3, 2), (2, 2), (1, 2)],
            doctor,
            starts_on=TODAY + timedelta(days=1),
            now=at(TODAY, 17),
        )


def test_a_target_that_is_too_fast_is_refused_with_the_shortest(session, plan, doctor):
    with pytest.raises(TaperRefused, match="at least 6 days") as refused:
        taper_drafts.draft(
            session, plan.organization_id, plan, starts_on=STEP_1, target_days=3, by=doctor.id,
            knowledge=KNOWLEDGE, now=NOW,
        )  # fmt: skip
    assert refused.value.field == "target_days"


def test_a_short_supply_is_a_warning_on_the_version(session, clinic):
    plan = people.enrol(session, clinic, people.form(rx={"dispensed_units": Decimal(5)}))
    assert people.draft_of(session, plan).warnings == ["short by 7"]


def test_a_patient_without_a_prescription_has_nothing_to_step_down_from(session, plan, doctor):
    rx = session.scalars(select(MedicationRequest)).one()
    rx.status = MedicationStatus.STOPPED
    session.flush()
    with pytest.raises(TaperRefused, match="no active prescription"):
        written(session, plan, [(3, 2), (2, 2), (1, 2)], doctor)
    with pytest.raises(TaperRefused, match="no active prescription"):
        approve(session, people.draft_of(session, plan), doctor)


def test_an_as_needed_course_has_no_version(session, clinic, doctor):
    plan = people.enrol(session, clinic, people.form(course=Course.PRN))
    with pytest.raises(TaperRefused, match="as needed"):
        written(session, plan, [(3, 2), (2, 2), (1, 2)], doctor)


# --- approval ---


def test_an_approval_names_who_when_and_which_version(session, running, doctor):
    version = people.draft_of(session, running)
    assert (version.status, version.approved_by, version.approved_at) == (
        TaperStatus.APPROVED,
        doctor.id,
        NOW,
    )
    assert running.has(Fact.TAPER_ACTIVE)
    (line,) = audited(session, "taper.approve")
    assert (line.staff_id, line.entity) == (doctor.id, running.public_id)
    assert line.detail == {"version": 1, "digest": version.digest}


def test_an_approval_plans_a_text_on_the_evening_before_each_step(session, running):
    rows = step_rows(session, running)
    assert [row.due_at for row in rows] == [
        at(step - timedelta(days=1), 17) for step in (STEP_1, STEP_2, STEP_3, STEP_4)
    ]
    assert [row.fields["n"] for row in rows] == ["3", "2", "1", "0"]


@pytest.mark.parametrize("role", [role for role in StaffRole if role is not StaffRole.PRESCRIBER])
def test_only_a_prescriber_approves(session, clinic, plan, role):
    with pytest.raises(Forbidden):
        approve(session, people.draft_of(session, plan), make.staff(session, clinic, role=role))
    assert step_rows(session, plan) == []


def test_a_prescriber_of_another_clinic_does_not(session, plan):
    stranger = people.prescriber(session, make.organization(session))
    with pytest.raises(Forbidden):
        approve(session, people.draft_of(session, plan), stranger)


def test_what_was_seen_must_be_what_is_approved(session, plan, doctor):
    with pytest.raises(Conflict, match="has changed"):
        approve(session, people.draft_of(session, plan), doctor, digest="0" * 64)
    assert people.draft_of(session, plan).status is TaperStatus.DRAFT


def test_a_version_is_approved_once_and_a_superseded_one_never(session, plan, doctor):
    first = people.draft_of(session, plan)
    second = written(session, plan, [(3, 4), (2, 4), (1, 4)], doctor)
    with pytest.raises(Conflict):
        approve(session, first, doctor)
    approve(session, second, doctor)
    with pytest.raises(Conflict):
        approve(session, second, doctor)


def test_an_approval_that_comes_too_late_for_its_first_step_is_refused(session, plan, doctor):
    with pytest.raises(TaperRefused, match="Jun 8"):
        approve(session, people.draft_of(session, plan), doctor, now=at(STEP_1 - timedelta(days=1), 17))


def test_the_bounds_are_checked_again_when_it_is_approved(session, plan, doctor):
    rx = session.scalars(select(MedicationRequest)).one()
    rx.max_units_per_day = Decimal(3)  # corrected since the draft was made
    session.flush()
    with pytest.raises(TaperRefused, match="above the prescribed"):
        approve(session, people.draft_of(session, plan), doctor)


def test_a_new_version_supersedes_the_running_one(session, running, doctor):
    first = people.draft_of(session, running)
    approve(session, written(session, running, [(3, 4), (2, 4), (1, 4)], doctor), doctor)
    assert first.status is TaperStatus.SUPERSEDED
    assert [row.occurrence for row in step_rows(session, running)] == ["v2.1", "v2.2", "v2.3", "v2.4"]
    assert {row.occurrence for row in step_rows(session, running, RequestStatus.REVOKED)} == {
        "v1.1", "v1.2", "v1.3", "v1.4",
    }  # fmt: skip


# --- hold ---


def test_a_hold_takes_the_steps_back_and_asks_a_clinician(session, running):
    assert hold(session, running)
    version = people.draft_of(session, running)
    assert (version.status, version.held_at, version.hold_reason) == (TaperStatus.ON_HOLD, NOW, "trouble")
    assert not running.has(Fact.TAPER_ACTIVE)
    assert step_rows(session, running) == []
    assert len(step_rows(session, running, RequestStatus.REVOKED)) == 4
    assert people.tasks(session, running) == ["taper_held"]
    assert audited(session, "taper.hold")[0].detail["reason"] == "trouble"


def test_check_ins_and_education_go_on_through_a_hold(session, running):
    before = [row for row in people.what(people.rows(session, running)) if row[1] != "step_text"]
    hold(session, running)
    kept = [row for row in people.what(people.rows(session, running)) if row[1] != "auto_pause"]
    assert kept == before


def test_a_hold_by_the_patients_words_is_answered_once(session, running):
    hold(session, running, communication=people.heard(session, running, "8"))
    assert "auto_pause" in people.told(session, running)
    assert notices(session, running) == []


@pytest.mark.parametrize(("by_staff", "key"), [(False, "auto_pause"), (True, "taper_held")])
def test_without_words_the_notice_goes_in_the_next_open_hours(session, running, doctor, by_staff, key):
    night = at(TODAY, 22)
    hold(session, running, night, by=doctor.id if by_staff else None)
    (notice,) = notices(session, running)
    assert (notice.message_key, notice.due_at) == (key, at(TODAY + timedelta(days=1), 9))
    assert notice.requires == int(Fact.CONSENTED)


def test_the_notice_outlives_a_plan_made_anew_while_the_hold_lasts(session, running):
    hold(session, running, at(TODAY, 22))
    planning.apply(session, running, knowledge=KNOWLEDGE, now=at(TODAY, 23))
    assert len(notices(session, running)) == 1


def test_a_patient_who_has_not_said_yes_is_told_nothing(session, clinic, doctor):
    plan = people.enrol(session, clinic)
    people.approve(session, plan, doctor)
    assert hold(session, plan)
    assert notices(session, plan) == []
    assert people.told(session, plan) == []


def test_there_is_nothing_to_hold_in_a_draft_or_twice(session, plan, doctor):
    assert not hold(session, plan)
    people.approve(session, plan, doctor)
    assert hold(session, plan)
    assert not hold(session, plan)
    assert people.tasks(session, plan) == ["taper_held"]


# --- resume ---


def test_the_same_version_runs_on_when_no_step_was_missed(session, running, doctor):
    before = people.what(step_rows(session, running))
    hold(session, running)
    again = resume(session, running, doctor, NOW + timedelta(days=1))
    assert (again.version, again.status, again.held_at) == (1, TaperStatus.APPROVED, None)
    assert people.what(step_rows(session, running)) == before
    assert running.has(Fact.TAPER_ACTIVE)
    assert len(audited(session, "taper.resume")) == 1


def test_the_notice_of_a_hold_that_is_over_does_not_go(session, running, doctor):
    hold(session, running, at(TODAY, 22))
    resume(session, running, doctor, at(TODAY, 23))
    assert notices(session, running) == []


def held_at_level(session, running, level, hour=12):
    """Hold the taper in the middle of a level; return the day."""
    taken = {3: STEP_1, 2: STEP_2, 1: STEP_3}[level]
    now = at(taken, hour)
    people.went(session, running, until=now)
    hold(session, running, now)
    return taken


@pytest.mark.parametrize(
    ("level", "left"),
    [(3, [(2, 2), (2, 1), (1, 0)]), (2, [(2, 1), (1, 0)]), (1, [(1, 0)])],
)
def test_after_a_missed_step_a_draft_keeps_every_level_that_is_left_and_its_length(
    session, running, doctor, level, left
):
    held_on = held_at_level(session, running, level)
    back = at(held_on + timedelta(days=4), 10)
    draft = resume(session, running, doctor, back)
    assert (draft.status, draft.version) == (TaperStatus.DRAFT, 2)
    assert [(days, pills) for _, days, pills in people.levels(session, draft)] == left
    assert people.levels(session, draft)[0][0] == held_on + timedelta(days=5)
    assert draft.start_units == level
    assert step_rows(session, running) == [], "a draft is texted to nobody"
    approve(session, draft, doctor, back)
    assert [row.fields["n"] for row in step_rows(session, running)] == [str(pills) for _, pills in left]


def test_what_is_left_of_a_larger_taper_keeps_its_own_largest_drop(session, clinic, doctor):
    start = TODAY - timedelta(days=14)
    plan = people.enrol(
        session, clinic, people.form(rx={"max_units_per_day": Decimal(8), "first_taken_on": start})
    )
    people.yes(session, plan)
    approve(session, written(session, plan, [(7, 2), (5, 2), (4, 2), (2, 2), (1, 2)], doctor), doctor)
    held = at(STEP_1 + timedelta(days=5), 12)  # at 4 pills; 2 come next: half of 4, a quarter of 8
    hold(session, plan, held)
    draft = resume(session, plan, doctor, held + timedelta(days=3))
    approve(session, draft, doctor, held + timedelta(days=3))
    assert [level for *_, level in people.levels(session, draft)] == [2, 1, 0]


def test_a_taper_held_on_its_last_level_runs_on_to_its_end(session, running, doctor):
    now = at(STEP_4, 12)
    people.went(session, running, until=now)
    hold(session, running, now)
    assert resume(session, running, doctor, now + timedelta(days=1)).status is TaperStatus.APPROVED


def test_a_taper_can_be_held_and_resumed_again_and_again(session, running, doctor):
    held_on = held_at_level(session, running, 3)
    back = at(held_on + timedelta(days=4), 10)
    approve(session, resume(session, running, doctor, back), doctor, back)
    assert hold(session, running, back + timedelta(hours=1))
    again = resume(session, running, doctor, back + timedelta(hours=2))
    assert (again.version, again.status) == (2, TaperStatus.APPROVED)
    assert [row.fields["n"] for row in step_rows(session, running)] == ["2", "1", "0"]


def test_only_a_prescriber_of_the_clinic_resumes(session, clinic, running):
    hold(session, running)
    for someone in (
        make.staff(session, clinic),
        people.prescriber(session, make.organization(session)),
    ):
        with pytest.raises(Forbidden):
            resume(session, running, someone, NOW)


def test_there_is_nothing_to_resume_where_nothing_is_held(session, running, doctor):
    with pytest.raises(Conflict, match="No taper plan is on hold"):
        resume(session, running, doctor, NOW)


def test_a_resumed_taper_of_a_patient_who_stopped_texts_waits_for_them(session, running, doctor):
    address = people.invitation(session, running).address
    person = people.patient_of(session, running)
    hold(session, running)
    consents.opt_out(
        session, running.organization_id, channel=Channel.SMS, address=address, patients=[person],
        communication_id=None, knowledge=KNOWLEDGE, now=NOW,
    )  # fmt: skip
    resume(session, running, doctor, NOW)
    assert step_rows(session, running) == []
    consents.opt_in(
        session, running.organization_id, address=address, patients=[person], communication_id=None,
        knowledge=KNOWLEDGE, now=NOW,
    )  # fmt: skip
    assert len(step_rows(session, running)) == 4


# --- the auto-hold ---


@pytest.fixture
def committed(sessions):
    """Commit a running taper; return its plan's id."""
    with sessions.begin() as session:
        clinic = make.organization(session)
        plan = people.enrol(session, clinic)
        people.yes(session, plan)
        people.approve(session, plan, people.prescriber(session, clinic))
        return plan.id


def enforce(sessions, now):
    return taper.enforce_holds(sessions, knowledge=KNOWLEDGE, now=now)


EVENING = at(STEP_1 - timedelta(days=1), 17)


def alarm(sessions, plan_id, **over):
    with sessions.begin() as session:
        make.alert(session, people.patient_of(session, session.get_one(CarePlan, plan_id)), **over)


@pytest.mark.parametrize("tier", [Tier.URGENT, Tier.EMERGENCY])
def test_an_open_alert_holds_the_taper_when_its_next_step_is_due(sessions, committed, tier):
    alarm(sessions, committed, tier=tier)
    assert enforce(sessions, EVENING - timedelta(minutes=1)) == 0
    assert enforce(sessions, EVENING) == 1
    assert enforce(sessions, EVENING + timedelta(minutes=1)) == 0
    with sessions() as session:
        plan = session.get_one(CarePlan, committed)
        assert people.draft_of(session, plan).hold_reason == "open_alert"
        assert "taper_held" in people.tasks(session, plan)
        assert [row.message_key for row in notices(session, plan)] == ["auto_pause"]


@pytest.mark.parametrize(
    "over",
    [
        {"tier": Tier.ROUTINE, "kind": AlertKind.STAFF_TASK, "task": "call"},
        {"status": AlertStatus.RESOLVED},
    ],
)
def test_routine_work_and_closed_alerts_hold_nothing(sessions, committed, over):
    alarm(sessions, committed, **over)
    assert enforce(sessions, EVENING) == 0


def test_the_alert_of_another_patient_holds_nothing(sessions, committed):
    with sessions.begin() as session:
        make.alert(session, make.patient(session, make.organization(session)))
    assert enforce(sessions, EVENING) == 0


# --- the level of a day ---


@pytest.mark.parametrize(
    ("on", "most"),
    [
        (STEP_1 - timedelta(days=1), None),
        (STEP_1, 3),
        (STEP_2 - timedelta(days=1), 3),
        (STEP_2, 2),
        (STEP_4, 0),
        (STEP_4 + timedelta(days=30), 0),
    ],
)
def test_the_level_of_a_day(session, running, on, most):
    assert taper.level_on(session, people.draft_of(session, running), on) == most


def test_no_row_but_the_plans_own_speaks_of_a_step(session, running):
    found = session.scalars(
        select(CommunicationRequest).where(CommunicationRequest.taper_step_id.is_not(None))
    ).all()
    assert {row.origin for row in found} == {RequestOrigin.PLANNED}
    assert {row.care_plan_id for row in found} == {running.id}


def test_a_plan_that_outlasts_the_course_is_refused(session, clinic, doctor):
    plan = people.enrol(session, clinic, people.form(course=Course.LONG))
    rows = [(Decimal(level), 9) for level in (4, 3, 2, 1)]
    with pytest.raises(TaperRefused, match="must start by"):
        written(session, plan, rows, doctor, starts_on=plan.discharge_on + timedelta(days=8))


@pytest.mark.parametrize("most", [2, 4, 6, 8, 10])
def test_the_drafted_long_course_always_ends_within_the_six_weeks(session, clinic, most):
    plan = people.enrol(
        session, clinic, people.form(course=Course.LONG, rx={"max_units_per_day": Decimal(most)})
    )
    last = people.levels(session, people.draft_of(session, plan))[-1]
    assert last[2] == 0
    assert last[0] <= plan.ends_on - timedelta(days=3)
