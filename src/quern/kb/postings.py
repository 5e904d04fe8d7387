"""Lists of names by n-gram ("postings"): which names share how many with what is asked for."""

from __future__ import annotations

import math
from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quern.kb.index import PART
from quern.kb.store import Store
from quern.text.grams import grams_of_names
from quern.text.keys import keyed

SHARE = 0.25  # least share of n-grams in common (Dice) with which names are compared at all
_SPARSE = 8  # numbers to a name from which on sorting is cheaper than counting
_ALONE = 16_384  # names on the lists of one question from which on it is counted by itself
_TOGETHER = 1 << 20  # names on the lists of questions that are counted together
_PARTS = 512  # of lists that are kept in memory, 64 KB each

Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]
NONE: Numbers = np.zeros(0, dtype=np.int64)


class Drawn(NamedTuple):
    """Names that have n-grams in common with what is asked for, (n,) each.

    Attributes:
        asked: the number of the question.
        names: the number of the name.
        dice: the share of n-grams in common (Dice, 1945), ``SHARE`` at least.
    """

    asked: Numbers
    names: Numbers
    dice: Floats

    def of(self, kept: NDArray[np.bool_] | Numbers) -> Drawn:
        """Some of them."""
        return Drawn(self.asked[kept], self.names[kept], self.dice[kept])

    @classmethod
    def together(cls, several: Sequence[Drawn]) -> Drawn:
        """All of several."""
        none = cls(NONE, NONE, np.zeros(0))
        return cls(*map(np.concatenate, zip(none, *several, strict=True)))


class Parts:
    """The rows that lists are stored in, those met last kept in memory."""

    def __init__(self, store: Store) -> None:
        """Nothing is read before it is asked for."""
        self._store = store
        self._kept: OrderedDict[tuple[int, int], NDArray[np.uint32]] = OrderedDict()

    def names(self, segment: int, first: int, stop: int) -> NDArray[np.uint32]:
        """What stands from ``first`` up to ``stop`` in the postings of a segment."""
        begin, end = first // PART, (stop - 1) // PART
        parts = [self._part(segment, part) for part in range(begin, end + 1)]
        names = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return names[first - begin * PART : stop - begin * PART]

    def _part(self, segment: int, part: int) -> NDArray[np.uint32]:
        key = segment, part
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        rows = self._store.rows(
            "SELECT names FROM postings WHERE segment = ? AND part = ?", [segment, part]
        )
        names = np.frombuffer(rows[0][0] if rows else b"", dtype="<u4")
        self._kept[key] = names
        while len(self._kept) > _PARTS:
            self._kept.popitem(last=False)
        return names


class Segment:
    """The saved n-grams of names that follow each other in number."""

    def __init__(self, parts: Parts, first: int, sizes: bytes, grams: bytes, bounds: bytes) -> None:
        """Take a row of the table of segments."""
        self.first, self._parts = first, parts
        self.sizes = np.frombuffer(sizes, dtype="<u2")
        self.grams = np.frombuffer(grams, dtype="<i8")
        self.bounds = np.frombuffer(bounds, dtype="<u4").astype(np.int64)

    def alike(self, asked: Sequence[Numbers]) -> Drawn:
        """Names with enough n-grams in common with each question.

        A name with at least ``SHARE`` in common is on ``needed`` lists or more, and so on one of
        all but ``needed - 1`` of them. The shortest ones are gathered; in the rest, which may be
        very long, those that were gathered are looked up.

        Args:
            asked: the n-grams of each question.
        """
        counts = np.array([len(grams) for grams in asked], dtype=np.int64)
        found = []
        for numbers, gathered, rest in self._lots(asked):
            of, names, shared = _counted_together(numbers, gathered)
            for number, lists in rest:
                a, b = np.searchsorted(of, [number, number + 1]).tolist()
                ours = names[a:b].astype(np.uint32)
                for others in lists if a < b else []:
                    at = np.minimum(np.searchsorted(others, ours), len(others) - 1)
                    shared[a:b] += others[at] == ours
            dice = 2 * shared / (counts[of] + self.sizes[names].astype(np.int64))
            found.append(Drawn(of, names + self.first, dice).of(dice >= SHARE))
        return Drawn.together(found)

    def holding(self, gram: int) -> Numbers:
        """Names that have an n-gram."""
        lists = self._lists(np.array([gram], dtype=np.int64))
        return lists[0].astype(np.int64) + self.first if lists else NONE

    def _lists(self, grams: Numbers) -> list[NDArray[np.uint32]]:
        """The lists of those n-grams that any name has, the shortest first."""
        if not len(self.grams):
            return []
        at = np.minimum(np.searchsorted(self.grams, grams), len(self.grams) - 1)
        at = at[self.grams[at] == grams]
        extents = zip(self.bounds[at].tolist(), self.bounds[at + 1].tolist(), strict=True)
        ordered = sorted(extents, key=lambda extent: extent[1] - extent[0])
        return [self._parts.names(self.first, *extent) for extent in ordered]

    def _lots(self, asked: Sequence[Numbers]) -> Iterator[_Lot]:
        """Questions that are counted together, with the lists to gather and those of the rest."""
        lot, size = _Lot([], [], []), 0
        for number, grams in enumerate(asked):
            lists = self._lists(grams)
            # 2s ≥ t(q + n) and n ≥ s give s ≥ tq / (2 - t). The n-grams that nobody has count,
            # as the shortest lists.
            needed = math.ceil(SHARE * len(grams) / (2 - SHARE))
            few = max(0, len(lists) - max(0, needed - 1))
            gathered, rest = lists[:few], lists[few:]
            of_one = sum(map(len, gathered))
            if not of_one:
                continue
            one = _Lot([number] * len(gathered), gathered, [(number, rest)] if rest else [])
            if of_one >= _ALONE:
                yield one
                continue
            lot.numbers.extend(one.numbers)
            lot.gathered.extend(one.gathered)
            lot.rest.extend(one.rest)
            size += of_one
            if size >= _TOGETHER:
                yield lot
                lot, size = _Lot([], [], []), 0
        if lot.numbers:
            yield lot


