"""End a course when its six weeks are over; what is written afterwards is read, and answered as closed."""

from datetime import datetime

from followup.clinical import timing
from followup.core import states
from followup.core.vocabulary import CarePlanStatus, Fact
from followup.services import audit, planning
from followup.store.models import Patient
from followup.store.queries import plans as queries
from followup.store.session import Sessions


def complete(sessions: Sessions, *, now: datetime) -> int:
    """Complete, across clinics, the plans whose last local day has passed, with no text left to send."""
    done = 0
    with sessions.begin() as session:
        for care_plan in queries.past_their_end(session, now=now):
            patient = session.get_one(Patient, care_plan.patient_id)
            if timing.local_date(now, patient.time_zone) <= care_plan.ends_on:
                continue
            states.move(care_plan, CarePlanStatus.COMPLETED, states.CARE_PLAN_MOVES)
            care_plan.set_fact(Fact.CONSENTED, true=False)
            planning.revoke_active(session, care_plan, reason="course_over")
            audit.record(
                session, care_plan.organization_id, "plans.complete", now=now, entity=care_plan.public_id
            )
            done += 1
    return done
