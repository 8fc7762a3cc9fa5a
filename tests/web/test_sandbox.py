"""The phones of the demo: read what came, answer by the real road, move the clock through all that is due."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from followup.core.clock import SystemClock
from followup.core.vocabulary import WATCHED_QUEUES, Channel, Direction, Question, RequestStatus, Tier
from followup.runtime import Runtime, build_runtime
from followup.services import heartbeat
from followup.settings import Settings
from followup.store.models import Alert, Communication, CommunicationRequest, Patient, StaffUser
from tests import factories
from tests.support.processes import free_port
from tests.web.live import serving

REAL_NOW = SystemClock().now


class Scene:
    """A demo with one clinic, one clinician who is paged, and patients that tests add."""

    def __init__(self, house: Runtime) -> None:
        self.house = house
        with house.session() as session:
            clinic = factories.organization(session, sender="+12025550111", time_zone="America/Denver")
            nurse = factories.staff(session, clinic, phone="+12025550113", created_at=self.now)
            self.clinic_id, self.nurse = clinic.id, nurse.public_id

    @property
    def now(self):
        return self.house.clock.now()

    def patient(self, *, address: str = "+12025550121", channel: Channel = Channel.SMS, **over) -> str:
        with self.house.session() as session:
            clinic = session.get_one(factories.Organization, self.clinic_id)
            person, plan, _ = factories.enrolled(session, clinic, channel=channel, address=address, **over)
            plan.discharge_on = (self.now - timedelta(days=3)).date()
            return person.public_id

    def plan(self, public_id: str, *, after: timedelta, address: str = "+12025550121", **over) -> None:
        """Plan one check-in that is due after a while from now."""
        with self.house.session() as session:
            person = session.scalars(select(Patient).where(Patient.public_id == public_id)).one()
            plan = session.scalars(
                select(factories.CarePlan).where(factories.CarePlan.patient_id == person.id)
            ).one()
            due = self.now + after
            values = {"created_at": self.now, "due_at": due, "expires_at": due + timedelta(hours=4)}
            factories.request(session, plan, address, **{**values, "asks": Question.PAIN, **over})

    def rows(self, model, *where):
        with self.house.session() as session:
            return session.scalars(select(model).where(*where).order_by(model.id)).all()


@pytest.fixture
def settings(sqlite_url: str) -> Settings:
    return Settings(
        _env_file=None,
        environment="demo",
        carrier="sandbox",
        database_url=sqlite_url,
        redis_url="redis://127.0.0.1:1/0",  # nobody listens: the rounds of a skip do the work
        secret_key="not-a-secret-but-long-enough-to-sign",
        public_url=f"http://127.0.0.1:{free_port()}",
        mail_from="care@example.org",
        in_flight=4,
    )


@pytest.fixture
def house(settings: Settings) -> Iterator[Runtime]:
    house = build_runtime(settings)
    yield house
    house.engine.dispose()


@pytest.fixture
def scene(house: Runtime) -> Scene:
    return Scene(house)


@pytest.fixture
def served(house: Runtime) -> Iterator[None]:
    """Answer on the public address, for what the phones post."""
    with serving(house, int(house.settings.public_url.rpartition(":")[2])):
        yield


class Hand:
    """Somebody who holds the phones, CSRF and all."""

    def __init__(self, client) -> None:
        self.client = client

    def look(self, address: str, status: int = 200) -> str:
        answer = self.client.get(address)
        assert answer.status_code == status, answer.get_data(as_text=True)[:1500]
        return answer.get_data(as_text=True)

    def press(self, public_id: str, button: str, **fields: str) -> str:
        page = self.look(f"/sandbox/{public_id}")
        token = re.search(r'name="csrf_token" value="([^"]+)"', page)
        assert token
        answer = self.client.post(
            f"/sandbox/{public_id}/{button}", data={**fields, "csrf_token": token[1]}, follow_redirects=True
        )
        assert answer.status_code == 200, answer.get_data(as_text=True)[:1500]
        return answer.get_data(as_text=True)


@pytest.fixture
def hand(house: Runtime) -> Hand:
    from web import create_app

    return Hand(create_app(house).test_client())


def test_only_the_demo_has_the_sandbox(settings, sqlite_url):
    from web import create_app

    tested = build_runtime(settings.model_copy(update={"environment": "test"}), senders={})
    client = create_app(tested).test_client()
    assert client.get("/sandbox").status_code == 404
    assert client.post("/sandbox/pat_x/skip", data={"to": "next"}).status_code in (400, 404)
    tested.engine.dispose()


def test_every_patient_and_every_member_of_staff_has_a_phone(scene, hand):
    ana = scene.patient(given_name="Ana", family_name="Lopez", time_zone="America/Los_Angeles")
    grace = scene.patient(
        given_name="Grace", family_name="Lin", channel=Channel.EMAIL, address="grace@mail.example"
    )

    page = hand.look("/sandbox")

    for public_id in (ana, grace, scene.nurse):
        assert f"/sandbox/{public_id}#latest" in page
    assert "3 phones on this machine" in page
    assert "grace@mail.example" in page
    assert re.search(r"\d+:\d\d [ap]m P[SD]T", page)  # Ana's own time
    assert re.search(r"Time here is .*M[SD]T", page)


def test_the_phone_with_the_newest_text_comes_first(scene, hand, house):
    quiet = scene.patient(given_name="Quiet")
    busy = scene.patient(given_name="Busy", address="+12025550122")
    scene.plan(busy, after=timedelta(minutes=1), address="+12025550122", is_safety=True)
    hand.press(busy, "skip", to="next")

    page = hand.look("/sandbox")

    assert page.index(busy) < page.index(quiet)
    assert "<b>1</b> not answered" in page


def test_a_skip_goes_to_the_next_text_and_says_how_far(scene, hand):
    ana = scene.patient()
    scene.plan(ana, after=timedelta(hours=30))
    before = scene.now

    page = hand.press(ana, "skip", to="next")

    assert "How is your pain right now?" in page
    assert "The clock moved 1 day 6 hours" in page
    assert timedelta(hours=30) <= scene.now - before < timedelta(hours=30, minutes=1)


def test_a_skip_does_on_the_way_what_is_due_for_others_in_its_order(scene, hand):
    ana, ben = scene.patient(), scene.patient(address="+12025550122")
    scene.plan(ben, after=timedelta(hours=2), address="+12025550122")
    scene.plan(ana, after=timedelta(hours=20))

    hand.press(ana, "skip", to="next")

    sent = scene.rows(Communication, Communication.direction == Direction.OUT)
    assert [one.recipient for one in sent] == ["+12025550122", "+12025550121"]
    # Ben's text went at its own time, not eighteen hours late.
    assert abs((sent[1].created_at - sent[0].created_at) - timedelta(hours=18)) < timedelta(minutes=2)


def test_a_skip_ends_after_three_days_without_news(scene, hand):
    ana = scene.patient()
    scene.plan(ana, after=timedelta(days=4))
    before = scene.now

    page = hand.press(ana, "skip", to="next")

    assert "Nothing came to this phone" in page
    assert timedelta(days=3) <= scene.now - before < timedelta(days=3, minutes=1)
    assert scene.rows(CommunicationRequest)[0].status is RequestStatus.ACTIVE


@pytest.mark.parametrize(("step", "minutes"), [("10-minutes", 10), ("1-hour", 60), ("1-day", 1440)])
def test_a_step_moves_the_clock_by_its_length(scene, hand, step, minutes):
    ana = scene.patient()
    before = scene.now

    hand.press(ana, "skip", to=step)

    assert timedelta(minutes=minutes) <= scene.now - before < timedelta(minutes=minutes + 1)


def test_the_beat_is_as_old_after_a_skip_as_before(scene, hand, house):
    ana = scene.patient()
    for queue in WATCHED_QUEUES:
        heartbeat.tick(house.sessions, queue, now=scene.now)

    hand.press(ana, "skip", to="1-day")

    with house.session() as session:
        assert heartbeat.is_fresh(session, now=scene.now, stale_seconds=30)


def test_a_text_goes_the_real_road_and_danger_is_paged(scene, hand, served):
    ana = scene.patient()

    page = hand.press(ana, "text", body="i cant breathe good and my lips look blue")
    assert "my lips look blue" in page
    hand.press(ana, "skip", to="10-minutes")

    assert [alert.tier for alert in scene.rows(Alert)] == [Tier.EMERGENCY]
    assert "911" in hand.look(f"/sandbox/{ana}")
    code = scene.rows(Alert)[0].code
    nurse = hand.look(f"/sandbox/{scene.nurse}")
    assert code in nurse
    assert re.search(r'<a href="http://127\.0\.0\.1:\d+/a/[^"]+">', nurse), "the link of a page can be tapped"


def test_a_skip_on_a_clinicians_phone_goes_to_the_next_page(scene, hand, served):
    ana = scene.patient()
    hand.press(ana, "text", body="i cant breathe good and my lips look blue")

    page = hand.press(scene.nurse, "skip", to="next")

    assert "The clock moved 5 minutes" in page
    assert "still has no owner after 5 min" in page


def test_a_photo_comes_without_words_and_a_person_looks(scene, hand, served):
    ana = scene.patient()

    page = hand.press(ana, "photo")

    assert "Photo" in page
    stored = scene.rows(Communication, Communication.direction == Direction.IN)
    assert [(one.body, one.media_count) for one in stored] == [("", 1)]
    assert [alert.tier for alert in scene.rows(Alert)] == [Tier.ROUTINE]


def test_a_mailbox_shows_mails_and_takes_no_texts(scene, hand):
    grace = scene.patient(channel=Channel.EMAIL, address="grace@mail.example")
    scene.plan(grace, after=timedelta(hours=1), channel=Channel.EMAIL, address="grace@mail.example")

    page = hand.press(grace, "skip", to="next")

    assert "A few questions from" in page
    assert re.search(r'<a href="http://127\.0\.0\.1:\d+/c/[^"]+">', page)
    assert "Text message" not in page


@pytest.mark.parametrize(("body", "said"), [("  ", "Type a text first"), ("x" * 1601, "a text takes 1600")])
def test_a_text_that_no_phone_can_send_is_refused(scene, hand, body, said):
    ana = scene.patient()

    assert said in hand.press(ana, "text", body=body)

    assert scene.rows(Communication) == []


def test_a_service_that_does_not_answer_is_said(scene, hand):
    ana = scene.patient()

    assert "does not answer" in hand.press(ana, "text", body="hello")


def test_words_from_a_phone_are_never_markup(scene, hand, served):
    ana = scene.patient()

    page = hand.press(ana, "text", body="<script>alert(1)</script> http://evil.example/<b>")

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_button_without_its_token_does_nothing(scene, hand):
    ana = scene.patient()
    before = scene.now

    answer = hand.client.post(f"/sandbox/{ana}/skip", data={"to": "1-day"})

    assert answer.status_code == 400
    assert scene.now - before < timedelta(minutes=1)


@pytest.mark.parametrize("address", ["/sandbox/pat_nothing1", "/sandbox/nothing1"])
def test_a_phone_of_nobody_is_404(scene, hand, address):
    hand.look(address, status=404)


def test_an_unknown_step_is_refused(scene, hand):
    ana = scene.patient()
    page = hand.look(f"/sandbox/{ana}")
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)[1]

    assert (
        hand.client.post(f"/sandbox/{ana}/skip", data={"to": "1-year", "csrf_token": token}).status_code
        == 400
    )


def test_a_skip_signs_nobody_out(scene, house, hand):
    ana = scene.patient()
    with house.session() as session:
        user = session.scalars(select(StaffUser)).one()
    with hand.client.session_transaction() as session:
        session["_user_id"] = f"{user.organization_id}:{user.id}:{user.session_epoch}"
        session["_fresh"] = True
        session["seen_at"] = session["began_at"] = int(REAL_NOW().timestamp())

    page = hand.press(ana, "skip", to="1-day")

    assert "Sandbox phone" in page  # the menu of staff is still there
    assert hand.client.get("/").status_code == 200
