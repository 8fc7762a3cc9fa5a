"""Make the demo's clinic by the service's own verbs: its past is lived, not written by hand."""

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from heapq import heappop, heappush
from itertools import count
from typing import Any
from uuid import UUID

import click
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from followup.clinical.timing import local_date, local_to_utc
from followup.core.clock import FrozenClock
from followup.core.contactpoint import EmailAddress, PhoneNumber
from followup.core.datafiles import load_toml
from followup.core.ids import new_id
from followup.core.vocabulary import (
    Channel,
    Course,
    Delivery,
    Direction,
    Lane,
    Language,
    RequestStatus,
    StaffRole,
)
from followup.providers.ports import InboundMessage
from followup.providers.sandbox import SandboxSender
from followup.runtime import Runtime
from followup.services import clinics, consent, drain, enrolment, expiry, inbound, invitations, staff, taper
from followup.services.enrolment_form import Enrolment, Rx
from followup.settings import Environment
from followup.store.models import (
    CarePlan,
    Communication,
    CommunicationRequest,
    ContactPoint,
    Organization,
    Patient,
    ServiceState,
    StaffUser,
)
from followup.store.queries import consents, tapers

_DISCHARGED = time(11)
_SETTLE = timedelta(minutes=20)
_BETWEEN_ANSWERS = timedelta(minutes=2)
_LONGEST_PAST = timedelta(days=60)
_SEEDED = "demo_seeded"  #: Key of service_state: until when the past has been lived through.

Person = Mapping[str, Any]


def fill(house: Runtime) -> bool:
    """Seed an empty database, in the demo only; tell whether it was empty."""
    if house.settings.environment is not Environment.DEMO:
        raise RuntimeError("made-up patients belong in the demo only")
    with house.session() as session:
        is_empty = session.scalar(select(Organization.id).limit(1)) is None
    if is_empty:
        past = _Past(house, since=house.clock.now() - _LONGEST_PAST)
        past.live(load_toml("followup.embedded", "people.toml"))
    return is_empty


def go_on(house: Runtime) -> None:
    """Live from where a snapshot was taken until now: what fell due in between has gone out."""
    with house.session() as session:
        taken = session.get_one(ServiceState, _SEEDED).at
    _Past(house, since=taken or house.clock.now()).go_on()


def draw_passwords(house: Runtime) -> None:
    """Draw new passwords for all staff and print them: nobody else knows them, and the last ones end."""
    with house.session() as session:
        click.echo("Sign in as:", color=False)
        for user in session.scalars(select(StaffUser).order_by(StaffUser.created_at, StaffUser.id)):
            drawn = staff.draw_password(session, user, now=house.clock.now())
            click.echo(f"  {user.email:26} {drawn}   {user.display_name} ({user.role.value})", color=False)


@dataclass(frozen=True)
class _Enrolled:
    patient_id: UUID
    care_plan_id: UUID
    address: str


