"""Which text answers which event: the shipped file, and files with a mistake."""

import csv

import pytest

from followup.core.errors import ContentError
from followup.messages import lint
from followup.messages.events import Counts, Per, Pick, events_from
from tests.content.planting import DRAFTS, needs_drafts

ONE = {"messages": ["auto_help"], "counts": "reply"}


@needs_drafts
def test_the_events_are_those_of_the_draft(events):
    with (DRAFTS / "events.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [
        (row["event"], row["message_ids"], row["counts_toward_cap"], row["limit"], row["note"])
        for row in rows
    ] == [
        (one.name, ";".join(one.message_keys), one.counts, one.limit.words, one.note) for one in events.all()
    ]
    assert len(rows) == 138


@pytest.mark.parametrize(
    ("name", "times", "per", "hours"),
    [
        ("help", 3, Per.DAY, 24),
        ("tier_routine", 1, Per.HOUR, 1),
        ("wound_question", 1, Per.WEEK, 168),
        ("consent_yes", 1, Per.EVER, None),
        ("auto_hold", 1, Per.HOLD, None),
        ("plan_approved", 1, Per.VERSION, None),
        ("tier_emergency", 1, Per.EVENT, None),
        ("kw_less", None, Per.EVENT, None),
        ("stopped_plus_24h_and_72h", 2, Per.EVER, None),
    ],
)
def test_a_limit_is_something_a_program_can_act_upon(events, name, times, per, hours):
    limit = events.get(name).limit
    assert (limit.times, limit.per, limit.per_hours) == (times, per, hours)


def test_words_of_a_limit_and_its_numbers_agree(events):
    spans = {
        "an hour": Per.HOUR,
        "a day": Per.DAY,
        "a week": Per.WEEK,
        "a check-in": Per.CHECKIN,
        "a hold": Per.HOLD,
    }
    for event in events.all():
        for words, per in spans.items():
            if words in event.limit.words:
                assert (event.name, event.limit.per) == (event.name, per)
        if not event.limit.words:
            assert event.limit.times is None
        if event.limit.words == "once":
            assert (event.limit.times, event.limit.per) == (1, Per.EVER)


def test_every_event_of_a_tier_sends_one_text_by_its_flag(events):
    for name in ("tier_emergency", "tier_urgent", "tier_urgent_office_closed", "tier_routine"):
        event = events.get(name)
        assert event.pick is Pick.BY_CASE
        assert event.counts is Counts.REPLY


def test_an_unknown_event_is_refused(events):
    with pytest.raises(ContentError, match="unknown event: nonsense"):
        events.get("nonsense")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"messages": ["auto_help"]}, "counts"),
        ({**ONE, "counts": "sometimes"}, "sometimes"),
        ({**ONE, "per": "fortnight"}, "fortnight"),
        ({**ONE, "often": 3}, "unknown keys: often"),
    ],
)
def test_a_broken_event_is_refused_by_name(wrong, said):
    with pytest.raises(ContentError, match=f"events.toml: ?help.*{said}"):
        events_from({"owner": "x", "help": wrong})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"messages": ["no_such_text"]}, "unknown message no_such_text"),
        ({"messages": []}, "no message"),
        ({"times": 0}, "times must be 1 or more"),
        ({"pick": "in_turn"}, "pick in_turn needs several messages"),
    ],
)
def test_law_catches_a_faulty_event(catalog, wrong, said):
    faults = lint.check(catalog, events_from({"help": {**ONE, **wrong}}))
    assert [fault for fault in faults if fault.startswith("events.toml/help:") and said in fault]
