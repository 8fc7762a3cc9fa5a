"""Unsaved forms are forgotten; what was handed in is remembered."""

from datetime import timedelta

from sqlalchemy import select

from followup.services import once
from followup.store.models import FormSubmission
from tests import factories as make
from tests.factories import NOW


def test_what_was_typed_and_not_handed_in_is_gone_after_an_hour_in_every_clinic(sessions):
    with sessions.begin() as session:
        for name in ("one", "two"):
            clinic = make.organization(session)
            member = make.staff(session, clinic)
            once.keep_draft(session, clinic.id, once.new_key(), {"given_name": [name]}, by=member.id, now=NOW)
        once.claim(session, clinic.id, once.new_key(), "pat_x", now=NOW)
    once.forget_old(sessions, now=NOW + timedelta(minutes=59))
    assert len(kept(sessions)) == 3
    once.forget_old(sessions, now=NOW + timedelta(hours=1))
    assert [row.entity for row in kept(sessions)] == ["pat_x"]
    once.forget_old(sessions, now=NOW + once.KEY_KEPT)
    assert kept(sessions) == []


def kept(sessions):
    with sessions() as session:
        return list(session.scalars(select(FormSubmission)))
