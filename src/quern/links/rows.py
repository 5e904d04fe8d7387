"""Lists of different lengths, laid one behind the other, so that numpy handles many at once.

List n of some ``bounds`` is what stands from ``bounds[n]`` up to ``bounds[n + 1]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]
Bools = NDArray[np.bool_]

_T = TypeVar("_T", bound=tuple[Any, ...])


def joined(several: Sequence[_T]) -> _T:
    """Tuples of arrays as one of the same kind, one behind the other; one at least."""
    return type(several[0])(*map(np.concatenate, zip(*several, strict=True)))


def bounds_of(sizes: Sequence[int] | Places) -> Places:
    """The bounds of lists by their sizes."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])


def spread(bounds: Places, which: Places) -> tuple[Places, Places]:
    """All that stands in some lists, list by list.

    Args:
        bounds: of lists.
        which: (n,), lists, in any order and any of them several times.

    Returns:
        For each element the place in ``which`` of the list that it is in, and its own place.
    """
    first = bounds[which]
    sizes = bounds[which + 1] - first
    owner = np.repeat(np.arange(len(which)), sizes)
    behind = np.cumsum(sizes) - sizes
    return owner, np.arange(len(owner)) + (first - behind)[owner]


def look_up(
    asked: NDArray[Any], of: Places, table: NDArray[Any], bounds: Places
) -> tuple[Places, Bools]:
    """Where each of some values stands in a list of its own, and whether it does.

    A search by halves, in all lists at once.

    Args:
        asked: (n,), values.
        of: (n,), the list that each is looked for in.
        table: lists, each in ascending order.
        bounds: theirs.
    """
    first, last = bounds[of], bounds[of + 1] - 1
    there = first <= last
    if not there.any():
        return first, there
    before = first - 1  # the last place known to hold less than what is asked for
    step = 1 << int((last - first).max()).bit_length()
    while step:
        further = np.minimum(before + step, last)
        before = np.where(table[further] < asked, further, before)
        step >>= 1
    at = np.minimum(before + 1, last)
    there &= table[at] == asked
    return at, there
