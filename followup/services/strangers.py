"""Take texts that are no one patient's: from a phone of several patients, and from numbers we do not know."""

from collections.abc import Sequence

from followup.clinical.keywords import KeywordKind
from followup.core.vocabulary import AlertKind, Tier, worst
from followup.services import alerts, answering, keyword_acts, responding
from followup.services.hearing import Hearing, Processed
from followup.services.understanding import Understood, note, understand
from followup.store.models import Alert, Patient
from followup.store.queries import inbound as queries


def unknown(hearing: Hearing) -> Processed:
    """Let a person look at a text of a number that belongs to no patient; the answer is neutral, once a day.

    A claim of danger pages staff all the same: someone may be writing from a borrowed phone.
    """
    queries.lock_number(hearing.session, hearing.organization.id, hearing.communication.recipient)
    understood = understand(hearing)
    note(hearing, understood)
    if understood.keyword.reaction:
        return hearing.done("reaction", Tier.NONE)
    done = _by_keyword(hearing, understood, ())
    if done is not None and not understood.is_danger:
        return done
    alert = _raise(hearing, understood)
    if understood.is_danger:
        answering.safety(hearing, "auto_unknown_sender")
    elif done is None:
        answering.say(hearing, "auto_unknown_sender", event="unknown_sender")
    return hearing.done(done.handling if done else "unknown_sender", alert_id=alert.id)


def danger(hearing: Hearing) -> Alert | None:
    """Page staff about danger words from a phone of their own; None where there are none in the text.

    A colleague's husband may write from it, or a member of staff about a patient.
    """
    understood = understand(hearing)
    if not understood.is_danger:
        return None
    note(hearing, understood)
    return _raise(hearing, understood)


def _raise(hearing: Hearing, understood: Understood) -> Alert:
    return alerts.trigger(
        hearing.session,
        hearing.organization,
        kind=AlertKind.UNKNOWN_SENDER,
        tier=worst(Tier.ROUTINE, understood.tier),
        sender=hearing.address,
        communication=hearing.communication,
        flags=understood.flags,
        knowledge=hearing.knowledge,
        now=hearing.now,
    )


def shared(hearing: Hearing, patients: Sequence[Patient]) -> Processed:
    """Ask staff whose text it is: an alert for every patient at this phone, and nothing is bound silently."""
    hearing.language = patients[0].language
    understood = understand(hearing)
    note(hearing, understood)
    if understood.keyword.reaction:
        return hearing.done("reaction", Tier.NONE)
    done = _by_keyword(hearing, understood, patients)
    if done is not None and not understood.is_danger:
        return done
    tier = worst(Tier.ROUTINE, understood.tier)
    raised = [
        keyword_acts.alert_for(hearing, patient, tier, understood.flags, AlertKind.SHARED_PHONE)
        for patient in patients
    ]
    if done is None:
        _answer_shared(hearing, understood)
    return hearing.done(done.handling if done else "shared_phone", alert_id=raised[0].id)


def _answer_shared(hearing: Hearing, understood: Understood) -> None:
    if understood.is_danger:
        responding.respond(hearing, understood)
    else:
        answering.say(hearing, "auto_shared_phone", event="shared_phone")


def _by_keyword(hearing: Hearing, understood: Understood, patients: Sequence[Patient]) -> Processed | None:
    keyword = understood.keyword
    if keyword.kind is KeywordKind.STOP and keyword.clear:
        return keyword_acts.stop(hearing, understood, patients)
    if keyword.kind is KeywordKind.START and keyword.alone:
        # As a YES would be: whose invitation it answers, nobody can tell.
        is_invited = any(keyword_acts.is_invited(hearing, patient) for patient in patients)
        return None if is_invited else keyword_acts.start(hearing, patients)
    if keyword.kind is KeywordKind.HELP and keyword.alone:
        return keyword_acts.help_(hearing, understood)
    return None
