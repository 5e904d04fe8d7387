"""The pass over all vectors finds what comparing all of them finds, in any order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quern.index import unit
from quern.index.scan import exact, nearest


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("quern.index.scan._BLOCK", 8)
        patch.setattr("quern.index.scan._PAIRS", 5)
        patch.setattr("quern.index.scan._QUERIES", 20)
        yield


def sorted_all(queries, ids, vectors, k):
    pairs = np.indices((len(queries), len(ids)))
    scores = exact(queries, pairs[0].ravel(), vectors, pairs[1].ravel()).reshape(-1, len(ids))
    order = np.array([np.lexsort((ids, -row)) for row in scores], np.int64)[:, :k]
    return ids[order], np.take_along_axis(scores, order, axis=1)


def same(queries, ids, vectors, k):
    found, right = nearest(queries, ids, vectors, k), sorted_all(queries, ids, vectors, k)
    return np.array_equal(found.ids, right[0]) and np.array_equal(found.scores, right[1])


@settings(deadline=None)
@given(
    count=st.integers(1, 80),
    different=st.integers(1, 80),
    asked=st.integers(1, 40),
    k=st.integers(1, 90),
    seed=st.integers(0, 2**32 - 1),
)
def test_equal_vectors_and_full_blocks(count, different, asked, k, seed):
    random = np.random.default_rng(seed)
    rows = unit(random.standard_normal((different, 5)))[random.integers(different, size=count)]
    ids = random.permutation(1000)[:count].astype(np.int64)
    queries = unit(random.standard_normal((asked, 5)))
    assert same(queries, ids, rows, k)


@pytest.mark.parametrize("k", [1, 3, 20])
@pytest.mark.parametrize("reverse", [False, True])
def test_the_best_come_last_or_first(k, reverse):
    angles = np.linspace(0, 3, 200)[:: -1 if reverse else 1]
    rows = unit(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    assert same(unit([[1.0, 0.0], [-1.0, 0.1]]), np.arange(200), rows, k)


@pytest.mark.parametrize("k", [1, 5])
def test_scores_that_single_precision_cannot_tell_apart(k):
    """Vectors so near to each other that only the sum in double can decide."""
    random = np.random.default_rng(0)
    centre = unit(random.standard_normal((1, 256)))
    rows = unit(centre + 1e-7 * random.standard_normal((400, 256)))
    queries = unit(centre + 0.1 * random.standard_normal((30, 256)))
    assert same(queries, np.arange(400)[::-1], rows, k)


def test_a_score_is_the_double_sum_rounded_once():
    random = np.random.default_rng(1)
    rows = unit(random.standard_normal((50, 300)))
    found = nearest(rows[:1], np.arange(50), rows, 50)
    double = rows.astype(np.float64) @ rows[0].astype(np.float64)
    assert np.abs(found.scores[0] - double[found.ids[0]]).max() <= 2**-25
