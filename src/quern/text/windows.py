"""Every stretch of pieces of a text up to a width, as hashes, to be looked up all at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quern.text.hashing import Hashes, hashes
from quern.text.keys import INSIDE, Keyed

WIDTH = (
    8  # pieces of a name that are looked for everywhere; longer ones only behind their beginning
)
_BEGINNING = np.uint64(0x5851F42D4C957F2D)  # tells one from a short name


class Stretches(NamedTuple):
    """Stretches of neighbouring pieces.

    Attributes:
        first: (n,), the first piece of each.
        last: (n,), the last piece of each.
        hashes: (n,), of their keys.
    """

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    hashes: Hashes


def short_stretches(keyed: Keyed) -> Stretches:
    """All stretches of up to ``WIDTH`` pieces that can be cut out of their text."""
    count = len(keyed.firsts)
    first = np.repeat(np.flatnonzero(keyed.starts != INSIDE), WIDTH)
    last = first + np.tile(np.arange(WIDTH), len(first) // WIDTH)
    return _stretches(keyed, first[last < count], last[last < count])


def long_stretches(keyed: Keyed, beginnings: NDArray[np.int64], longest: int) -> Stretches:
    """All stretches of more than ``WIDTH`` and up to ``longest`` pieces from some on."""
    more = np.arange(WIDTH, longest)
    first = np.repeat(beginnings, len(more))
    last = first + np.tile(more, len(beginnings))
    inside = last < len(keyed.firsts)
    return _stretches(keyed, first[inside], last[inside])


def _stretches(keyed: Keyed, first: NDArray[np.int64], last: NDArray[np.int64]) -> Stretches:
    whole = keyed.ends[last] != INSIDE
    first, last = first[whole], last[whole]
    return Stretches(first, last, hashes(keyed.codes, keyed.firsts[first], keyed.lasts[last]))


def beginnings(keyed: Keyed) -> tuple[NDArray[np.int64], Hashes]:
    """Pieces that ``WIDTH`` pieces or more begin with, and the hash of these as a beginning."""
    first = np.arange(max(0, len(keyed.firsts) - WIDTH + 1))
    first = first[keyed.starts[first] != INSIDE]
    last = first + WIDTH - 1
    return first, hashes(keyed.codes, keyed.firsts[first], keyed.lasts[last]) ^ _BEGINNING


def hashes_of_each(keyed: Keyed) -> tuple[NDArray[np.int64], Hashes]:
    """The names that can stand in a text, by their numbers, and the hash of each."""
    first, stop = keyed.pieces[:-1], keyed.pieces[1:]
    full = np.flatnonzero(stop > first)
    whole = hashes(keyed.codes, keyed.firsts[first[full]], keyed.lasts[stop[full] - 1])
    return full, whole


def hashes_of_names(keyed: Keyed) -> tuple[Hashes, int]:
    """What must be known to find names: hashes of all of them, and of the beginnings of long ones.

    Returns:
        The hashes, in ascending order, each once; and the number of pieces of the longest name.
    """
    _, whole = hashes_of_each(keyed)
    counts = np.diff(keyed.pieces)
    begin = keyed.pieces[:-1][counts > WIDTH]
    starts = hashes(keyed.codes, keyed.firsts[begin], keyed.lasts[begin + WIDTH - 1])
    both = np.unique(np.concatenate([whole, starts ^ _BEGINNING]))
    return both, int(counts.max(initial=0))
