"""The order of training: batches of like length, shuffled anew each epoch, from a seed alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_POOL = 50  # batches that are sorted by length together


def epoch_order(lengths: Sequence[int], size: int, seed: int, epoch: int) -> list[list[int]]:
    """Batches of indices for one epoch.

    Indices are shuffled, sorted by length within pools of many batches, cut, and the batches
    shuffled: little padding, yet other company every epoch. The result depends on nothing but
    the arguments, so that a resumed training sees the same batches.
    """
    order = np.random.default_rng([seed, epoch]).permutation(len(lengths))
    return batches_of(order, np.asarray(lengths)[order], size, seed, epoch)


def batches_of(
    items: NDArray[np.int64], lengths: NDArray[np.int64], size: int, seed: int, epoch: int
) -> list[list[int]]:
    """Batches of shuffled ``items``, whose ``lengths`` stand in the same order; see above."""
    cut: list[list[int]] = []
    for at in range(0, len(items), size * _POOL):
        pool = items[at : at + size * _POOL]
        pool = pool[np.argsort(lengths[at : at + size * _POOL], kind="stable")]
        cut += [pool[i : i + size].tolist() for i in range(0, len(pool), size)]
    return [cut[i] for i in np.random.default_rng([seed, epoch, 1]).permutation(len(cut))]
