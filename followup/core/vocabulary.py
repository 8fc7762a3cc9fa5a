"""Every word that a column, a form or a rule may hold, one sentence each.

Names are the field's own: HL7 FHIR R4 for health, incident response for alerts, carrier words for delivery
(`docs/glossary.md`). The tables of allowed moves between states stand in `core.states`.
"""

from enum import IntFlag, StrEnum

_RANK = ("none", "routine", "urgent", "emergency")


class Tier(StrEnum):
    """What a text means: how fast a person must look at it."""

    NONE = "none"
    ROUTINE = "routine"
    URGENT = "urgent"
    EMERGENCY = "emergency"

    @property
    def rank(self) -> int:
        """Return 0 for none up to 3 for emergency."""
        return _RANK.index(self.value)


def worst(*tiers: Tier) -> Tier:
    """Return the most severe of the tiers; none when there are none."""
    return max(tiers, key=lambda tier: tier.rank, default=Tier.NONE)


class Priority(StrEnum):
    """How fast we act (FHIR request-priority)."""

    STAT = "stat"
    ASAP = "asap"
    URGENT = "urgent"
    ROUTINE = "routine"


class Lane(StrEnum):
    """A queue of intents that one drain empties; bulk never starves the faster ones."""

    STAT = "stat"  #: safety replies, pages, keyword answers: direct replies to a person, and staff
    URGENT = "urgent"  #: what a person has just asked for: invitations, welcome texts, staff messages
    ROUTINE = "routine"  #: the six weeks


#: Names of the queues whose worker must prove that it lives: a tick of beat goes through each.
WATCHED_QUEUES = ("stat", "outbound")


class Channel(StrEnum):
    """A road to a person (FHIR contact-point-system, and our own pages)."""

    SMS = "sms"
    EMAIL = "email"
    WEB = "web"


class Language(StrEnum):
    """A language that patients' texts exist in."""

    EN = "en"
    ES = "es"


class Course(StrEnum):
    """Which of the protocol's three courses a patient follows."""

    SHORT = "SHORT"
    LONG = "LONG"
    PRN = "PRN"


class Fact(IntFlag):
    """What must be true of a care plan for an action to go out.

    Kept as bits so that one comparison gates a claim.
    """

    CONSENT_PENDING = 1
    CONSENTED = 2
    SUPPORT_ON = 4
    STILL_TAKING = 8
    STOPPED = 16
    PILLS_LEFT = 32
    TAPER_ACTIVE = 64


class CatchUp(StrEnum):
    """What happens to an action whose window passed unsent."""

    SKIP = "skip"
    SEND_LATE = "send_late"
    ASK_STAFF = "ask_staff"


class Question(StrEnum):
    """What a text asks; the keys are those of the catalogue's `asks`."""

    PAIN = "pain"
    MANAGE = "manage"
    PILLS = "pills"
    WITHDRAWAL = "withdrawal"
    WD1 = "wd1"
    WD2 = "wd2"
    WD3 = "wd3"
    WD4 = "wd4"
    WD5 = "wd5"
    CRAVING = "craving"
    MOOD = "mood"
    TAPER = "taper"
    DISPOSAL = "disposal"
    SIDE_EFFECT = "side_effect"
    STILL_TAKING = "still_taking"
    PILLS_LEFT = "pills_left"
    REFILL = "refill"
    OTHER_SOURCE = "other_source"
    SATISFACTION = "satisfaction"
    FEEDBACK = "feedback"
    CONSENT = "consent"


class StaffRole(StrEnum):
    """What a staff member may do."""

    COORDINATOR = "coordinator"  #: enrols, reads, answers, closes routine work
    CLINICIAN = "clinician"  #: also takes alerts
    PRESCRIBER = "prescriber"  #: also approves tapers
    ADMIN = "admin"  #: also manages staff and the clinic


class ConsentStatus(StrEnum):
    """FHIR consent-state-codes (R4)."""

    PROPOSED = "proposed"
    ACTIVE = "active"
    REJECTED = "rejected"
    INACTIVE = "inactive"


class SuppressionReason(StrEnum):
    """Why an address gets nothing from us."""

    OPTED_OUT = "opted_out"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    INVALID = "invalid"
    WRONG_NUMBER = "wrong_number"


class MedicationStatus(StrEnum):
    """FHIR medicationrequest-status."""

    ACTIVE = "active"
    ON_HOLD = "on-hold"
    COMPLETED = "completed"
    STOPPED = "stopped"


class CarePlanStatus(StrEnum):
    """FHIR request-status of a patient's six weeks."""

    DRAFT = "draft"
    ACTIVE = "active"
    ON_HOLD = "on-hold"
    COMPLETED = "completed"
    REVOKED = "revoked"


