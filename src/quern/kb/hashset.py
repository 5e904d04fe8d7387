"""A large set of hashes, quick to load and to ask, with what changed since beside it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

_BITS_EACH = 16  # of the filter, for each hash: one in sixteen strangers passes it
_CHUNK = 1_000_000  # hashes put into the filter at a time


class HashSet:
    """Sorted hashes behind a filter of one bit for each of many values of their leading bits.

    Most of what is asked is not in the set, and the filter says so with one look into a table
    that is a quarter of the set's size. What changes later stands in a small overlay.
    """

    def __init__(self, hashes: Hashes) -> None:
        """Take distinct hashes in ascending order."""
        self.hashes = hashes
        self._shift = np.uint64(64 - max(10, (_BITS_EACH * len(hashes)).bit_length()))
        self._filter = np.zeros(1 << (61 - int(self._shift)), dtype=np.uint8)
        for at in range(0, len(hashes), _CHUNK):
            lead = hashes[at : at + _CHUNK] >> self._shift
            place = (lead >> np.uint64(3)).astype(np.int64)  # ascending, as the hashes are
            first = np.flatnonzero(np.append(True, place[1:] != place[:-1]))
            bits = np.left_shift(1, lead & np.uint64(7)).astype(np.uint8)
            self._filter[place[first]] |= np.bitwise_or.reduceat(bits, first)
        self._changed: dict[int, bool] = {}
        self._changes: tuple[Hashes, NDArray[np.bool_]] = _arrays({})

    def change(self, present: Mapping[int, bool]) -> None:
        """Say of some hashes whether they belong to the set from now on."""
        if present:
            self._changed |= present
            self._changes = _arrays(self._changed)

    @property
    def bytes(self) -> int:
        """Memory that it takes, without the overlay."""
        return self.hashes.nbytes + self._filter.nbytes

    def __len__(self) -> int:
        """Number of hashes, those in the overlay included."""
        return len(self.merged())

    def holds(self, asked: Hashes) -> NDArray[np.bool_]:
        """Which of some hashes, of any shape, belong to the set."""
        lead = (asked >> self._shift).astype(np.int64)
        bits = (self._filter[lead >> 3] >> (lead & 7).astype(np.uint8)) & 1
        found: NDArray[np.bool_] = bits.astype(np.bool_)
        rest = asked[found]
        found[found] = _at(self.hashes, rest)[1]
        changes, present = self._changes
        if len(changes):
            places, changed = _at(changes, asked)
            found[changed] = present[places[changed]]
        return found

    def merged(self) -> Hashes:
        """All hashes, as ``__init__`` takes them."""
        changes, present = self._changes
        kept = self.hashes[~_at(changes, self.hashes)[1]] if len(changes) else self.hashes
        return np.union1d(kept, changes[present])


def _arrays(changed: Mapping[int, bool]) -> tuple[Hashes, NDArray[np.bool_]]:
    hashes = np.fromiter(changed.keys(), dtype=np.uint64, count=len(changed))
    present = np.fromiter(changed.values(), dtype=np.bool_, count=len(changed))
    order = np.argsort(hashes)
    return hashes[order], present[order]


def _at(table: Hashes, asked: Hashes) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where in a sorted table each value would stand, and whether it does."""
    if not len(table):
        return np.zeros(asked.shape, dtype=np.int64), np.zeros(asked.shape, dtype=np.bool_)
    places = np.minimum(np.searchsorted(table, asked), len(table) - 1)
    return places, table[places] == asked
