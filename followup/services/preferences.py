"""Keep a patient's own choices: language, tips, hidden numbers; what is planned follows them."""

from datetime import datetime

from sqlalchemy.orm import Session

from followup.core.vocabulary import CarePlanStatus, Fact, Language
from followup.services import audit, planning
from followup.services.knowledge import Knowledge
from followup.store.models import CarePlan, Patient
from followup.store.queries import consents as queries
from followup.store.queries import links


def save(
    session: Session,
    patient: Patient,
    *,
    language: Language,
    support: bool,
    hide_numbers: bool,
    knowledge: Knowledge,
    now: datetime,
) -> None:
    """Store the choices and plan again what has not gone yet, so that they start with the next text."""
    patient.language = language
    for care_plan in queries.care_plans_of(session, patient.organization_id, patient.id):
        care_plan.set_fact(Fact.SUPPORT_ON, true=support)
        care_plan.hide_numbers = hide_numbers
        _plan_again(session, care_plan, language, knowledge, now)
    audit.record(
        session, patient.organization_id, "preferences.save", now=now, entity=patient.public_id,
        language=language.value, support=support, hide_numbers=hide_numbers,
    )  # fmt: skip


def _plan_again(
    session: Session, care_plan: CarePlan, language: Language, knowledge: Knowledge, now: datetime
) -> None:
    for row in links.waiting_texts(session, care_plan.organization_id, care_plan.id):
        row.language = language
    session.flush()
    if care_plan.status is CarePlanStatus.ACTIVE:
        planning.apply(session, care_plan, knowledge=knowledge, now=now)
