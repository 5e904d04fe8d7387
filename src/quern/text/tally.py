"""How often each word of a text was met, in memory that has a limit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from heapq import nsmallest

_DISTINCT = 2_000_000  # words counted at once


class Tally:
    """Counts of words; above two million different ones the rarest are forgotten.

    At first those met once, the next time those met up to twice, and so on, so that a count may
    be too low by as much ("lossy counting", Manku and Motwani, "Approximate Frequency Counts over
    Data Streams", 2002).

    Attributes:
        counts: of the words.
    """

    def __init__(self) -> None:
        """Nothing is counted yet."""
        self.counts: Counter[str] = Counter()
        self._forgotten = 0

    def update(self, words: Iterable[str]) -> None:
        """Count some words, a text's at most: only then is looked how many there are."""
        self.counts.update(words)
        if len(self.counts) > _DISTINCT:
            self._forgotten += 1
            kept = {word: n for word, n in self.counts.items() if n > self._forgotten}
            self.counts = Counter(kept)


def frequent(counts: Mapping[str, int], min_count: int, most: int) -> dict[str, int]:
    """The most frequent words with their counts; of equal ones the first by letters."""
    ranked = nsmallest(most, counts.items(), key=lambda item: (-item[1], item[0]))
    return {word: count for word, count in ranked if count >= min_count}
