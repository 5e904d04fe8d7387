"""Many strings looked for at once (Aho and Corasick, "Efficient string matching", 1975)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import ahocorasick
import numpy as np

from quern.text.codec import Encoding
from quern.text.normalise import normalise


class Match(NamedTuple):
    """Where a string stands in a text: its first and last unit, and the string's number."""

    first: int
    last: int
    string: int


def folded(part: str) -> str:
    """A string as it is looked for: white space at its ends left out, width and case folded."""
    return normalise(part.strip())[0]


class Finder:
    """Strings that are found in a text wherever they stand on unit borders.

    It finds what ``TextCodec.occurrences`` finds of each of them when it folds, in one pass.
    """

    def __init__(self, strings: Sequence[str]) -> None:
        """Strings, distinct and not empty, as ``folded`` gives them; their places number them."""
        self._lengths = [len(string) for string in strings]
        self._automaton = ahocorasick.Automaton(ahocorasick.STORE_INTS)
        for number, string in enumerate(strings):
            self._automaton.add_word(string, number)
        self._automaton.make_automaton()

    def __call__(self, encoding: Encoding) -> list[Match]:
        """All matches in the order of their units."""
        if not self._lengths:
            return []  # an automaton of nothing refuses to look
        text, origin = normalise(encoding.text)
        starts, ends = encoding.starts, encoding.ends
        if origin is not None:
            starts, ends = np.searchsorted(origin, starts), np.searchsorted(origin, ends)
        # Half of a character that folds into several (the ``2`` of ``½``) is on no border.
        first_of = {at: unit for unit, at in enumerate(starts.tolist())}
        last_of = {at: unit for unit, at in enumerate(ends.tolist())}
        found = []
        for at, string in self._automaton.iter(text):
            last = last_of.get(at + 1)
            first = first_of.get(at + 1 - self._lengths[string])
            if first is not None and last is not None:
                found.append(Match(first, last, string))
        return sorted(found)
