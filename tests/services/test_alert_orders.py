"""Whatever staff and the clock did to an alert before: danger words are answered, and somebody is paged."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from followup.core.vocabulary import AlertKind, AlertStatus, RequestStatus, Tier
from followup.services import escalation
from followup.store.models import Alert, Communication, CommunicationRequest, Organization
from followup.store.session import make_engine, session_factory
from tests import factories
from tests.factories import NOW
from tests.services.roads import Road, build

WORDS = {
    "routine": "can i get a call back about my medicine question?",
    "urgent": "pus coming out of my wound",
    "emergency": "i cant breathe good and my lips look blue",
}
CODES = ("A", "E", "R", "T")
STEPS = (*WORDS, *CODES, "climb")
TIERS = {"urgent": Tier.URGENT, "emergency": Tier.EMERGENCY}


@pytest.fixture
def road(sqlite_url: str) -> Iterator[Road]:
    engine = make_engine(sqlite_url)
    yield build(session_factory(engine))
    engine.dispose()


def somebody(road: Road) -> str:
    with road.sessions.begin() as session:
        clinic = session.get_one(Organization, road.clinic.id)
        return factories.enrolled(session, clinic)[2].value


def open_alert(road: Road, phone: str) -> Alert | None:
    with road.sessions() as session:
        heard = select(Communication.patient_id).where(Communication.sender == phone)
        return session.scalars(
            select(Alert).where(
                Alert.kind == AlertKind.REPLY,
                Alert.patient_id.in_(heard),
                Alert.status != AlertStatus.RESOLVED,
            )
        ).one_or_none()


def do(road: Road, phone: str, step: str, now: datetime) -> str | None:
    """Do one step; return what became of the text, if it was one."""
    if step in WORDS:
        return road.text(WORDS[step], sender=phone, now=now).handling
    if step == "climb":
        escalation.climb(road.sessions, knowledge=road.knowledge, now=now)
        return None
    alert = open_alert(road, phone)
    code = f"{step} {alert.code if alert else '1234'}{' 1' if step == 'R' else ''}"
    return road.text(code, sender=road.nurse.phone, now=now).handling


def waiting_pages(road: Road, alert: Alert) -> int:
    return len(
        road.requests(
            CommunicationRequest.alert_id == alert.id,
            CommunicationRequest.page_step.is_not(None),
            CommunicationRequest.status == RequestStatus.ACTIVE,
        )
    )


LONGER = (
    ("routine", "A", "E"),
    ("routine", "E", "climb"),
    ("routine", "A", "E", "A"),
    ("routine", "E", "climb", "A"),
    ("urgent", "A", "E", "T", "routine"),
    ("urgent", "A", "R", "routine", "E"),
    ("routine", "E", "urgent", "climb", "A"),
)


@pytest.mark.parametrize("danger", TIERS)
@pytest.mark.parametrize("first", STEPS)
def test_danger_is_answered_and_paged_after_every_order_of_what_went_before(
    road: Road, first: str, danger: str
) -> None:
    for second in STEPS:
        tell(road, (first, second, danger))


@pytest.mark.parametrize("before", LONGER, ids="-".join)
def test_danger_is_answered_and_paged_after_longer_stories(road: Road, before: tuple[str, ...]) -> None:
    for danger in TIERS:
        tell(road, (*before, danger))


def tell(road: Road, story: tuple[str, ...]) -> None:
    """Live through a story that ends with danger words, and look at how it ended."""
    phone = somebody(road)
    for minutes, step in enumerate(story):
        done = do(road, phone, step, NOW + timedelta(minutes=31 * minutes))
        assert done != "could_not_read", story
    alert = open_alert(road, phone)
    assert alert is not None, story
    assert alert.tier.rank >= TIERS[story[-1]].rank, story
    assert alert.status is AlertStatus.TRIGGERED, story
    assert waiting_pages(road, alert) > 0, story
    assert road.answers(phone), story
