"""How well vectors find sentences of the same meaning, and how well their cosines grade pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from quern import __version__
from quern.evaluation.figures import FORMAT
from quern.records import SentenceExample, SentencePair
from quern.sentences import SentenceModel, Vectors

TOPS = (1, 5, 10)
_BLOCK = 512  # queries held against all known sentences at once, at most
_CELLS = 1 << 24  # cosines held at once: of a million sentences a block would fill gigabytes
_STEPS = 40  # points of the curve over thresholds
_NONE = -2.0  # below any cosine
_ALIKE = 1e-6  # cosines that differ by less may differ by rounding alone

Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]


class Found(NamedTuple):
    """What the nearest known sentences of each query are.

    Attributes:
        ranks: (n,), the place of the nearest of the same group, from 1; 0 where none is known.
            Of equals the wrong ones count first, and what is like nothing comes last.
        scores: (n,), the cosine of the nearest of all.
        nearest: (n,), which that is; -1 where nothing is known, or the query is like nothing.
    """

    ranks: Numbers
    scores: Floats
    nearest: Numbers

    @property
    def answerable(self) -> NDArray[np.bool_]:
        """Queries whose group is known."""
        return self.ranks > 0


class Cut(msgspec.Struct, frozen=True):
    """What a threshold gives: queries whose nearest sentence is less alike are not answered.

    Attributes:
        threshold: the least cosine.
        answered: share of the queries that are answered.
        precision: share of the answers that are right, None where there are none.
        accuracy: of the queries whose group is known, the share answered rightly.
        refused: of those whose group is not known, the share not answered; None without such.
    """

    threshold: float
    answered: float
    precision: float | None
    accuracy: float | None
    refused: float | None


class Retrieval(msgspec.Struct, frozen=True):
    """The figures of a sentence model on groups of sentences.

    Attributes:
        format: version of this record.
        quern: version that measured.
        queries: sentences that were looked for.
        known: sentences among which they were looked for.
        answerable: queries with another sentence of their group among the known ones.
        top: by k, the share of those of which one of the k nearest is of their group.
        mrr: mean of 1 / rank of the nearest of their group.
        cuts: what thresholds give.
    """

    format: int
    quern: str
    queries: int
    known: int
    answerable: int
    top: dict[str, float]
    mrr: float
    cuts: list[Cut]


class Graded(msgspec.Struct, frozen=True):
    """The figures of a sentence model on pairs.

    Attributes:
        pairs: how many.
        spearman: rank correlation of cosine and score; None where either never changes.
        accuracy: the best that any threshold on the cosine reaches, where scores are 0 and 1.
        threshold: which one that is.
    """

    pairs: int
    spearman: float | None
    accuracy: float | None
    threshold: float | None


def look_up(
    queries: Vectors, of: Numbers, known: Vectors | None = None, known_of: Numbers | None = None
) -> Found:
    """Find the nearest known sentences of each query.

    Args:
        queries: (n, dim), unit rows; a row of 0 is like nothing.
        of: the group of each.
        known: (m, dim); None for the queries themselves, of which each leaves itself out.
        known_of: the group of each.
    """
    among, groups = (queries, of) if known is None or known_of is None else (known, known_of)
    count = len(queries)
    found = Found(
        np.zeros(count, dtype=np.int64), np.full(count, _NONE), np.full(count, -1, dtype=np.int64)
    )
    blank = np.flatnonzero(np.abs(among).sum(axis=1) == 0)
    unlike = np.abs(queries).sum(axis=1) == 0
    block = max(1, min(_BLOCK, _CELLS // max(1, len(among))))
    for at in range(0, count if len(among) else 0, block):
        cosines = queries[at : at + block] @ among.T
        rows = np.arange(len(cosines))
        same: NDArray[np.bool_] = np.equal.outer(of[at : at + block], groups)
        cosines[:, blank] = _NONE
        cosines[unlike[at : at + block]] = _NONE
        if known is None:
            cosines[rows, at + rows] = _NONE
            same[rows, at + rows] = False
        right = np.where(same, cosines, _NONE).max(axis=1)
        other = ~same
        if known is None:
            other[rows, at + rows] = False
        ahead = ((cosines >= right[:, None] - _ALIKE) & other).sum(axis=1)
        found.ranks[at : at + block] = np.where(same.any(axis=1), 1 + ahead, 0)
        best = cosines.argmax(axis=1)
        found.scores[at : at + block] = cosines[rows, best]
        found.nearest[at : at + block] = np.where(cosines[rows, best] > _NONE, best, -1)
    return found


def summarise_retrieval(found: Found, known: int) -> Retrieval:
    """Figures of what was found among ``known`` sentences."""
    ranks = found.ranks[found.answerable]
    return Retrieval(
        format=FORMAT,
        quern=__version__,
        queries=len(found.ranks),
        known=known,
        answerable=len(ranks),
        top={str(k): float((ranks <= k).mean()) if len(ranks) else 0.0 for k in TOPS},
        mrr=float((1 / ranks).mean()) if len(ranks) else 0.0,
        cuts=[cut(found, step / _STEPS) for step in range(_STEPS // 4, _STEPS)],
    )


def cut(found: Found, threshold: float) -> Cut:
    """What a threshold gives."""
    answered = found.scores >= threshold
    right = answered & (found.ranks == 1)
    known = found.answerable
    count = max(1, len(answered))
    return Cut(
        threshold=threshold,
        answered=float(answered.sum()) / count,
        precision=float(right.sum() / answered.sum()) if answered.any() else None,
        accuracy=float(right.sum() / known.sum()) if known.any() else None,
        refused=float((~answered[~known]).mean()) if (~known).any() else None,
    )


def evaluate_retrieval(
    model: SentenceModel,
    examples: Sequence[SentenceExample],
    known: Sequence[SentenceExample] | None = None,
) -> Retrieval:
    """Rank labelled sentences among themselves, or among ``known`` ones.

    Args:
        model: gives their vectors.
        examples: what is looked for.
        known: among what; None for the examples themselves.
    """
    numbers: dict[str, int] = {}

    def numbered(some: Sequence[SentenceExample]) -> tuple[Vectors, Numbers]:
        of = [numbers.setdefault(example.group, len(numbers)) for example in some]
        return model([example.text for example in some]), np.array(of, dtype=np.int64)

    queries, of = numbered(examples)
    if known is None:
        return summarise_retrieval(look_up(queries, of), len(examples))
    return summarise_retrieval(look_up(queries, of, *numbered(known)), len(known))


def retrieval_figures(
    model: SentenceModel, examples: Sequence[SentenceExample]
) -> dict[str, float]:
    """A few figures of sentences ranked among themselves; the first decides between models."""
    found = evaluate_retrieval(model, examples)
    return {**{f"top{k}": share for k, share in found.top.items()}, "mrr": found.mrr}


def grade_pairs(model: SentenceModel, pairs: Sequence[SentencePair]) -> Graded:
    """How the cosines of pairs go with their scores."""
    ours = model([pair.text for pair in pairs])
    theirs = model([pair.other for pair in pairs])
    cosines = np.einsum("ij,ij->i", ours, theirs).astype(np.float64)
    scores = np.array([pair.score for pair in pairs], dtype=np.float64)
    accuracy = threshold = None
    if set(scores.tolist()) <= {0.0, 1.0}:
        accuracy, threshold = _best_cut(cosines, scores > 0)
    return Graded(len(pairs), spearman(cosines, scores), accuracy, threshold)


def spearman(x: Floats, y: Floats) -> float | None:
    """Rank correlation; equal values share the mean of their ranks. None where one is constant."""
    a, b = _ranks(x), _ranks(y)
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / norm if norm else None


def _ranks(values: Floats) -> Floats:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    mean: Floats = (ends - (counts - 1) / 2)[places]
    return mean


def _best_cut(cosines: Floats, same: NDArray[np.bool_]) -> tuple[float, float]:
    """The best accuracy of "alike from here on", and from where."""
    order = np.argsort(-cosines, kind="stable")
    sorted_, hits = cosines[order], same[order]
    # Taking the first i as alike: right are the alike ones among them and the others behind.
    right = np.r_[0, np.cumsum(hits)] + (~same).sum() - np.r_[0, np.cumsum(~hits)]
    ends = np.r_[True, sorted_[1:] != sorted_[:-1], True]  # equals stay together
    best = int(np.argmax(np.where(ends, right, -1)))
    threshold = float(sorted_[best - 1]) if best else float(np.nextafter(sorted_[0], np.inf))
    return float(right[best]) / len(cosines), threshold
