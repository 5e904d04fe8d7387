"""The order of training: batches of like length, shuffled anew each epoch, from a seed alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_POOL = 50  # batches that are sorted by length together


def epoch_order(lengths: Sequence[int], size: int, seed: int, epoch: int) -> list[list[int]]:
    """Batches of indices for one epoch.

    Indices are shuffled, sorted by length within pools of many batches, cut, and the batches
    shuffled: little padding, yet other company every epoch. The result depends on nothing but
    the arguments, so that a resumed training sees the same batches.
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(lengths))
    length = np.asarray(lengths)
    cut: list[list[int]] = []
    for at in range(0, len(order), size * _POOL):
        pool = order[at : at + size * _POOL]
        pool = pool[np.argsort(length[pool], kind="stable")]
        cut += [pool[i : i + size].tolist() for i in range(0, len(pool), size)]
    return [cut[i] for i in rng.permutation(len(cut))]
