"""Every table, imported here so that Alembic and `Base.metadata` see them all."""

from followup.store.models.alert import Alert, AlertEvent, Flag
from followup.store.models.audit import AuditEvent, ServiceState
from followup.store.models.care_plan import CarePlan, TaperPlan, TaperStep
from followup.store.models.care_team import CareTeam, CareTeamMember, OnCallShift
from followup.store.models.communication import Communication, CommunicationRequest, DeliveryReceipt
from followup.store.models.consent import AccessLink, Consent, Suppression
from followup.store.models.medication import DetectedIssue, MedicationRequest
from followup.store.models.organization import Organization, SenderNumber
from followup.store.models.patient import ContactPoint, Patient
from followup.store.models.questionnaire import QuestionnaireResponse
from followup.store.models.resource import HealthcareService, ServiceRequest
from followup.store.models.staff import StaffUser
from followup.store.models.submission import FormSubmission

__all__ = [
    "AccessLink",
    "Alert",
    "AlertEvent",
    "AuditEvent",
    "CarePlan",
    "CareTeam",
    "CareTeamMember",
    "Communication",
    "CommunicationRequest",
    "Consent",
    "ContactPoint",
    "DeliveryReceipt",
    "DetectedIssue",
    "Flag",
    "FormSubmission",
    "HealthcareService",
    "MedicationRequest",
    "OnCallShift",
    "Organization",
    "Patient",
    "QuestionnaireResponse",
    "SenderNumber",
    "ServiceRequest",
    "ServiceState",
    "StaffUser",
    "Suppression",
    "TaperPlan",
    "TaperStep",
]
