"""How telling words and pairs of words are: those that few descriptions hold tell most.

Weights are those of tf-idf (Salton and Buckley, "Term-weighting approaches in automatic text
retrieval", 1988). A word is a piece as ``quern.text.keys`` cuts it: a Han character or a run of
letters or digits, whatever its case, width and script.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
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

    def weighted(self, texts: Sequence[str]) -> list[Weighted]:
        """The terms of each text."""
        found = []
        for terms, single in terms_of(texts):
            distinct, first, counts = np.unique(terms, return_index=True, return_counts=True)
            idf = self.telling(distinct)
            weights = (1 + np.log(counts)) * idf
            norm = math.sqrt(float(weights @ weights))
            found.append(Weighted(distinct, weights, idf, single[first], norm))
        return found

    def telling(self, terms: Terms) -> Floats:
        """How telling each of some terms is (idf)."""
        return self._idf[_bucket(terms)]

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
    at, there = found_in(one.terms, other.terms)
    return float(one.weights[there] @ other.weights[at[there]]) / (one.norm * other.norm)


def without(text: Weighted, terms: Terms) -> Weighted:
    """A text without some terms."""
    _, there = found_in(text.terms, terms)
    kept = ~there
    weights = text.weights[kept]
    norm = math.sqrt(float(weights @ weights))
    return Weighted(text.terms[kept], weights, text.telling[kept], text.single[kept], norm)


def found_in(terms: Terms, others: Terms) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where each of some terms stands among others in ascending order, and whether it does."""
    if not len(others):
        return np.zeros(len(terms), np.int64), np.zeros(len(terms), np.bool_)
    at = np.minimum(np.searchsorted(others, terms), len(others) - 1)
    return at, others[at] == terms


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