class _Lot(NamedTuple):
    numbers: list[int]
    gathered: list[NDArray[np.uint32]]
    rest: list[tuple[int, list[NDArray[np.uint32]]]]


class Recent:
    """N-grams of the names that came after the saved ones."""

    def __init__(self) -> None:
        """None yet."""
        self.names: dict[int, list[int]] = defaultdict(list)
        self.sizes: dict[int, int] = {}

    def add(self, numbers: Sequence[int], keys: Sequence[str]) -> None:
        """Take in more names."""
        found = grams_of_names(keyed(keys))
        for gram, of in zip(found.grams.tolist(), found.names.tolist(), strict=True):
            self.names[gram].append(numbers[of])
            if gram > 0:
                self.sizes[numbers[of]] = self.sizes.get(numbers[of], 0) + 1

    def alike(self, asked: Sequence[Numbers]) -> Drawn:
        """See ``Segment.alike``."""
        rows: list[tuple[int, int, float]] = []
        for number, grams in enumerate(asked if self.names else []):
            shared: dict[int, int] = {}
            for gram in grams.tolist():
                for name in self.names.get(gram, ()):
                    shared[name] = shared.get(name, 0) + 1
            for name, count in shared.items():
                dice = 2 * count / (len(grams) + self.sizes[name])
                if dice >= SHARE:
                    rows.append((number, name, dice))
        of, names, shares = zip(*rows, strict=True) if rows else ((), (), ())
        return Drawn(np.array(of, np.int64), np.array(names, np.int64), np.array(shares, float))

    def holding(self, gram: int) -> Numbers:
        """Names that have an n-gram."""
        return np.array(self.names.get(gram, []), dtype=np.int64)


def _counted_together(
    numbers: list[int], lists: list[NDArray[np.uint32]]
) -> tuple[Numbers, Numbers, Numbers]:
    """For each question the names on its lists, in ascending order, and on how many each is."""
    if numbers[0] == numbers[-1]:
        names, shared = counted(np.concatenate(lists).astype(np.int64))
        return np.full(len(names), numbers[0], dtype=np.int64), names, shared
    of = np.repeat(np.array(numbers, dtype=np.int64), [len(names) for names in lists])
    both = (of << 32) | np.concatenate(lists)
    both.sort()
    first = np.flatnonzero(np.append(True, both[1:] != both[:-1]))
    distinct = both[first]
    return distinct >> 32, distinct & 0xFFFFFFFF, np.diff(np.append(first, len(both)))


def counted(names: Numbers) -> tuple[Numbers, Numbers]:
    """Each of some names once, in ascending order, and how often it is among them."""
    if len(names) * _SPARSE < names.max(initial=0):
        return np.unique(names, return_counts=True)
    counts = np.bincount(names)  # without sorting
    found = np.flatnonzero(counts)
    return found, counts[found]
