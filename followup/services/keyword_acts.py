"""Act on words that act by themselves: STOP, START, HELP, and the named ones that our texts offer."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from followup.clinical.keywords import Keyword, KeywordKind
from followup.clinical.reply import is_okay
from followup.clinical.triage.text import read_text
from followup.core.vocabulary import (
    AlertKind,
    Channel,
    ConsentStatus,
    Fact,
    Language,
    Question,
    SuppressionReason,
    Tier,
    worst,
)
from followup.services import alerts, answering, blocks, consent, planning, preferences
from followup.services.hearing import Hearing, Processed
from followup.services.understanding import Understood
from followup.store.models import Alert, Consent, Patient
from followup.store.queries import consents, plans
from followup.store.queries import inbound as queries

#: What Twilio answers by itself, as the whole text in any case (its own lists of default keywords).
CARRIER_STOP = frozenset(["stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout"])
CARRIER_START = frozenset(["start", "unstop"])
CARRIER_HELP = frozenset(["help", "info"])
_HELP_AFTER = timedelta(hours=24)  #: the taxonomy: HELP within 24 h of danger is added to that alert
_TIPS: Mapping[KeywordKind, str] = {
    KeywordKind.CRAVE: "kw_crave",
    KeywordKind.PAIN: "kw_pain",
    KeywordKind.SLEEP: "kw_sleep",
    KeywordKind.ANXIOUS: "kw_anxious",
}
_LANGUAGES: Mapping[KeywordKind, tuple[Language, str]] = {
    KeywordKind.ENG: (Language.EN, "kw_eng"),
    KeywordKind.ESP: (Language.ES, "kw_esp"),
}
_SUPPORT: Mapping[KeywordKind, tuple[bool, str]] = {
    KeywordKind.TIPS: (True, "kw_tips_on"),
    KeywordKind.NO_TIPS: (False, "kw_tips_off"),
}

#: Keywords after which nothing is left for a person to do, once the program has acted.
_NOTHING_LEFT = frozenset((*_SUPPORT, KeywordKind.DONE, KeywordKind.LATER))


def alert_for(
    hearing: Hearing,
    patient: Patient,
    tier: Tier,
    flags: Sequence[str],
    kind: AlertKind = AlertKind.REPLY,
) -> Alert:
    """Raise or extend the patient's alert with this text."""
    return alerts.trigger(
        hearing.session,
        hearing.organization,
        kind=kind,
        tier=tier,
        patient=patient,
        sender=hearing.address or None,
        communication=hearing.communication,
        flags=flags,
        knowledge=hearing.knowledge,
        now=hearing.now,
    )


def stop(hearing: Hearing, understood: Understood, patients: Sequence[Patient]) -> Processed:
    """End every channel, hold the course, ask staff to call; danger words beside it count as well.

    It is confirmed once: a machine that answers our confirmation with STOP would go on for ever.
    """
    is_known = hearing.block is SuppressionReason.OPTED_OUT
    consent.opt_out(
        hearing.session,
        hearing.organization.id,
        channel=hearing.channel,
        address=hearing.address,
        patients=patients,
        communication_id=hearing.communication.id,
        knowledge=hearing.knowledge,
        now=hearing.now,
    )
    for patient in patients:
        alerts.refresh_reach(hearing.session, patient)
    if understood.is_danger:
        answering.safety(hearing, "auto_optout_danger")
        return hearing.done("opted_out_danger", understood.tier)
    if not is_known and not _carrier_says(hearing, CARRIER_STOP):
        answering.say(hearing, "auto_optout")
    return hearing.done("opted_out", understood.tier)


def start(hearing: Hearing, patients: Sequence[Patient]) -> Processed:
    """Lift what a STOP or a wrong number blocked where the person once said yes; else say that we cannot."""
    is_back = consent.opt_in(
        hearing.session,
        hearing.organization.id,
        channel=hearing.channel,
        address=hearing.address,
        patients=patients,
        communication_id=hearing.communication.id,
        knowledge=hearing.knowledge,
        now=hearing.now,
    )
    if not is_back:
        return refuse(hearing, patients)
    for patient in patients:
        alerts.refresh_reach(hearing.session, patient)
    if not _carrier_says(hearing, CARRIER_START):
        labels = (consent.end_label(hearing.session, patient) for patient in patients)
        end = next((label for label in labels if label), "")
        answering.say(hearing, "auto_start", fields={"end_date": end})
    return hearing.done("opted_in", Tier.NONE)


