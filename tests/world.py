"""The whole service in one process, on a clock that only the story moves: people enrol, text, get texts."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from zoneinfo import ZoneInfo

from pydantic import SecretStr
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from followup.core.clock import FrozenClock
from followup.core.contactpoint import PhoneNumber
from followup.core.vocabulary import (
    Audience,
    Channel,
    Course,
    Lane,
    Language,
    RequestStatus,
    StaffRole,
)
from followup.providers.ports import InboundMessage, Outgoing
from followup.providers.sandbox import SandboxSender
from followup.runtime import Runtime, build_runtime
from followup.services import (
    clinics,
    course_end,
    drain,
    enrolment,
    escalation,
    expiry,
    inbound,
    invitations,
    leases,
    staff,
    taper,
)
from followup.services.enrolment_form import Enrolment, Rx
from followup.settings import Carrier, Environment, Settings
from followup.store.models import Alert, CarePlan, CommunicationRequest, Organization, Patient, StaffUser
from followup.store.queries import tapers

#: A Tuesday, 11:00 in New York.
START = datetime(2026, 6, 2, 15, tzinfo=UTC)
NUMBER = "+12025550111"
ZONE = "America/New_York"


def settings(url: str, **over: object) -> Settings:
    """Return settings of a test installation."""
    return Settings(
        _env_file=None,
        **{
            "environment": Environment.TEST,
            "carrier": Carrier.SANDBOX,
            "database_url": url,
            "redis_url": "redis://127.0.0.1:1/0",
            "secret_key": SecretStr("k" * 40),
            "public_url": "http://127.0.0.1:5080",
            "mail_from": "care@riverside.example",
            "twilio_handles_keywords": False,
            "in_flight": 4,
            **over,
        },
    )


@dataclass
class World:
    """A clinic, its staff and patients; `forward` lets the time pass and does what is due on the way."""

    house: Runtime
    clinic: Organization
    _sids: Iterator[int] = field(default_factory=lambda: count(1))
    _phones: Iterator[int] = field(default_factory=lambda: count(120))

    @property
    def clock(self) -> FrozenClock:
        clock = self.house.clock
        assert isinstance(clock, FrozenClock)
        return clock

    @property
    def carrier(self) -> SandboxSender:
        sender = self.house.senders[Channel.SMS]
        assert isinstance(sender, SandboxSender)
        return sender

    @contextmanager
    def session(self) -> Iterator[Session]:
        with self.house.session() as session:
            yield session

    # --- people

    def enrol(
        self,
        *,
        course: Course = Course.SHORT,
        zone: str = ZONE,
        language: Language = Language.EN,
        discharge_on: date | None = None,
        phone: str | None = None,
        regular: bool = True,
        support: bool = False,
        says_yes: bool = True,
        shared: bool = False,
    ) -> "Person":
        """Enrol somebody; with `says_yes` they answer the invitation ten minutes later."""
        now = self.clock.now()
        on = discharge_on or now.astimezone(ZoneInfo(zone)).date()
        number = phone or f"+1202555{next(self._phones):04d}"
        form = Enrolment(
            given_name="Ana",
            family_name="Lopez",
            birth_on=date(1971, 3, 9),
            sex="female",
            phone=PhoneNumber(number),
            email=None,
            language=language,
            time_zone=zone,
            procedure="Knee arthroscopy",
            discharge_on=on,
            course=course,
            support=support,
            shared_phone_ok=shared,
            rx=Rx("oxycodone", Decimal(5), Decimal(6), regular, first_taken_on=on - timedelta(days=4)),
        )
        with self.session() as session:
            done = enrolment.enrol(
                session, self.clinic.id, form, by=None, knowledge=self.house.knowledge, now=now
            )
            patient = session.scalars(
                select(Patient).where(Patient.public_id == done.patient_public_id)
            ).one()
        person = Person(self, number, patient)
        if says_yes:
            self.forward(minutes=10)
            person.texts("YES")
        return person

    def staff(self, *, role: StaffRole = StaffRole.CLINICIAN, pages: bool = True) -> "Person":
        """Add a member of staff with a phone."""
        number = f"+1202555{next(self._phones):04d}"
        with self.session() as session:
            user, _ = staff.add(
                session,
                self.clinic.id,
                display_name=f"Staff {number[-3:]}",
                email=f"s{number[-3:]}@riverside.example",
                phone=number,
                role=role,
                receives_pages=pages,
                password=None,
                now=self.clock.now(),
            )
        return Person(self, number, None, user)

    # --- time

    def forward(self, **amount: float) -> None:
        """Let time pass: everything that falls due on the way is done at its own instant."""
        until = self.clock.now() + timedelta(**amount)
        self.work()
        while (due := self._next_due(until)) is not None:
            self.clock.move_to(due)
            self.work()
        self.clock.move_to(until)
        self.work()

    def _next_due(self, until: datetime) -> datetime | None:
        soonest = select(func.min(CommunicationRequest.next_attempt_at)).where(
            CommunicationRequest.status == RequestStatus.ACTIVE,
            CommunicationRequest.next_attempt_at > self.clock.now(),
            CommunicationRequest.next_attempt_at <= until,
        )
        with self.session() as session:
            return session.scalar(soonest)

    def work(self) -> None:
        """Do one round of what the workers do."""
        house, now = self.house, self.clock.now()
        for lane in Lane:
            drain.run(
                house.sessions, house.senders, lane=lane, clock=self.clock, settings=house.settings,
                knowledge=house.knowledge,
            )  # fmt: skip
        escalation.climb(house.sessions, knowledge=house.knowledge, now=now)
        expiry.expire(house.sessions, knowledge=house.knowledge, now=now)
        leases.mark_lost_leases(house.sessions, now)
        invitations.chase(house.sessions, knowledge=house.knowledge, now=now)
        taper.enforce_holds(house.sessions, knowledge=house.knowledge, now=now)
        course_end.complete(house.sessions, now=now)

    # --- what came of it

    def sent_to(self, address: str) -> list[Outgoing]:
        return [one for one in self.carrier.sent if one.recipient == address]

    def alerts(self) -> list[Alert]:
        with self.session() as session:
            return list(session.scalars(select(Alert).order_by(Alert.id)))


@dataclass
class Person:
    """Somebody with a phone: a patient, or a member of staff."""

    world: World
    phone: str
    patient: Patient | None = None
    user: StaffUser | None = None

    def texts(self, words: str, *, sid: str | None = None, media: int = 0) -> None:
        """Text the clinic, and let the workers do what follows at once."""
        world, now = self.world, self.world.clock.now()
        message = InboundMessage(
            provider="sandbox",
            provider_sid=sid or f"SM{next(world._sids):032d}",
            channel=Channel.SMS,
            sender=self.phone,
            recipient=NUMBER,
            body=words,
            raw=words.encode(),
            media_count=media,
        )
        stored = inbound.receive(world.house.sessions, message, now=now)
        if stored.is_new and stored.communication_id is not None:
            inbound.process(
                world.house.sessions,
                stored.communication_id,
                knowledge=world.house.knowledge,
                now=now,
                carrier_confirms_keywords=world.house.settings.twilio_handles_keywords,
            )
        world.work()

    @property
    def received(self) -> list[str]:
        """Every text on this phone, oldest first."""
        return [one.body for one in self.world.sent_to(self.phone)]

    @property
    def last(self) -> str:
        return self.received[-1]

    def forget(self) -> None:
        """Count only what comes from now on."""
        kept = [one for one in self.world.carrier.sent if one.recipient != self.phone]
        self.world.carrier.sent.clear()
        self.world.carrier.sent.extend(kept)

    @property
    def plan(self) -> CarePlan:
        assert self.patient is not None
        with self.world.session() as session:
            return session.scalars(select(CarePlan).where(CarePlan.patient_id == self.patient.id)).one()

    def approve_taper(self, prescriber: "Person") -> None:
        """Have the newest draft of this patient's taper approved."""
        assert prescriber.user is not None
        house = self.world.house
        with self.world.session() as session:
            draft = tapers.tapers_of(session, self.world.clinic.id, self.plan.id)[0]
            taper.approve(
                session, draft, by=prescriber.user, seen_digest=draft.digest, knowledge=house.knowledge,
                now=self.world.clock.now(),
            )  # fmt: skip

    def waiting(self) -> int:
        """How many texts to this patient wait to be sent."""
        assert self.patient is not None
        found = select(func.count()).where(
            CommunicationRequest.patient_id == self.patient.id,
            CommunicationRequest.audience == Audience.PATIENT,
            CommunicationRequest.status == RequestStatus.ACTIVE,
        )
        with self.world.session() as session:
            return session.scalar(found) or 0


def build(url: str, *, at: datetime = START, **over: object) -> World:
    """Make a clinic in a migrated database."""
    chosen = settings(url, **over)
    clock = FrozenClock(at)
    senders = {channel: SandboxSender(chosen, channel) for channel in (Channel.SMS, Channel.EMAIL)}
    house = build_runtime(chosen, clock=clock, senders=senders)
    with house.session() as session:
        clinic = clinics.add(
            session,
            name="Riverside Care",
            time_zone=ZONE,
            phone="+12025550100",
            oncall_phone="+12025550199",
            senders=[NUMBER],
            hours={day: ["08:00", "17:00"] for day in ("mon", "tue", "wed", "thu", "fri")},
            now=at,
        )
    return World(house, clinic)