class _Past:
    """The weeks before now: enrolments, answers and texts in their order, on a clock that we move."""

    def __init__(self, house: Runtime, *, since: datetime) -> None:
        self.now = house.clock.now()
        self.clock = FrozenClock(since)
        self.house = replace(
            house,
            clock=self.clock,
            senders={
                channel: SandboxSender(
                    house.settings.model_copy(update={"environment": Environment.TEST}), channel
                )
                for channel in (Channel.SMS, Channel.EMAIL)
            },
        )
        self._order = count()
        self._agenda: list[tuple[datetime, int, Callable[[], None]]] = []

    def live(self, people: Mapping[str, Any]) -> None:
        """Go through the past once."""
        with self.house.session() as session:
            self.clinic = self._clinic(session, people)
        for person in people["patient"]:
            self._at(self._discharged_at(person), partial(self._enrol, person))
        while self._agenda:
            at, _, happening = heappop(self._agenda)
            self._send_until(at)
            happening()
            self._send()
        self.go_on()

    def go_on(self) -> None:
        """Go through the rest of the past, in which nobody does anything but the workers."""
        self._send_until(self.now)
        self._arrived()
        with self.house.session() as session:
            session.merge(ServiceState(key=_SEEDED, number=None, at=self.now))

    def _at(self, at: datetime, happening: Callable[[], None]) -> None:
        if at < self.now:
            heappush(self._agenda, (at, next(self._order), happening))

    def _clinic(self, session: Session, people: Mapping[str, Any]) -> Organization:
        clinic = clinics.add(session, **people["clinic"], now=self.clock.now())
        for one in people["staff"]:
            staff.add(
                session,
                clinic.id,
                display_name=one["name"],
                email=one["email"],
                phone=one["phone"],
                role=StaffRole(one["role"]),
                receives_pages=one["pages"],
                password=secrets.token_urlsafe(16),
                now=self.clock.now(),
            )
        return clinic

    def _discharged_at(self, person: Person) -> datetime:
        today = self.now.astimezone(UTC).date()
        on = today - timedelta(days=person["day"])
        at = local_to_utc(datetime.combine(on, _DISCHARGED), person["zone"])
        return min(at, self.now - 3 * _SETTLE) if person["day"] == 0 else at

    def _enrol(self, person: Person) -> None:
        at = self.clock.now()
        with self.house.session() as session:
            done = enrolment.enrol(
                session, self.clinic.id, _form(person, at), by=None, knowledge=self.house.knowledge, now=at
            )
            patient = session.scalars(
                select(Patient).where(Patient.public_id == done.patient_public_id)
            ).one()
            plan = session.scalars(
                select(CarePlan).where(CarePlan.public_id == done.care_plan_public_id)
            ).one()
            contact = session.scalars(
                select(ContactPoint).where(ContactPoint.patient_id == patient.id)
            ).first()
            known = _Enrolled(patient.id, plan.id, contact.value if contact else "")
        self._plan_answers(person, known, at)

    def _plan_answers(self, person: Person, known: _Enrolled, at: datetime) -> None:
        heard = invitations.times(at, person["zone"])[0] + _SETTLE  # on a Sunday morning it waits for noon
        if person["answer"] in ("yes", "stop"):
            self._at(heard, lambda: self._says_yes(person, known))
        elif person["answer"] == "no":
            self._at(heard, lambda: self._texts(known.address, "NO"))
        if person["taper"] == "approve":
            self._at(at + 2 * _SETTLE, lambda: self._approve(known))
        for day, clock_time, words in person.get("replies", ()):
            on = local_date(at, person["zone"]) + timedelta(days=day)
            first = local_to_utc(datetime.combine(on, time.fromisoformat(clock_time)), person["zone"])
            for n, said in enumerate(words):
                self._at(first + n * _BETWEEN_ANSWERS, partial(self._texts, known.address, said))

    def _says_yes(self, person: Person, known: _Enrolled) -> None:
        if "phone" in person:
            self._texts(known.address, "SI" if person["language"] == "es" else "YES")
            return
        with self.house.session() as session:
            invitation = consents.open_invitation(
                session, self.clinic.id, known.patient_id, Channel.EMAIL, now=self.clock.now()
            )
            if invitation is not None:
                consent.give(
                    session, invitation, by="patient:web", communication_id=None,
                    knowledge=self.house.knowledge, now=self.clock.now(),
                )  # fmt: skip

    def _approve(self, known: _Enrolled) -> None:
        with self.house.session() as session:
            versions = tapers.tapers_of(session, self.clinic.id, known.care_plan_id)
            prescriber = session.scalars(
                select(StaffUser).where(StaffUser.role == StaffRole.PRESCRIBER)
            ).one()
            if versions:
                taper.approve(
                    session, versions[0], by=prescriber, seen_digest=versions[0].digest,
                    knowledge=self.house.knowledge, now=self.clock.now(),
                )  # fmt: skip

    def _texts(self, address: str, words: str) -> None:
        said = InboundMessage(
            provider="sandbox",
            provider_sid=f"SM{new_id().hex}",
            channel=Channel.SMS,
            sender=address,
            recipient=load_toml("followup.embedded", "people.toml")["clinic"]["senders"][0],
            body=words,
            raw=words.encode(),
        )
        stored = inbound.receive(self.house.sessions, said, now=self.clock.now())
        if stored.communication_id is not None:
            inbound.process(
                self.house.sessions,
                stored.communication_id,
                knowledge=self.house.knowledge,
                now=self.clock.now(),
            )

    def _send_until(self, at: datetime) -> None:
        """Let every text go at its own time, up to an instant."""
        while waiting := self._next_due(at):
            due = min(next_at for _, next_at in waiting)
            self.clock.move_to(max(due, self.clock.now()))
            self._send([lane for lane, next_at in waiting if next_at == due])
        self.clock.move_to(max(at, self.clock.now()))

    def _next_due(self, until: datetime) -> list[tuple[Lane, datetime]]:
        """Return each lane that has something to send before `until`, and when next."""
        soonest = func.min(CommunicationRequest.next_attempt_at)
        waiting = (
            select(CommunicationRequest.lane, soonest)
            .where(
                CommunicationRequest.status == RequestStatus.ACTIVE,
                CommunicationRequest.next_attempt_at > self.clock.now(),
                CommunicationRequest.next_attempt_at < until,
            )
            .group_by(CommunicationRequest.lane)
        )
        with self.house.session() as session:
            return [(lane, at) for lane, at in session.execute(waiting)]

    def _send(self, lanes: Iterable[Lane] = Lane) -> None:
        house = self.house
        for lane in lanes:
            drain.run(
                house.sessions,
                house.senders,
                lane=lane,
                clock=self.clock,
                settings=house.settings,
                knowledge=house.knowledge,
            )

    def _arrived(self) -> None:
        """Let what was sent have arrived, and let what could not go be over."""
        expiry.expire(self.house.sessions, knowledge=self.house.knowledge, now=self.now)
        with self.house.session() as session:
            for sent in session.scalars(
                select(Communication).where(Communication.direction == Direction.OUT)
            ):
                sent.delivery, sent.delivery_rank = Delivery.DELIVERED, Delivery.DELIVERED.rank


def _form(person: Person, at: datetime) -> Enrolment:
    rx, on = person["rx"], local_date(at, person["zone"])
    return Enrolment(
        given_name=person["given"],
        family_name=person["family"],
        birth_on=person["born"],
        sex=person.get("sex"),
        phone=PhoneNumber(person["phone"]) if "phone" in person else None,
        email=EmailAddress(person["email"]) if "email" in person else None,
        language=Language(person["language"]),
        time_zone=person["zone"],
        procedure=person["procedure"],
        discharge_on=on,
        course=Course(person["course"]),
        support=person.get("support", False),
        is_spine=person.get("spine", False),
        rx=Rx(
            drug=rx["drug"],
            strength_mg=Decimal(rx["strength"]),
            max_units_per_day=Decimal(rx["most"]),
            is_regular=rx["regular"],
            apap_mg=rx.get("apap", 0),
            dispensed_units=Decimal(rx["dispensed"]),
            first_taken_on=on - timedelta(days=3),
        ),
    )