def refuse(hearing: Hearing, patients: Sequence[Patient]) -> Processed:
    """Say that texts cannot be turned on from here, and let a person look; never silence."""
    answering.say(hearing, "auto_start_refused", event="start_without_consent")
    kind = AlertKind.REPLY if len(patients) == 1 else AlertKind.SHARED_PHONE
    raised = [alert_for(hearing, patient, Tier.ROUTINE, ("start",), kind) for patient in patients]
    if not raised:
        return hearing.done("start_refused", Tier.NONE)
    return hearing.done("start_refused", Tier.ROUTINE, raised[0].id)


def help_(hearing: Hearing, understood: Understood) -> Processed:
    """Say where help is; soon after danger, HELP belongs to that alert."""
    if not _carrier_says(hearing, CARRIER_HELP):
        answering.say(hearing, "auto_help", event="help")
    patient = hearing.patient
    since = hearing.now - _HELP_AFTER
    if patient is None or not queries.wrote_danger(
        hearing.session, hearing.organization.id, patient.id, since
    ):
        return hearing.done("help", understood.tier)
    alert = alert_for(hearing, patient, Tier.ROUTINE, ("help",))
    return hearing.done("help_after_danger", Tier.ROUTINE, alert.id)


def ask_if_stop(hearing: Hearing, understood: Understood, patient: Patient) -> Processed:
    """Ask what an unclear wish to stop means; a person asks as well, today."""
    answering.say(hearing, "auto_optout_ask", event="opt_out_unclear")
    alert = alert_for(hearing, patient, worst(Tier.ROUTINE, understood.tier), understood.flags)
    return hearing.done("asked_if_stop", worst(Tier.ROUTINE, understood.tier), alert.id)


def answer_invitation(hearing: Hearing, keyword: Keyword, patient: Patient) -> Processed | None:
    """Take a YES or NO to the open invitation; None when the text is neither or none is open."""
    if not keyword.alone or keyword.kind not in (KeywordKind.YES, KeywordKind.START, KeywordKind.NO):
        return None
    invitation = consents.open_invitation(
        hearing.session, hearing.organization.id, patient.id, hearing.channel, now=hearing.now
    )
    if invitation is None:
        return _too_late(hearing, keyword, patient)
    heard, by = hearing.communication.id, f"patient:{hearing.channel.value}"
    if keyword.kind is KeywordKind.NO:
        hearing.lanes |= consent.decline(
            hearing.session, invitation, by=by, communication_id=heard, now=hearing.now
        )
        return hearing.done("declined", Tier.NONE)
    if keyword.kind is KeywordKind.START:
        road = (hearing.channel, hearing.address)
        blocks.lift(hearing.session, hearing.organization.id, [road], hearing.now)
    if hearing.is_blocked:
        return refuse(hearing, [patient])
    if not consents.was_shown(hearing.session, invitation):
        return _show(hearing, invitation)
    hearing.lanes |= consent.give(
        hearing.session,
        invitation,
        by=by,
        communication_id=heard,
        knowledge=hearing.knowledge,
        now=hearing.now,
    )
    return hearing.done("consented", Tier.NONE)


def _show(hearing: Hearing, invitation: Consent) -> Processed:
    """Answer a YES that came before the invitation went with its wording: nobody agrees to words unseen."""
    if answering.say(hearing, invitation.wording_key, asks=Question.CONSENT) and hearing.care_plan:
        organization_id, plan_id = hearing.organization.id, hearing.care_plan.id
        unsent = consents.unsent_invitations(hearing.session, organization_id, plan_id)
        same = [row.id for row in unsent if row.message_key == invitation.wording_key]
        plans.revoke(hearing.session, same, "shown")
    return hearing.done("invited", Tier.NONE)


def _too_late(hearing: Hearing, keyword: Keyword, patient: Patient) -> Processed | None:
    """Take a YES without an open invitation, late or after a NO or STOP: a person looks, nothing begins."""
    if keyword.kind is not KeywordKind.YES or hearing.question is not None:
        return None
    current = consents.current_consents(hearing.session, hearing.organization.id, patient.id)
    is_proposed = any(one.status is ConsentStatus.PROPOSED for one in current)
    has_ended = hearing.is_blocked or not current
    # An "ok" to "OK, we will not text you" is politeness.
    if is_proposed or (has_ended and not is_okay(read_text(hearing.communication.body))):
        return refuse(hearing, [patient])
    return None


def is_invited(hearing: Hearing, patient: Patient) -> bool:
    """Tell whether the patient has an invitation that waits for an answer."""
    found = consents.open_invitation(
        hearing.session, hearing.organization.id, patient.id, hearing.channel, now=hearing.now
    )
    return found is not None


