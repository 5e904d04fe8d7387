"""How telling words and pairs of words are: those that few descriptions hold tell most.

Weights are those of tf-idf (Salton and Buckley, "Term-weighting approaches in automatic text
retrieval", 1988). A word is a piece as ``quern.text.keys`` cuts it: a Han character or a run of
letters or digits, whatever its case, width and script.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quern.errors import FolderError
from quern.text.hashing import PrefixHashes
from quern.text.keys import keyed

_BUCKETS = 1 << 18  # several terms may share one; then it tells less
_STEPS = 16  # into which a unit of weight is divided on disk
_MOST = 200_000  # descriptions that are counted
_LOT = 2_000  # descriptions counted at a time
_APART = 2  # characters between two neighbouring words, at most

Terms = NDArray[np.uint64]
Floats = NDArray[np.float64]


class Weighted(NamedTuple):
    """The terms of a text, each once, in ascending order.

    Attributes:
        terms: (n,) hashes of words and of pairs of neighbouring words.
        weights: (n,) tf-idf.
        telling: (n,) idf.
        single: (n,) whether a term is one word.
        norm: of the weights.
    """

    terms: Terms
    weights: Floats
    telling: Floats
    single: NDArray[np.bool_]
    norm: float


class Frequencies:
    """The weight of every term, by counts over descriptions."""

    def __init__(self, steps: NDArray[np.uint8]) -> None:
        """Take the weights of all buckets, in sixteenths."""
        self._idf = steps.astype(np.float64) / _STEPS
        self._steps = steps
        self.weighted = lru_cache(maxsize=8192)(self._weighted)

    @classmethod
    def learn(cls, descriptions: Iterable[str]) -> Frequencies:
        """Count the terms of descriptions, of the first 200,000."""
        counts = np.zeros(_BUCKETS, dtype=np.int64)
        number = 0
        rest = iter(islice(descriptions, _MOST))
        while lot := list(islice(rest, _LOT)):
            number += len(lot)
            for terms, _ in terms_of(lot):
                counts[np.unique(_bucket(terms))] += 1
        idf = np.log((1 + number) / (1 + counts))
        return cls(np.rint(np.minimum(idf * _STEPS, 255)).astype(np.uint8))

    def _weighted(self, text: str) -> Weighted:
        ((terms, single),) = terms_of([text])
        distinct, first, counts = np.unique(terms, return_index=True, return_counts=True)
        idf = self._idf[_bucket(distinct)]
        weights = (1 + np.log(counts)) * idf
        return Weighted(distinct, weights, idf, single[first], math.sqrt(float(weights @ weights)))

    def payload(self) -> bytes:
        """As bytes."""
        return self._steps.tobytes()

    @classmethod
    def read(cls, content: bytes) -> Frequencies:
        """The weights of a ``payload``.

        Raises:
            FolderError: it is none.
        """
        if len(content) != _BUCKETS:
            raise FolderError(f"frequencies: {len(content)} bytes, {_BUCKETS} are wanted")
        return cls(np.frombuffer(content, dtype=np.uint8))


def cosine(one: Weighted, other: Weighted) -> float:
    """Cosine of two texts, 0 where one has no telling term."""
    if not one.norm or not other.norm:
        return 0.0
    _, a, b = np.intersect1d(one.terms, other.terms, assume_unique=True, return_indices=True)
    return float(one.weights[a] @ other.weights[b]) / (one.norm * other.norm)


def shared(one: Weighted, other: Weighted) -> NDArray[np.bool_]:
    """Which terms of the first the second has."""
    at = np.minimum(np.searchsorted(other.terms, one.terms), max(0, len(other.terms) - 1))
    return other.terms[at] == one.terms if len(other.terms) else np.zeros(len(one.terms), np.bool_)


def terms_of(texts: Sequence[str]) -> list[tuple[Terms, NDArray[np.bool_]]]:
    """The words and the pairs of neighbouring words of each text, and which of them are words."""
    written = keyed(texts)
    hashes = PrefixHashes(written.codes)
    words = hashes(written.firsts, written.lasts)
    near = written.firsts[1:] - written.lasts[:-1] < _APART
    pairs = hashes(written.firsts[:-1], written.lasts[1:])
    found = []
    for a, b in zip(written.pieces[:-1].tolist(), written.pieces[1:].tolist(), strict=True):
        paired = pairs[a : max(a, b - 1)][near[a : max(a, b - 1)]]
        single = np.arange(b - a + len(paired)) < b - a
        found.append((np.concatenate([words[a:b], paired]), single))
    return found


def _bucket(terms: Terms) -> NDArray[np.int64]:
    return (terms % np.uint64(_BUCKETS)).astype(np.int64)
