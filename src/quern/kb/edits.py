"""How many letters one name must change to become another.

A column of the table of Levenshtein (1966) at a time, as the bits of two numbers (Hyyrö,
"Explaining and extending the bit-parallel approximate string matching algorithm of Myers", 2001).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_BITS = 64  # characters of a name that is compared with many at once
_FEW = 40  # pairs below which they are compared one by one
_WIDTH = 21  # bits of a code point

Numbers = NDArray[np.int64]


def edits_between(ones: Sequence[str], of: Numbers, others: Sequence[str]) -> Numbers:
    """Characters to insert, leave out or change in each pair of strings, (pairs,).

    Args:
        ones: strings.
        of: (pairs,), which of them is compared.
        others: (pairs,), what with.
    """
    found = np.empty(len(others), dtype=np.int64)
    short = np.array([0 < len(one) <= _BITS for one in ones], dtype=np.bool_)[of]
    if len(others) < _FEW:
        short[:] = False
    for n in np.flatnonzero(~short).tolist():
        found[n] = edits(ones[of[n]], others[n])
    together = np.flatnonzero(short)
    if len(together):
        found[together] = _at_once(ones, of[together], [others[n] for n in together.tolist()])
    return found


def _at_once(ones: Sequence[str], of: Numbers, others: Sequence[str]) -> Numbers:
    """The same for strings of 1 to 64 characters, a character of every other one at a time."""
    sizes = np.array([len(other) for other in others], dtype=np.int64)
    order = np.argsort(-sizes, kind="stable")  # so that those that go on stand in front
    places = _places(ones, "".join(others), np.repeat(of, sizes))
    firsts, sizes, of = (np.cumsum(sizes) - sizes)[order], sizes[order], of[order]
    lengths = np.array([min(len(one), _BITS) for one in ones], dtype=np.int64)
    wholes = np.array([(1 << n) - 1 for n in lengths.tolist()], dtype=np.uint64)
    whole = wholes[of]
    last = whole ^ (whole >> np.uint64(1))
    rises, falls = whole.copy(), np.zeros(len(others), dtype=np.uint64)
    distance = lengths[of]
    bit = np.uint64(1)
    going = np.searchsorted(-sizes, -np.arange(sizes.max(initial=0))).tolist()
    for column, stop in enumerate(going):
        live = slice(stop)
        here, rise, fall = places[firsts[live] + column], rises[live], falls[live]
        same = here | fall
        level = (((here & rise) + rise) ^ rise) | here
        up = fall | ~(level | rise)
        down = rise & level
        distance[live] += ((up & last[live]) != 0).astype(np.int64) - ((down & last[live]) != 0)
        up, down = up << bit | bit, down << bit
        rises[live] = (down | ~(same | up)) & whole[live]
        falls[live] = up & same & whole[live]
    found = np.empty(len(others), dtype=np.int64)
    found[order] = distance
    return found


def _places(ones: Sequence[str], text: str, of: Numbers) -> NDArray[np.uint64]:
    """For each character of a text the places where it stands in one of ``ones``, as bits.

    Args:
        ones: strings.
        text: characters.
        of: (characters,), which string each is looked for in.
    """
    ours = [one[:_BITS] for one in ones]
    owners = np.repeat(np.arange(len(ours)), [len(one) for one in ours])
    place = np.concatenate([np.arange(len(one), dtype=np.uint64) for one in ours])
    letters, number = np.unique(_codes("".join(ours), owners), return_inverse=True)
    bits = np.zeros(len(letters), dtype=np.uint64)
    np.bitwise_or.at(bits, number, np.uint64(1) << place)
    asked = _codes(text, of)
    at = np.minimum(np.searchsorted(letters, asked), len(letters) - 1)
    return np.where(letters[at] == asked, bits[at], np.uint64(0))


def _codes(text: str, of: Numbers) -> Numbers:
    """A number for each character and its owner."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.int64)
    return (of << _WIDTH) | codes


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
