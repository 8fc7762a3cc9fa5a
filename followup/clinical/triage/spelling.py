"""Mend words that are spelled wrongly: known slips first, then one-letter slips of danger words."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from rapidfuzz.distance import OSA

from followup.clinical.triage.text import Word, respelled

SHORTEST = 6  #: shorter words differ by one letter too often to guess


class Speller:
    """Words to mend, and the words that are right as they stand."""

    def __init__(self, slips: Mapping[str, str], mend: Iterable[str], knows: Callable[[str], bool]) -> None:
        """Keep the known slips, the words to mend towards, and what says that a word is right."""
        self._slips = dict(slips)
        self._mend = tuple(sorted(set(mend)))
        self._knows = knows

    def mend(self, words: Sequence[Word]) -> tuple[Word, ...]:
        """Return the words with their spelling mended."""
        return tuple(respelled(word, self._mended(word.text)) for word in words)

    def _mended(self, word: str) -> str:
        if word in self._slips:
            return self._slips[word]
        if not SHORTEST <= len(word) <= 20 or word in self._mend or self._knows(word):
            return word
        return next((right for right in self._mend if _one_slip(word, right)), word)


def _one_slip(word: str, right: str) -> bool:
    return (
        word[0] == right[0]
        and abs(len(word) - len(right)) <= 1
        and OSA.distance(word, right, score_cutoff=1) <= 1
    )
