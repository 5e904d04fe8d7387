"""Hashes of parts of a string, all at once: as many as there are, at the price of the string.

A polynomial hash modulo 2⁶⁴ (Karp and Rabin, "Efficient randomized pattern-matching algorithms",
1987) with a random number for each character. The hash of a part is the difference of two prefix
sums, shifted to the front; the base is odd, and so has an inverse.
"""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Places = NDArray[np.int64]

_BASE = 0x9E3779B97F4A7C15 | 2  # 3 modulo 4, so that a swap of neighbours loses one bit only
_BITS = 64
_CHARACTERS = 0x110000


class PrefixHashes:
    """Gives the hash of any part of a string."""

    def __init__(self, codes: NDArray[np.uint32]) -> None:
        """Take the code points of the string."""
        powers, self._inverses = _powers(1 << max(10, len(codes).bit_length()))
        self._sums = np.zeros(len(codes) + 1, dtype=np.uint64)
        np.cumsum(_numbers()[codes] * powers[: len(codes)], out=self._sums[1:])

    def __call__(self, firsts: Places, lasts: Places) -> Hashes:
        """Hashes of ``codes[first:last]`` for many ``first`` and ``last`` of any one shape."""
        return mixed((self._sums[lasts] - self._sums[firsts]) * self._inverses[firsts])


def mixed(values: Hashes) -> Hashes:
    """Every bit of a result depends on all of its value (splitmix64's end; Steele et al., 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


@cache
def _numbers() -> Hashes:
    """A random number for every code point."""
    return mixed(np.arange(1, _CHARACTERS + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))


@lru_cache(maxsize=4)  # of few sizes, so that a huge text leaves nothing huge behind for long
def _powers(count: int) -> tuple[Hashes, Hashes]:
    bases = (_BASE, pow(_BASE, -1, 1 << _BITS))
    powers = []
    for base in bases:
        row = np.full(count + 1, base, dtype=np.uint64)
        row[0] = 1
        powers.append(np.cumprod(row))
    return powers[0], powers[1]
