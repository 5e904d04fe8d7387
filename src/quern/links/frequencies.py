"""How telling words and pairs of words are: those that few descriptions hold tell most.

Weights are those of tf-idf (Salton and Buckley, "Term-weighting approaches in automatic text
retrieval", 1988). A word is a piece as ``quern.text.keys`` cuts it: a Han character or a run of
letters or digits, whatever its case, width and script.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quern.errors import FolderError
from quern.links.rows import Bools, Places, bounds_of, look_up, spread
from quern.text.hashing import PrefixHashes
from quern.text.keys import keyed

_BUCKETS = 1 << 18  # several terms may share one; then it tells less
_STEPS = 16  # into which a unit of weight is divided on disk
_MOST = 200_000  # descriptions that are counted
_LOT = 2_000  # descriptions counted at a time
_APART = 2  # characters between two neighbouring words, at most

Terms = NDArray[np.uint64]
Floats = NDArray[np.float64]


class Vectors(NamedTuple):
    """The terms of texts with their weights; see ``Weighted``."""

    terms: Terms
    weights: Floats
    sizes: Places
    norms: Floats

    @property
    def bounds(self) -> Places:
        """(texts + 1,), which terms are those of a text; see ``rows``."""
        return bounds_of(self.sizes)

    def each(self) -> Iterator[Vectors]:
        """One text after the other, apart from the rest."""
        for n, (a, b) in enumerate(pairwise(self.bounds.tolist())):
            one = slice(n, n + 1)
            of_text = self.sizes[one].copy(), self.norms[one].copy()
            yield Vectors(self.terms[a:b].copy(), self.weights[a:b].copy(), *of_text)


class Weighted(NamedTuple):
    """The terms of texts, each once for a text, text by text, in ascending order.

    Attributes:
        terms: (n,) hashes of words and of pairs of neighbouring words.
        weights: (n,) tf-idf.
        telling: (n,) idf.
        single: (n,) whether a term is one word.
        sizes: (texts,), terms of each.
        norms: (texts,), of the weights.
    """

    terms: Terms
    weights: Floats
    telling: Floats
    single: Bools
    sizes: Places
    norms: Floats

    @property
    def bounds(self) -> Places:
        """(texts + 1,), which terms are those of a text; see ``rows``."""
        return bounds_of(self.sizes)

    @property
    def vectors(self) -> Vectors:
        """What others are compared with."""
        return Vectors(self.terms, self.weights, self.sizes, self.norms)

    def repeated(self, which: Places) -> Weighted:
        """Some of the texts, any of them several times."""
        _, at = spread(self.bounds, which)
        return Weighted(*self._columns(at), self.sizes[which], self.norms[which])

    def kept(self, kept: Bools) -> Weighted:
        """The same texts with only some of their terms."""
        of = np.repeat(np.arange(len(self.sizes)), self.sizes)
        return _weighed(*self._columns(kept), of[kept], len(self.sizes))

    def _columns(self, at: Places | Bools) -> tuple[Terms, Floats, Floats, Bools]:
        return self.terms[at], self.weights[at], self.telling[at], self.single[at]


class Common(NamedTuple):
    """Terms that pairs of texts have in common, pair by pair.

    Attributes:
        pair: (n,), the number of the pair.
        first: (n,), the term's place among those of its first text.
        second: (n,), and among those of its second.
    """

    pair: Places
    first: Places
    second: Places


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
            terms, of, _ = terms_of(lot)
            distinct = np.unique(of * _BUCKETS + _bucket(terms))
            counts += np.bincount(distinct % _BUCKETS, minlength=_BUCKETS)
        idf = np.log((1 + number) / (1 + counts))
        return cls(np.rint(np.minimum(idf * _STEPS, 255)).astype(np.uint8))

    def weighted(self, texts: Sequence[str]) -> Weighted:
        """The terms of texts."""
        terms, of, single = terms_of(texts)
        first, counts = distinct(terms, of)
        terms, of = terms[first], of[first]
        idf = self.telling(terms)
        return _weighed(terms, (1 + np.log(counts)) * idf, idf, single[first], of, len(texts))

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


def common(one: Weighted, firsts: Places, other: Vectors, seconds: Places) -> Common:
    """What pairs of texts have in common: text ``firsts[n]`` of one, ``seconds[n]`` of the other.

    The first had better be the shorter one.
    """
    pair, first = spread(one.bounds, firsts)
    second, there = look_up(one.terms[first], seconds[pair], other.terms, other.bounds)
    return Common(pair[there], first[there], second[there])


def cosines(
    one: Weighted, firsts: Places, other: Vectors, seconds: Places, shared: Common
) -> Floats:
    """Cosines of pairs of texts, 0 where one has no telling term; see ``common``."""
    products = one.weights[shared.first] * other.weights[shared.second]
    sums = np.bincount(shared.pair, products, minlength=len(firsts))
    norms = one.norms[firsts] * other.norms[seconds]
    return np.divide(sums, norms, out=np.zeros(len(firsts)), where=norms > 0)


def distinct(terms: Terms, of: Places) -> tuple[Places, Places]:
    """The terms of each of several things once, in ascending order: where, and how often."""
    order = np.lexsort((terms, of))
    terms, of = terms[order], of[order]
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = (terms[1:] != terms[:-1]) | (of[1:] != of[:-1])
    first = np.flatnonzero(new)
    return order[first], np.diff(np.append(first, len(order)))


def terms_of(texts: Sequence[str]) -> tuple[Terms, Places, Bools]:
    """The words and the pairs of neighbouring words of texts.

    Returns:
        The hashes of all; the text that each is of; and whether it is one word.
    """
    written = keyed(texts)
    hashes = PrefixHashes(written.codes)
    words = hashes(written.firsts, written.lasts)
    of = np.repeat(np.arange(len(texts)), np.diff(written.pieces))
    near = (written.firsts[1:] - written.lasts[:-1] < _APART) & (of[1:] == of[:-1])
    pairs = hashes(written.firsts[:-1][near], written.lasts[1:][near])
    single = np.arange(len(words) + len(pairs)) < len(words)
    return np.concatenate([words, pairs]), np.concatenate([of, of[1:][near]]), single


def _weighed(
    terms: Terms, weights: Floats, telling: Floats, single: Bools, of: Places, texts: int
) -> Weighted:
    sizes = np.bincount(of, minlength=texts)
    norms = np.sqrt(np.bincount(of, weights * weights, minlength=texts))
    return Weighted(terms, weights, telling, single, sizes, norms)


def _bucket(terms: Terms) -> NDArray[np.int64]:
    return (terms % np.uint64(_BUCKETS)).astype(np.int64)
