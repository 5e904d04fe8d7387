"""How many letters one name must change to become another.

A column of the table of Levenshtein (1966) at a time, as the bits of two numbers (Hyyrö,
"Explaining and extending the bit-parallel approximate string matching algorithm of Myers", 2001).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_BITS = 64  # characters of a name that is compared with many at once


def edits_to(one: str, others: Sequence[str]) -> NDArray[np.int64]:
    """Characters to insert, leave out or change to make each of some strings of one, (others,)."""
    if len(others) < 40 or not 0 < len(one) <= _BITS:
        return np.array([edits(one, other) for other in others], dtype=np.int64)
    sizes = np.array([len(other) for other in others], dtype=np.int64)
    order = np.argsort(-sizes, kind="stable")  # so that those that go on stand in front
    firsts, sizes = (np.cumsum(sizes) - sizes)[order], sizes[order]
    places = _places(one, "".join(others))
    whole, last = np.uint64((1 << len(one)) - 1), np.uint64(1 << (len(one) - 1))
    rises, falls = np.full(len(others), whole), np.zeros(len(others), dtype=np.uint64)
    distance = np.full(len(others), len(one), dtype=np.int64)
    bit = np.uint64(1)
    for column in range(sizes.max(initial=0)):
        live = slice(int(np.searchsorted(-sizes, -column)))
        here, rise, fall = places[firsts[live] + column], rises[live], falls[live]
        same = here | fall
        level = (((here & rise) + rise) ^ rise) | here
        up = fall | ~(level | rise)
        down = rise & level
        distance[live] += ((up & last) != 0).astype(np.int64) - ((down & last) != 0)
        up, down = up << bit | bit, down << bit
        rises[live] = (down | ~(same | up)) & whole
        falls[live] = up & same & whole
    found = np.empty(len(others), dtype=np.int64)
    found[order] = distance
    return found


def _places(one: str, text: str) -> NDArray[np.uint64]:
    """For each character of a text the places where it stands in ``one``, as bits."""
    ours, codes = (
        np.frombuffer(s.encode("utf-32-le", "surrogatepass"), "<u4") for s in (one, text)
    )
    letters, number = np.unique(ours, return_inverse=True)
    bits = np.zeros(len(letters), dtype=np.uint64)
    np.bitwise_or.at(bits, number, np.uint64(1) << np.arange(len(ours), dtype=np.uint64))
    at = np.minimum(np.searchsorted(letters, codes), len(letters) - 1)
    return np.where(letters[at] == codes, bits[at], np.uint64(0))


def edits(one: str, other: str) -> int:
    """Characters to insert, leave out or change to make one string, of any length, of another."""
    if not one or not other:
        return len(one) + len(other)
    places: dict[str, int] = {}
    for at, character in enumerate(one):
        places[character] = places.get(character, 0) | 1 << at
    whole, last = (1 << len(one)) - 1, 1 << (len(one) - 1)
    rises, falls, distance = whole, 0, len(one)
    for character in other:
        here = places.get(character, 0)
        same = here | falls
        level = (((here & rises) + rises) ^ rises) | here
        up = falls | ~(level | rises)
        down = rises & level
        distance += bool(up & last) - bool(down & last)
        up, down = up << 1 | 1, down << 1
        rises = (down | ~(same | up)) & whole
        falls = up & same & whole
    return distance
