"""A state changes only as its table allows."""

from types import SimpleNamespace

import pytest

from followup.core import states
from followup.core.errors import InvalidTransition
from followup.core.vocabulary import AlertStatus, CarePlanStatus, RequestStatus, TaperStatus

TABLES = {name: table for name, table in vars(states).items() if name.endswith("_MOVES")}


def test_every_table_is_looked_at():
    assert len(TABLES) == 5


@pytest.mark.parametrize("name", TABLES)
def test_a_table_knows_only_the_words_of_one_vocabulary(name):
    table = TABLES[name]
    (kind,) = {type(word) for word in [*table, *(new for moves in table.values() for new in moves)]}
    assert set(table) < set(kind), "some state is an end"


@pytest.mark.parametrize("name", TABLES)
def test_nothing_moves_to_where_it_is(name):
    assert all(old not in moves for old, moves in TABLES[name].items())


def test_an_allowed_move_is_made():
    thing = SimpleNamespace(status=AlertStatus.TRIGGERED)
    states.move(thing, AlertStatus.ACKNOWLEDGED, states.ALERT_MOVES)
    assert thing.status is AlertStatus.ACKNOWLEDGED


def test_another_move_is_refused_in_words_and_changes_nothing():
    thing = SimpleNamespace(status=AlertStatus.RESOLVED)
    with pytest.raises(InvalidTransition, match="SimpleNamespace is resolved; it cannot become triggered"):
        states.move(thing, AlertStatus.TRIGGERED, states.ALERT_MOVES)
    assert thing.status is AlertStatus.RESOLVED


@pytest.mark.parametrize(
    ("table", "old", "new"),
    [
        (states.REQUEST_MOVES, RequestStatus.COMPLETED, RequestStatus.ACTIVE),
        (states.REQUEST_MOVES, RequestStatus.IN_PROGRESS, RequestStatus.REVOKED),
        (states.CARE_PLAN_MOVES, CarePlanStatus.REVOKED, CarePlanStatus.ACTIVE),
        (states.TAPER_MOVES, TaperStatus.DRAFT, TaperStatus.ON_HOLD),
        (states.TAPER_MOVES, TaperStatus.SUPERSEDED, TaperStatus.APPROVED),
    ],
)
def test_what_must_never_happen_is_in_no_table(table, old, new):
    assert not states.may_move(table, old, new)
