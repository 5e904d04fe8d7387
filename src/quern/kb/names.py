"""The names of a knowledge base, found in texts.

Not by an automaton, which takes long to load and much memory (``benchmarks/name_lookup.py``).
Instead every stretch of up to eight pieces of a text is hashed, all at once, and looked up in a
sorted array of eight bytes a name; where one begins a longer name, longer stretches are, too.
Hashes have 64 bits: among ten million names one stretch in 10¹² is taken for a name that it is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quern.kb import index
from quern.kb.hashset import HashSet
from quern.kb.store import Store
from quern.records import NameMatch
from quern.text.keys import Keyed, keyed
from quern.text.windows import WIDTH, Windows, hashes_of_names

_AT_ONCE = 20_000  # characters, or pieces, looked through together: arrays that stay near

_NONE: NDArray[np.int64] = np.zeros(0, dtype=np.int64)


class _Known(NamedTuple):
    """Where the reader stands."""

    generation: int
    upto: int  # number of the last name
    gone: int  # last entry of what is gone
    version: tuple[int, int]


class Names:
    """All names of a knowledge base, as they are at the moment of asking."""

    def __init__(self, store: Store) -> None:
        """Load the saved index and what came since."""
        self._store = store
        self._hashes = HashSet(np.zeros(0, dtype=np.uint64))
        self._longest = 0
        self._known = _Known(-1, 0, 0, (-1, -1))
        self.refresh()

    def refresh(self) -> None:
        """Take in what has been written since, by whomever.

        Raises:
            StoreError: the file cannot be read.
        """
        store = self._store
        if store.version == self._known.version:
            return
        with store.snapshot():
            version, known = store.version, self._known
            if index.generation(store) != known.generation:
                saved = index.load(store)
                self._hashes, self._longest = HashSet(saved.hashes), saved.longest
                known = _Known(saved.generation, saved.upto, saved.gone, version)
            came = store.rows("SELECT number, key FROM names WHERE number > ?", [known.upto])
            went = store.rows("SELECT seq, key FROM gone WHERE seq > ?", [known.gone])
            if came:
                hashes, longest = hashes_of_names(keyed([key for _, key in came]))
                self._longest = max(self._longest, longest)
                self._hashes.change(dict.fromkeys(hashes.tolist(), True))
            if went:
                self._hashes.change(index.present(store, [key for _, key in went]))
            upto = max((number for number, _ in came), default=known.upto)
            gone = max((seq for seq, _ in went), default=known.gone)
            self._known = _Known(known.generation, upto, gone, version)

    def find(self, text: str, *, every: bool = False) -> list[NameMatch]:
        """The names that stand in a text; see ``find_many``."""
        return next(self.find_many([text], every=every))

    def find_many(self, texts: Iterable[str], *, every: bool = False) -> Iterator[list[NameMatch]]:
        """The names that stand in texts, text by text, many times faster than one by one.

        Args:
            texts: any strings.
            every: all matches, also such as overlap; without, the text is covered from its
                beginning by the longest name at each place.

        Yields:
            For each text its matches, by where they begin, then by where they end.

        Raises:
            StoreError: the file cannot be read.
        """
        for lot in _lots(texts):
            yield from self._find(lot, every)

    def _find(self, texts: Sequence[str], every: bool) -> Iterator[list[NameMatch]]:
        self.refresh()
        return _matches(texts, self._hashes, self._longest, every)


class NameList:
    """Names of no knowledge base, found in texts as those of one are."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Take names by their keys (``quern.text.keys``)."""
        hashes, self._longest = hashes_of_names(keyed(keys))
        self._hashes = HashSet(hashes)

    def find_many(self, texts: Iterable[str], *, every: bool = False) -> Iterator[list[NameMatch]]:
        """The names that stand in texts; see ``Names.find_many``."""
        for lot in _lots(texts):
            yield from _matches(lot, self._hashes, self._longest, every)


def _lots(texts: Iterable[str]) -> Iterator[list[str]]:
    """Texts that are looked through together."""
    lot: list[str] = []
    size = 0
    for text in texts:
        lot.append(text)
        size += len(text)
        if size >= _AT_ONCE:
            yield lot
            lot, size = [], 0
    if lot:
        yield lot


def _matches(
    texts: Sequence[str], hashes: HashSet, longest: int, every: bool
) -> Iterator[list[NameMatch]]:
    written = keyed(texts)
    first, last = stretches(written, hashes, longest)
    order = np.lexsort((last, first))
    first, last = first[order], last[order]
    borders = np.searchsorted(first, written.pieces).tolist()
    stream = written.codes.tobytes().decode("utf-32-le")
    spots = list(
        zip(
            *(first.tolist(), last.tolist()),
            *(written.starts[first].tolist(), written.ends[last].tolist()),
            *(written.firsts[first].tolist(), written.lasts[last].tolist()),
            strict=True,
        )
    )
    for text, a, b in zip(texts, borders, borders[1:], strict=False):
        chosen = spots[a:b] if every else _longest(spots[a:b])
        yield [
            NameMatch(start, end, text[start:end], stream[here:there])
            for _, _, start, end, here, there in chosen
        ]


def stretches(
    written: Keyed, hashes: HashSet, longest: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last piece of every stretch that is a name.

    Args:
        written: texts.
        hashes: of all names (see ``hashes_of_names``).
        longest: pieces of the longest name.
    """
    windows, count = Windows(written), len(written.firsts)
    firsts, lasts = [_NONE], [_NONE]
    for start in range(0, count, _AT_ONCE):
        stop = min(count, start + _AT_ONCE)
        begin, leading = windows.beginnings(start, stop)
        begin = begin[hashes.holds(leading)]
        few = max(1, _AT_ONCE * WIDTH // max(1, longest))  # so that long names take no more memory
        long = (windows.long(begin[at : at + few], longest) for at in range(0, len(begin), few))
        for lot in chain([windows.short(start, stop)], long):
            found = hashes.holds(lot.hashes)
            firsts.append(lot.first[found])
            lasts.append(lot.last[found])
    return np.concatenate(firsts), np.concatenate(lasts)


_Spot = tuple[int, int, int, int, int, int]  # pieces, place in the text, place in the stream


def _longest(spots: Sequence[_Spot]) -> list[_Spot]:
    """The longest name from the beginning on, and so on behind it."""
    chosen: list[_Spot] = []
    for spot in spots:
        if chosen and spot[0] == chosen[-1][0]:
            chosen[-1] = spot  # the same beginning, and a later end
        elif not chosen or spot[0] > chosen[-1][1]:
            chosen.append(spot)
    return chosen
