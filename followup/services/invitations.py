"""Invite a patient, remind once, then ask staff: the only texts that may go before a yes."""

from datetime import datetime, time, timedelta

from sqlalchemy.orm import Session

from followup.clinical import timing
from followup.core.vocabulary import (
    CatchUp,
    Channel,
    ConsentStatus,
    Fact,
    Question,
    RequestOrigin,
)
from followup.services import alerts, intents
from followup.services.knowledge import Knowledge
from followup.store.models import CarePlan, CommunicationRequest, Consent, ContactPoint, Patient
from followup.store.queries import consents as queries
from followup.store.session import Sessions

OPEN_DAYS = 7  #: how long a YES still answers an invitation
_REMIND_AFTER = timedelta(hours=24)
_ASK_STAFF_AFTER = timedelta(hours=24)  #: counted from the reminder
_INVITATION_HOURS = 10  #: protocol row W0
_REMINDER_HOURS = 8  #: protocol row W1
_REMINDER_FROM = time(10)
_TASK = "invitation_unanswered"
#: What the person is shown when they say yes: the text itself, or the page behind the mail's link.
_WORDING = {
    Channel.SMS: ("consent_invite",),
    Channel.EMAIL: ("consent_web_what", "consent_web_privacy", "consent_web_choice", "consent_web_check"),
}
INVITE, REMIND = "consent_invite", "consent_reminder"


def invite(
    session: Session,
    patient: Patient,
    care_plan: CarePlan,
    contact: ContactPoint,
    *,
    knowledge: Knowledge,
    now: datetime,
) -> Consent:
    """Write the proposed consent, the invitation at the next hour that texts may go, and its one reminder."""
    consent = Consent(
        created_at=now,
        organization_id=patient.organization_id,
        patient_id=patient.id,
        channel=contact.system,
        address=contact.value,
        status=ConsentStatus.PROPOSED,
        language=patient.language,
        wording_key=_WORDING[contact.system][0],
        wording_version=knowledge.wording_version,
        wording_text="\n\n".join(
            knowledge.catalog.get(key).words(patient.language).text for key in _WORDING[contact.system]
        ),
        open_until=now + timedelta(days=OPEN_DAYS),
    )
    session.add(consent)
    first, again = times(now, patient.time_zone)
    session.add(
        _invitation(patient, care_plan, consent, INVITE, first, _INVITATION_HOURS, CatchUp.SEND_LATE, now)
    )
    session.add(_invitation(patient, care_plan, consent, REMIND, again, _REMINDER_HOURS, CatchUp.SKIP, now))
    return consent


def times(now: datetime, zone: str) -> tuple[datetime, datetime]:
    """Return when the invitation goes (now, or when texts may next go) and its reminder.

    The reminder goes 24 h after the invitation, or when texts may next go, never before 10:00.
    """
    first = timing.next_opening(now, zone)
    opens = timing.next_opening(first + _REMIND_AFTER, zone)
    earliest = timing.due(timing.local_date(opens, zone), _REMINDER_FROM, _REMINDER_HOURS, zone).due_at
    return first, max(opens, earliest)


def _invitation(
    patient: Patient,
    care_plan: CarePlan,
    consent: Consent,
    key: str,
    due_at: datetime,
    hours: int,
    catch_up: CatchUp,
    now: datetime,
) -> CommunicationRequest:
    return intents.to_patient(
        patient,
        care_plan,
        consent,
        message_key=key,
        origin=RequestOrigin.INVITATION,
        window=timing.next_window(due_at, hours, patient.time_zone),
        now=now,
        asks=Question.CONSENT,
        requires=int(Fact.CONSENT_PENDING),
        catch_up=catch_up,
        action_id=key,
        occurrence=consent.channel.value,
    )


def chase(sessions: Sessions, *, knowledge: Knowledge, now: datetime) -> int:
    """Ask staff about invitations that nobody answered 24 h after their reminder.

    Return how many there are.
    """
    with sessions.begin() as session:
        late = queries.unanswered_invitations(
            session, reminder_key=REMIND, reminded_before=now - _ASK_STAFF_AFTER, task=_TASK
        )
        for consent in late:
            alerts.open_task(
                session,
                consent.organization_id,
                task=_TASK,
                patient=session.get_one(Patient, consent.patient_id),
                now=now,
                knowledge=knowledge,
            )
    return len(late)