class TaperStatus(StrEnum):
    """State of one version of a taper plan; nothing is texted but from an approved one."""

    DRAFT = "draft"
    APPROVED = "approved"
    ON_HOLD = "on-hold"
    SUPERSEDED = "superseded"
    ENDED = "ended"


class TaperStepStatus(StrEnum):
    """Where one step of an approved taper stands."""

    PLANNED = "planned"
    CURRENT = "current"
    DONE = "done"
    SKIPPED = "skipped"


class RequestStatus(StrEnum):
    """FHIR request-status of an intent to say something."""

    ACTIVE = "active"  #: waits for its time and its gates
    IN_PROGRESS = "in-progress"  #: claimed by one drain; also while its outcome is unknown
    COMPLETED = "completed"  #: accepted by the carrier, or ended for good: its Communication says which
    ON_HOLD = "on-hold"  #: kept back by a person or a rule
    REVOKED = "revoked"  #: will not be said
    EXPIRED = "expired"  #: its window passed; never sent late


class CommunicationStatus(StrEnum):
    """FHIR event-status of one attempt, with a third outcome of a call."""

    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    NOT_DONE = "not-done"
    UNKNOWN = "unknown"


class Direction(StrEnum):
    """Which way a communication went."""

    IN = "in"
    OUT = "out"


class Delivery(StrEnum):
    """Carrier's words for what became of an accepted text; it only moves forward."""

    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"

    @property
    def rank(self) -> int:
        """Return the monotone rank: queued 0, sent 1, any end 2."""
        return {"queued": 0, "sent": 1}.get(self.value, 2)


class Audience(StrEnum):
    """Who a request is for."""

    PATIENT = "patient"
    STAFF = "staff"
    UNKNOWN_SENDER = "unknown_sender"


class RequestOrigin(StrEnum):
    """Who starts a text: the law on windows and consent turns on this."""

    PLANNED = "planned"  #: we start it: gated by window, consent, hold
    INVITATION = "invitation"  #: the one text, and its one reminder, that may precede consent
    REPLY = "reply"  #: a direct answer to the person's own text, within 10 minutes of it
    SAFETY = "safety"  #: the fixed answer to danger words: at any hour, whatever else is broken
    PAGE = "page"  #: to staff, about an alert
    STAFF = "staff"  #: written by staff to a patient


class AlertStatus(StrEnum):
    """Incident-response words (PagerDuty's)."""

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class AlertOutcome(StrEnum):
    """How an alert was closed; the numbers are those of the texted code R."""

    CALLED = "called"
    SENT_TO_ED = "sent_to_ed"
    ADVICE = "advice"
    NO_NEED = "no_need"

    @classmethod
    def from_code(cls, number: int) -> "AlertOutcome":
        """Return the outcome for the digit 1-4 of a texted R code."""
        return list(cls)[number - 1]


class AlertKind(StrEnum):
    """What made the alert."""

    REPLY = "reply"  #: words or numbers of the patient
    UNKNOWN_SENDER = "unknown_sender"  #: a number that belongs to no patient of the clinic
    SHARED_PHONE = "shared_phone"  #: a phone of several patients; a person must say whose text it is
    STAFF_TASK = "staff_task"  #: the program asks a person to do something


class AlertEventKind(StrEnum):
    """One thing that happened to an alert."""

    TRIGGERED = "triggered"
    FLAG_ADDED = "flag_added"
    RAISED = "raised"
    PAGED = "paged"
    ACKNOWLEDGED = "acknowledged"
    PASSED_ON = "passed_on"
    TAKEN_OVER = "taken_over"
    NOTE = "note"
    RESOLVED = "resolved"


class FlagStatus(StrEnum):
    """FHIR flag-status."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    ENTERED_IN_ERROR = "entered-in-error"


class Severity(StrEnum):
    """FHIR detectedissue-severity."""

    HIGH = "high"
    MODERATE = "moderate"
    LOW = "low"


class LinkPurpose(StrEnum):
    """What a link of ours opens; each has its own letter in the address."""

    CHECKIN = "checkin"
    CONSENT = "consent"
    PREFERENCES = "preferences"
    PLAN = "plan"
    HELP = "help"
    ALERT = "alert"
    DISPOSAL = "disposal"


class NotDoneReason(StrEnum):
    """Why a text was not sent, for the timeline."""

    SUPPRESSED = "suppressed"
    EXPIRED = "expired"
    REFUSED = "refused"  #: the carrier said no for good
    INVALID_ADDRESS = "invalid_address"
    RENDER_FAILED = "render_failed"
    AUTO_HOLD = "auto_hold"
    CANCELLED = "cancelled"
