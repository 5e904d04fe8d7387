"""Which groups are alike, by the vectors of one of their sentences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

_NEAREST = 8
_BLOCK = 512  # groups compared with all others at once, at most
_CELLS = 1 << 24  # cosines held at once: of a million groups a block would fill gigabytes


def near_groups(
    groups: NDArray[np.int64], embed: Callable[[Sequence[int]], NDArray[np.float32]]
) -> NDArray[np.int64]:
    """The nearest groups of each group, nearest first, (groups, at most 8).

    Args:
        groups: of each item.
        embed: unit vectors of some items.
    """
    _, firsts = np.unique(groups, return_index=True)
    vectors = embed(firsts.tolist())
    count = min(_NEAREST, len(vectors) - 1)
    near = np.zeros((len(vectors), count), dtype=np.int64)
    if not count:
        return near
    block = max(1, min(_BLOCK, _CELLS // len(vectors)))
    for at in range(0, len(vectors), block):
        cosines = vectors[at : at + block] @ vectors.T
        cosines[np.arange(len(cosines)), np.arange(at, at + len(cosines))] = -2
        nearest = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
        order = np.argsort(-np.take_along_axis(cosines, nearest, axis=1), axis=1, kind="stable")
        near[at : at + len(cosines)] = np.take_along_axis(nearest, order, axis=1)
    return near
