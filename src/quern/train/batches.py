"""The order of training: batches of like length, shuffled anew each epoch, from a seed alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import merge
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from quern.text import UNKNOWN
from quern.text.hashing import mixed

_POOL = 50  # batches that are sorted by length together
_ROUNDS = 6

Places = NDArray[np.int64]


class Batches(Protocol):
    """The batches of one epoch, each a list of items."""

    def __len__(self) -> int:
        """Batches."""

    def __iter__(self) -> Iterator[list[int]]:
        """The batches, the same each time."""


class Order:
    """The batches of one epoch, as lists of items, drawn while they are asked for.

    Items are shuffled, sorted by length within pools of many batches, cut, and the batches of a
    pool shuffled: little padding, yet other company every epoch. Nothing but the arguments
    decides, so that a resumed training sees the same batches. Only one pool is held at a time,
    so that millions of items take no more memory than thousands.
    """

    def __init__(
        self,
        count: int,
        size: int,
        seed: Sequence[int],
        items: Callable[[Places], Places],
        lengths: Callable[[Places], NDArray[np.integer]],
    ) -> None:
        """Nothing is drawn yet.

        Args:
            count: of the items.
            size: items of a batch, but for the last.
            seed: of the order of a pool's batches.
            items: the items at some places of the shuffled epoch.
            lengths: the lengths of some items.
        """
        self._count, self._size, self._seed = count, size, seed
        self._items, self._lengths = items, lengths

    def __len__(self) -> int:
        """Batches."""
        return -(-self._count // self._size)

    def __iter__(self) -> Iterator[list[int]]:
        """The batches, the same each time."""
        for at in range(0, self._count, self._size * _POOL):
            pool = self._items(np.arange(at, min(at + self._size * _POOL, self._count)))
            pool = pool[np.argsort(self._lengths(pool), kind="stable")]
            starts = np.arange(0, len(pool), self._size)
            for i in np.random.default_rng([*self._seed, at]).permutation(starts):
                yield pool[i : i + self._size].tolist()


class InTurn:
    """Batches of several kinds of items, each kind spread evenly over the epoch."""

    def __init__(self, *kinds: tuple[int, Batches]) -> None:
        """Of each kind what is added to the numbers of its items, and its batches."""
        self._kinds = kinds

    def __len__(self) -> int:
        """Batches of all kinds."""
        return sum(len(batches) for _, batches in self._kinds)

    def __iter__(self) -> Iterator[list[int]]:
        """The batches, the same each time."""
        turns = merge(*(_placed(first, batches) for first, batches in self._kinds))
        return (batch for _, _, batch in turns)


def _placed(first: int, batches: Batches) -> Iterator[tuple[float, int, list[int]]]:
    """When in an epoch, from 0 to 1, each batch has its turn; its first item settles a tie."""
    for number, batch in enumerate(batches):
        yield (number + 0.5) / len(batches), first, [first + item for item in batch]


def forget_words(
    arrays: Mapping[str, NDArray[Any]], share: float, rng: np.random.Generator
) -> None:
    """Let some words and numbers of a batch be unknown, in place.

    Args:
        arrays: what ``TextCodec.arrays`` gives.
        share: of the units that n-grams still tell apart.
        rng: draws them.
    """
    if not share:
        return
    units = arrays["units"]
    told = arrays["grams"][..., 0] > 0
    forgotten = told & (rng.random(units.shape) < share)
    units[forgotten] = UNKNOWN
    if "words" in arrays:
        arrays["words"][forgotten] = 0  # a new name is in no word either


def permuted(places: Places, size: int, seed: Sequence[int]) -> Places:
    """Where a permutation of ``range(size)``, drawn by ``seed``, takes ``places``.

    It is computed and nowhere stored: a Feistel network over the bits of a place, run again
    where it leads out of the range (Black and Rogaway, "Ciphers with Arbitrary Finite
    Domains", 2002).
    """
    half = np.uint64(max(1, (size.bit_length() + 1) // 2))
    low = (np.uint64(1) << half) - np.uint64(1)
    keys = np.random.default_rng(seed).integers(1 << 63, size=_ROUNDS, dtype=np.uint64)
    found = places.astype(np.uint64)
    outside = np.arange(len(found))
    while len(outside):
        left, right = found[outside] >> half, found[outside] & low
        for key in keys:
            left, right = right, left ^ (mixed(right ^ key) & low)
        found[outside] = (left << half) | right
        outside = outside[found[outside] >= size]
    return found.astype(np.int64)
