"""Stretches of neighbouring pieces of texts, as hashes, to be looked up all at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quern.text.hashing import Hashes, PrefixHashes
from quern.text.keys import INSIDE, Keyed

WIDTH = 8  # pieces up to which names are looked for everywhere; longer ones where they begin
_BEGINNING = np.uint64(0x5851F42D4C957F2D)  # tells the beginning of a long name from a short name

Pieces = NDArray[np.int64]


class Stretches(NamedTuple):
    """Stretches of neighbouring pieces.

    Attributes:
        first: (n,), the first piece of each.
        last: (n,), the last piece of each.
        hashes: (n,), of their keys.
    """

    first: Pieces
    last: Pieces
    hashes: Hashes


class Windows:
    """The stretches of texts that can be cut out of them."""

    def __init__(self, keyed: Keyed) -> None:
        """Look at texts as keys are written."""
        self._keyed = keyed
        self._hashes = PrefixHashes(keyed.codes)
        self._whole = keyed.starts != INSIDE  # pieces that a stretch may begin with

    def short(self, start: int, stop: int) -> Stretches:
        """Those of up to ``WIDTH`` pieces that begin with a piece from ``start`` up to ``stop``."""
        begin = start + np.flatnonzero(self._whole[start:stop])
        first = np.repeat(begin, WIDTH)
        return self._stretches(first, first + np.tile(np.arange(WIDTH), len(begin)))

    def long(self, begin: Pieces, longest: int) -> Stretches:
        """Those of more than ``WIDTH`` and up to ``longest`` pieces that begin with some."""
        rest = len(self._keyed.firsts) - int(begin.min(initial=0))
        more = np.arange(WIDTH, min(longest, rest))
        first = np.repeat(begin, len(more))
        return self._stretches(first, first + np.tile(more, len(begin)))

    def beginnings(self, start: int, stop: int) -> tuple[Pieces, Hashes]:
        """Pieces that a long name may begin with, and the hash of what it would begin with."""
        keyed = self._keyed
        stop = max(start, min(stop, len(keyed.firsts) - WIDTH + 1))
        begin = start + np.flatnonzero(self._whole[start:stop])
        hashes = self._hashes(keyed.firsts[begin], keyed.lasts[begin + WIDTH - 1])
        return begin, hashes ^ _BEGINNING

    def _stretches(self, first: Pieces, last: Pieces) -> Stretches:
        keyed = self._keyed
        inside = last < len(keyed.firsts)
        inside[inside] = keyed.ends[last[inside]] != INSIDE
        first, last = first[inside], last[inside]
        return Stretches(first, last, self._hashes(keyed.firsts[first], keyed.lasts[last]))


def hashes_of_each(keyed: Keyed) -> tuple[NDArray[np.int64], Hashes]:
    """The names that can stand in a text, by their numbers, and the hash of each."""
    first, stop = keyed.pieces[:-1], keyed.pieces[1:]
    full = np.flatnonzero(stop > first)
    hashes = PrefixHashes(keyed.codes)
    return full, hashes(keyed.firsts[first[full]], keyed.lasts[stop[full] - 1])


def hashes_of_names(keyed: Keyed) -> tuple[Hashes, int]:
    """What must be known to find names: hashes of all of them, and of the beginnings of long ones.

    Returns:
        The hashes, in ascending order, each once; and the number of pieces of the longest name.
    """
    _, whole = hashes_of_each(keyed)
    counts = np.diff(keyed.pieces)
    begin = keyed.pieces[:-1][counts > WIDTH]
    hashes = PrefixHashes(keyed.codes)
    starts = hashes(keyed.firsts[begin], keyed.lasts[begin + WIDTH - 1])
    both = np.unique(np.concatenate([whole, starts ^ _BEGINNING]))
    return both, int(counts.max(initial=0))