def offered(hearing: Hearing, understood: Understood, patient: Patient) -> Processed | None:
    """Act on a named keyword; None when the text is none, so that it is read as words.

    Where the program does not yet do what the keyword's own text promises, the text of a routine message goes
    and a person does it.
    """
    kind = understood.keyword.kind
    if kind is None or kind not in _ACTS or not understood.keyword.alone:
        return None
    is_done = _ACTS[kind](hearing, kind, patient)
    if is_done and kind in _NOTHING_LEFT:
        return hearing.done("keyword", Tier.NONE)
    if not is_done:
        answering.say(hearing, answering.worded(hearing, "auto_routine"), event="tier_routine")
    tier = worst(Tier.ROUTINE, understood.tier)
    alert = alert_for(hearing, patient, tier, understood.flags)
    return hearing.done("keyword", tier, alert.id)


def _carrier_says(hearing: Hearing, words: frozenset[str]) -> bool:
    is_sms = hearing.channel is Channel.SMS
    said = hearing.communication.body.strip().casefold()
    return is_sms and hearing.carrier_confirms_keywords and said in words


def _tip(hearing: Hearing, kind: KeywordKind, _patient: Patient) -> bool:
    if kind is KeywordKind.CRAVE:
        answering.safety(hearing, answering.worded(hearing, "auto_craving"))
    answering.say(hearing, answering.in_turn(hearing, _TIPS[kind]))
    return True


def _call(hearing: Hearing, _kind: KeywordKind, _patient: Patient) -> bool:
    answering.say(hearing, answering.worded(hearing, "kw_call"))
    return True


def _plan(hearing: Hearing, _kind: KeywordKind, _patient: Patient) -> bool:
    care_plan = hearing.care_plan
    if care_plan is None or planning.running_taper(hearing.session, care_plan) is None:
        return False
    answering.say(hearing, "kw_plan")
    return True


def _language(hearing: Hearing, kind: KeywordKind, patient: Patient) -> bool:
    hearing.language, key = _LANGUAGES[kind]
    care_plan = hearing.care_plan
    if care_plan is None:
        patient.language = hearing.language
    else:
        _save(hearing, patient, support=care_plan.has(Fact.SUPPORT_ON))
    answering.say(hearing, key)
    return True


def _support(hearing: Hearing, kind: KeywordKind, patient: Patient) -> bool:
    wanted, key = _SUPPORT[kind]
    if hearing.care_plan is None or hearing.is_over:
        return False
    _save(hearing, patient, support=wanted)
    answering.say(hearing, key)
    return True


def _save(hearing: Hearing, patient: Patient, *, support: bool) -> None:
    hides = hearing.care_plan.hide_numbers if hearing.care_plan else False
    preferences.save(
        hearing.session,
        patient,
        language=hearing.language,
        support=support,
        hide_numbers=hides,
        knowledge=hearing.knowledge,
        now=hearing.now,
    )


def _done(hearing: Hearing, _kind: KeywordKind, _patient: Patient) -> bool:
    if hearing.question is not Question.DISPOSAL or hearing.care_plan is None:
        return False
    hearing.care_plan.set_fact(Fact.PILLS_LEFT, true=False)
    answering.say(hearing, "disposal_done")
    return True


def _later(hearing: Hearing, _kind: KeywordKind, patient: Patient) -> bool:
    if hearing.question is not Question.DISPOSAL:
        if hearing.question is None:
            return False
        answering.say(hearing, "kw_later")
        return True
    again = queries.still_to_ask(hearing.session, hearing.organization.id, patient.id, Question.DISPOSAL)
    answering.say(hearing, "disposal_later" if again else "disposal_later_last")
    return True


def _by_a_person(_hearing: Hearing, _kind: KeywordKind, _patient: Patient) -> bool:
    return False


_ACTS: Mapping[KeywordKind, Callable[[Hearing, KeywordKind, Patient], bool]] = {
    **dict.fromkeys(_TIPS, _tip),
    **dict.fromkeys(_LANGUAGES, _language),
    **dict.fromkeys(_SUPPORT, _support),
    KeywordKind.CALL: _call,
    KeywordKind.PLAN: _plan,
    KeywordKind.DONE: _done,
    KeywordKind.LATER: _later,
    KeywordKind.LESS: _by_a_person,
    KeywordKind.MORE: _by_a_person,
    KeywordKind.PAUSE: _by_a_person,
    KeywordKind.BACK: _by_a_person,
    KeywordKind.SUPPORT: _by_a_person,
}
