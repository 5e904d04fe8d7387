"""The words that a codec knows besides its units, and which of them covers each unit of a text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
        words: in the order of their rows.
    """

    def __init__(self, words: Iterable[str]) -> None:
        """Number ``words`` in the order given.

        Raises:
            TextError: a word is not folded, holds nothing but white space or a lone surrogate,
                or two have the same units.
        """
        self.words = tuple(words)
        self._symbols: dict[str, int] = {}  # the units that words are made of, from 1 on
        # A trie as one table: node and symbol, in one number, to the next node.
        self._next: dict[int, int] = {}
        self._rows = [0]  # the word that ends at a node
        spelled = [self._spelled(word) for word in self.words]
        self._width = len(self._symbols) + 1
        for row, symbols in enumerate(spelled, 1):
            node = _ROOT
            for symbol in symbols:
                node = self._next.setdefault(node * self._width + symbol, len(self._rows))
                if node == len(self._rows):
                    self._rows.append(0)
            if self._rows[node]:
                raise TextError(
                    f"'{self.words[row - 1]}' and '{self.words[self._rows[node] - 1]}': a word "
                    "list needs words of different units"
                )
            self._rows[node] = row

    def _spelled(self, word: str) -> list[int]:
        spans = split(word)
        if not spans or normalise(word)[0] != word or SURROGATE.search(word):
            raise TextError(f"{word!a}: a word list needs folded words without lone surrogates")
        symbols = self._symbols
        return [symbols.setdefault(word[a:b], len(symbols) + 1) for a, b in spans]

    def __len__(self) -> int:
        return len(self.words)

    def symbol(self, unit: str) -> int:
        """The number of a folded unit among those that words are made of; 0 is in no word."""
        return self._symbols.get(unit, 0)

    def cover(self, symbols: Sequence[int]) -> list[int]:
        """For each unit, given as its symbol, the row of the word that covers it, or 0."""
        after, ends, width = self._next.get, self._rows, self._width
        rows = [0] * len(symbols)
        at = 0
        while at < len(symbols):
            node, row, stop = _ROOT, 0, at + 1
            for place in range(at, len(symbols)):
                found = after(node * width + symbols[place])
                if found is None:
                    break
                node = found
                if ends[node]:
                    row, stop = ends[node], place + 1
            if row:
                rows[at:stop] = [row] * (stop - at)
            at = stop
        return rows
