"""Which groups are alike, against a plain look at all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

pytest.importorskip("torch")

from quern.train import neighbours
from quern.train.neighbours import near_groups


@pytest.mark.parametrize("cells", [1, 70, 1 << 24])
@pytest.mark.parametrize("count", [1, 2, 5, 30])
def test_the_nearest_groups_are_found_however_many_are_compared_at_once(
    count: int, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "_CELLS", cells)
    rng = np.random.default_rng(count)
    groups = np.concatenate([np.arange(count), rng.integers(count, size=20)])
    firsts = [groups.tolist().index(group) for group in range(count)]
    vectors = rng.normal(size=(len(groups), 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    asked: list[int] = []

    def embed(items: Sequence[int]) -> np.ndarray:
        asked.extend(items)
        return vectors[list(items)]

    near = near_groups(groups, embed)
    assert asked == firsts  # one sentence of each group stands for it
    cosines = vectors[firsts] @ vectors[firsts].T
    np.fill_diagonal(cosines, -2)
    wanted = np.argsort(-cosines, axis=1)[:, : min(8, count - 1)]
    assert near.tolist() == wanted.tolist()
