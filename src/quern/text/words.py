"""The words that a codec knows besides its units, and which of them covers each unit of a text."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate

from quern.errors import TextError
from quern.text.normalise import normalise
from quern.text.units import split
from quern.text.vocabulary import SURROGATE

_ROOT = 0


class Words:
    """Words of one folded unit or several, each with a row from 1 on; row 0 is no word.

    A text is covered from its beginning: the longest word that begins at a unit takes its
    units, and the search goes on behind it ("forward maximum matching", the oldest way to cut
    Chinese into words). White space between units does not count. It needs no segmenter, and
    what covers a unit depends on nothing but the text.

    Attributes:
        listed: the words, in the order of their rows.
    """

    def __init__(self, words: Iterable[str]) -> None:
        """Number ``words`` in the order given.

        Raises:
            TextError: a word is not folded, holds nothing but white space or a lone surrogate,
                or two have the same units.
        """
        self.listed = tuple(words)
        self._symbols: dict[str, int] = {}  # the units that words are made of, from 1 on
        # A trie as one table: node and symbol, in one number, to the next node.
        self._next: dict[int, int] = {}
        self._rows = [0]  # the word that ends at a node
        spelled = self._spelled()
        self._width = len(self._symbols) + 1
        for row, symbols in enumerate(spelled, 1):
            node = _ROOT
            for symbol in symbols:
                node = self._next.setdefault(node * self._width + symbol, len(self._rows))
                if node == len(self._rows):
                    self._rows.append(0)
            if self._rows[node]:
                one, other = self.listed[self._rows[node] - 1], self.listed[row - 1]
                raise TextError(f"{one!r} and {other!r}: a word list needs different words")
            self._rows[node] = row

    def _spelled(self) -> list[list[int]]:
        """The units of every word, each by its symbol; new units get the next one."""
        lines = "\n".join(self.listed)
        ends = list(accumulate(len(word) + 1 for word in self.listed))
        spelled: list[list[int]] = [[] for _ in self.listed]
        for a, b in split(lines):  # of all at once, which is quicker
            symbol = self._symbols.setdefault(lines[a:b], len(self._symbols) + 1)
            spelled[bisect_right(ends, a)].append(symbol)
        for word, symbols in zip(self.listed, spelled, strict=True):
            if not symbols or "\n" in word or SURROGATE.search(word) or normalise(word)[0] != word:
                raise TextError(f"{word!r}: a word list needs folded words of a line each")
        return spelled

    def __len__(self) -> int:
        return len(self.listed)

    def symbol(self, unit: str) -> int:
        """The number of a folded unit among those that words are made of; 0 is in no word."""
        return self._symbols.get(unit, 0)

    def cover(self, symbols: Sequence[int]) -> list[int]:
        """For each unit, given as its symbol, the row of the word that covers it, or 0."""
        after, ends, width = self._next.get, self._rows, self._width
        rows, at, count = [0] * len(symbols), 0, len(symbols)
        ahead = [*symbols, 0]  # which no word goes on with
        while at < count:
            row, stop, place = 0, at + 1, at
            node = after(ahead[at])
            while node is not None:
                place += 1
                if ends[node]:
                    row, stop = ends[node], place
                node = after(node * width + ahead[place])
            if row:
                rows[at:stop] = [row] * (stop - at)
            at = stop
        return rows
