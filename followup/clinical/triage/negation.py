"""Say whether the words before a match deny it: "no fever" yes, "no fever but pus" only the fever."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from followup.clinical.triage.text import Word

REACH = 5  #: words that a denial reaches forward
ITEMS = 8  #: longest list that is followed back to its denial
LISTED = 3  #: longest item of a list that an earlier denial still covers


@dataclass(frozen=True, slots=True)
class NegationWords:
    """The words that deny, join items of a denied list, or end a denial."""

    negators: frozenset[str]
    joiners: frozenset[str]
    pronouns: frozenset[str]  #: a new statement begins with one of these


def is_negated(words: Sequence[Word], first: int, negation: NegationWords) -> bool:
    """Say whether a match that begins at this word is denied."""
    clause = _clause(words, first)
    if _denied(words, clause.start, first, negation):
        return True
    return _in_denied_list(words, clause, negation)


def _clause(words: Sequence[Word], index: int) -> range:
    start = end = index
    while start > 0 and words[start - 1].clause == words[index].clause:
        start -= 1
    while end < len(words) and words[end].clause == words[index].clause:
        end += 1
    return range(start, end)


def _denied(words: Sequence[Word], start: int, first: int, negation: NegationWords) -> bool:
    for place in range(first - 1, max(start, first - 2 * REACH - 1) - 1, -1):
        between = words[place + 1 : first]
        if words[place].text in negation.negators:
            if between and between[0].text in negation.pronouns:
                return False  # "no i have pus", "no one": an answer or another matter, then a statement
            if _new_statement(between, negation):
                return False  # "no poop and my belly is swollen"
            joined = any(word.text in negation.joiners for word in between)
            return len(between) <= REACH or (joined and len(between) <= 2 * REACH)
    return False


def _new_statement(between: Sequence[Word], negation: NegationWords) -> bool:
    return any(a.text in negation.joiners and b.text in negation.pronouns for a, b in pairwise(between))


def _in_denied_list(
    words: Sequence[Word], clause: range, negation: NegationWords, items: int = ITEMS
) -> bool:
    """Say whether the clause is an item of a list like "no fever, chills or pus"."""
    inside = [words[place].text for place in clause]
    joined = bool(negation.joiners & set(inside)) or _joined_later(words, clause, negation)
    if (
        len(clause) > LISTED
        or not joined
        or set(inside) & negation.pronouns
        or clause.start == 0
        or not items
    ):
        return False
    before = clause.start - 1
    if words[before].sentence != words[clause.start].sentence or "," not in words[clause.start].gap:
        return False
    earlier = _clause(words, before)
    head = [words[place].text for place in earlier]
    if len(head) > 1 and set(head[:-1]) & negation.negators and not set(head) & negation.pronouns:
        return True
    return _in_denied_list(words, earlier, negation, items - 1)


def _joined_later(words: Sequence[Word], clause: range, negation: NegationWords) -> bool:
    if clause.stop >= len(words) or words[clause.stop].sentence != words[clause.start].sentence:
        return False
    following = _clause(words, clause.stop)
    return any(words[place].text in negation.joiners for place in following[:LISTED])
