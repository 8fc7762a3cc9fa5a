"""Check moves between states against a table."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

from followup.core.errors import InvalidTransition

S = TypeVar("S", bound=StrEnum)
Moves = Mapping[S, frozenset[S]]


def may_move(moves: Moves[S], old: S, new: S) -> bool:
    """Tell whether the table allows `old` to become `new`."""
    return new in moves.get(old, frozenset())


def move(thing: Any, new: S, moves: Moves[S]) -> None:
    """Set `thing.status` to `new`, or raise InvalidTransition in words."""
    old: S = thing.status
    if not may_move(moves, old, new):
        raise InvalidTransition(f"{type(thing).__name__} is {old.value}; it cannot become {new.value}.")
    thing.status = new
