"""The nearest of many vectors: a fast pass that finds candidates, exact scores that decide.

A product of matrices rounds as it pleases: it depends on how many queries are asked together, on
the processor, on the number of threads. How far it can be off is known, though. So it only says
which vectors may be among the best; their inner products are then added up in double, one by one
and always in the same order, and rounded once. What comes out does not depend on company.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quern.index.vectors import TOLERANCE, Ids, Vectors

_QUERIES = 64  # that go through the vectors together
_FEW = 16  # queries; fewer than that go faster one by one
_BLOCK = 4096  # vectors that are passed over together, which stay in the processor's cache
_PAIRS = 4096  # scored together

Rows = NDArray[np.int64]
Scores = NDArray[np.float32]


class Neighbours(NamedTuple):
    """The nearest vectors of queries, the best first; of equal scores the smaller id first.

    Attributes:
        ids: (queries, found), found being k, or all there are.
        scores: (queries, found), inner products, that is cosines.
    """

    ids: Ids
    scores: Scores


class _Pairs(NamedTuple):
    """Scores of pairs of a query and a vector, each (pairs,)."""

    asked: Rows
    ids: Ids
    scores: Scores

    def joined(self, more: _Pairs) -> _Pairs:
        return _Pairs(
            np.concatenate([self.asked, more.asked]),
            np.concatenate([self.ids, more.ids]),
            np.concatenate([self.scores, more.scores]),
        )


def nearest(queries: Vectors, ids: Ids, vectors: Vectors, k: int) -> Neighbours:
    """The ``k`` nearest of ``vectors``, or all, if there are no more.

    Memory beside the arguments is bounded: a few megabytes, or some copies of the result.

    Args:
        queries: (queries, dim), of unit length as ``vectors`` are.
        ids: (count,), distinct.
        vectors: (count, dim).
        k: 0 or more.
    """
    k = min(k, len(ids))
    found = [
        _nearest(queries[at : at + _QUERIES], ids, vectors, k)
        for at in range(0, len(queries), _QUERIES)
    ]
    if not found:
        return Neighbours(np.empty((0, k), np.int64), np.empty((0, k), np.float32))
    return Neighbours(
        np.concatenate([part.ids for part in found]),
        np.concatenate([part.scores for part in found]),
    )


def _nearest(queries: Vectors, ids: Ids, vectors: Vectors, k: int) -> Neighbours:
    margin = _margin(queries.shape[1])
    best = _Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
    least = np.full(len(queries), -np.inf, np.float32)  # what a vector must score to come in
    step = max(_BLOCK, 4 * k)  # few blocks where much is kept
    for at in range(0, len(ids) if k else 0, step):
        block = vectors[at : at + step]
        rough = _rough(queries, block)
        may = rough >= least - margin
        if np.count_nonzero(may) > 4 * k * len(queries) and len(block) > k:
            kth = np.partition(rough, len(block) - k, axis=0)[len(block) - k]
            may = rough >= np.maximum(kth - margin, least) - margin
        rows, asked = np.nonzero(may)
        if not len(rows):
            continue
        more = _Pairs(asked, ids[at + rows], exact(queries, asked, block, rows))
        best, filled = _best(best.joined(more), k)
        ends = np.flatnonzero(filled)
        least[best.asked[ends]] = best.scores[ends]
    return Neighbours(best.ids.reshape(len(queries), k), best.scores.reshape(len(queries), k))


def _margin(dim: int) -> np.float32:
    """How far a product in single precision can be off, in whatever order it is added up.

    Higham, "Accuracy and Stability of Numerical Algorithms" (2002), section 3.1: n u / (1 - n u)
    times the lengths; and some roundings to spare, for the exact score and this bound itself.
    """
    error = (dim + 8) * 2.0**-24
    return np.float32(error / (1 - error) * (1 + TOLERANCE) ** 2)


def _rough(queries: Vectors, block: Vectors) -> Scores:
    """Inner products, (vectors, queries), good to ``_margin``."""
    if len(queries) >= _FEW:
        return block @ queries.T
    return np.stack([block @ query for query in queries], axis=1)


def exact(queries: Vectors, asked: Rows, vectors: Vectors, rows: Rows) -> Scores:
    """Inner products of pairs, added up in double and rounded once.

    Args:
        queries: (queries, dim).
        asked: (pairs,), rows of ``queries``.
        vectors: (count, dim).
        rows: (pairs,), of ``vectors``.
    """
    scores = np.empty(len(rows), np.float32)
    for at in range(0, len(rows), _PAIRS):
        part = slice(at, at + _PAIRS)
        products = queries[asked[part]].astype(np.float64)
        products *= vectors[rows[part]]
        scores[part] = products.sum(axis=1)
    return scores


def ranked(asked: Rows, ids: Ids, scores: Scores, k: int) -> Neighbours:
    """The best ``k`` of each query out of scored pairs; queries that have fewer are left out.

    Args:
        asked: (pairs,), numbers of queries.
        ids: (pairs,), of a query each once.
        scores: (pairs,).
        k: 1 or more.
    """
    best, filled = _best(_Pairs(asked, ids, scores), k)
    whole = np.isin(best.asked, best.asked[filled])
    return Neighbours(best.ids[whole].reshape(-1, k), best.scores[whole].reshape(-1, k))


def _best(pairs: _Pairs, k: int) -> tuple[_Pairs, NDArray[np.bool_]]:
    """The best ``k`` of each query, by query, score and id, and which of them is a k-th."""
    order = np.lexsort((pairs.ids, -pairs.scores, pairs.asked))
    asked = pairs.asked[order]
    rank = np.arange(len(asked)) - np.searchsorted(asked, asked)
    kept = rank < k
    order = order[kept]
    best = _Pairs(asked[kept], pairs.ids[order], pairs.scores[order])
    return best, rank[kept] == k - 1
