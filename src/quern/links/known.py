"""What is compared of entities, kept for the next time, and laid together for many pairs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quern.links.described import described
from quern.links.exchanges import singular
from quern.links.frequencies import Floats, Frequencies, Vectors, distinct, terms_of
from quern.links.kept import Kept
from quern.links.rows import Places, bounds_of, joined, look_up, spread
from quern.records import Entity
from quern.text.grams import grams_of_names
from quern.text.keys import BREAK, keyed, keys_of

_LOT = 1_000  # entities whose words are cut at once


class Names(NamedTuple):
    """Words or n-grams of the names of several things.

    Attributes:
        terms: (n,), each once for a name, name by name, in ascending order.
        weights: (n,), of each.
        sizes: (names,), terms of each.
        totals: (names,), sum of the weights of each.
        counts: (things,), names of each; one at least.
    """

    terms: NDArray[Any]
    weights: Floats
    sizes: Places
    totals: Floats
    counts: Places

    def likeness(self, which: Places, others: Names, theirs: Places) -> tuple[Floats, Floats]:
        """Share of the weights of two names that both have (Dice, 1945), of pairs of things.

        Args:
            which: (pairs,), things.
            others: things of one name each.
            theirs: (pairs,), which of them.

        Returns:
            That of the name that is most alike of each, and that of the first.
        """
        pair, name = spread(bounds_of(self.counts), which)
        owner, term = spread(bounds_of(self.sizes), name)
        of, bounds = theirs[pair], bounds_of(others.sizes)
        _, both = look_up(self.terms[term], of[owner], others.terms, bounds)
        shared = np.bincount(owner[both], self.weights[term[both]], minlength=len(name))
        sums = self.totals[name] + others.totals[of]
        likeness = 2 * shared / np.where(sums > 0, sums, 1)
        first = bounds_of(self.counts[which])[:-1]
        return np.maximum.reduceat(likeness, first), likeness[first]

    def each(self) -> Iterator[Names]:
        """One thing after the other."""
        names, bounds = bounds_of(self.counts), bounds_of(self.sizes)
        places = zip(pairwise(names.tolist()), pairwise(bounds[names].tolist()), strict=True)
        for n, ((a, b), (c, d)) in enumerate(places):
            of_terms = self.terms[c:d].copy(), self.weights[c:d].copy()
            of_names = self.sizes[a:b].copy(), self.totals[a:b].copy()
            yield Names(*of_terms, *of_names, self.counts[n : n + 1].copy())


class _One(NamedTuple):
    """What is kept of one entity; see ``Known``."""

    main: str
    key: str
    length: float
    told: float
    words: Names
    grams: Names
    described: Vectors
    types: Vectors


class Known(NamedTuple):
    """What is compared of entities.

    Attributes:
        mains: the key of the first name of each.
        keys: of each description.
        lengths: (entities,), log of the characters of each description.
        told: (entities,), sum of how telling the words of each description are.
        words: of their names, plurals aside.
        grams: n-grams of their names.
        described: their descriptions.
        types: their types.
    """

    mains: Sequence[str]
    keys: Sequence[str]
    lengths: Floats
    told: Floats
    words: Names
    grams: Names
    described: Vectors
    types: Vectors

    @classmethod
    def together(cls, several: Sequence[_One]) -> Known:
        """Entities one behind the other."""
        mains, keys, lengths, told, words, grams, texts, types = zip(*several, strict=True)
        numbers = np.array(lengths), np.array(told)
        return cls(mains, keys, *numbers, *map(joined, (words, grams, texts, types)))


class Comparable:
    """Makes what is compared of entities; that of those met last is kept."""

    def __init__(self, frequencies: Frequencies) -> None:
        """Take the weights of words."""
        self._frequencies = frequencies
        self._kept: Kept[_One] = Kept()

    def __call__(self, entities: Mapping[str, Entity]) -> Known:
        """What is compared of some entities, one at least, given by their ids."""
        found = self._kept.of(entities)
        new = [entity for id_, entity in entities.items() if id_ not in found]
        made: dict[str, _One] = {}
        for at in range(0, len(new), _LOT):
            lot = new[at : at + _LOT]
            made.update(zip((entity.id for entity in lot), self._cut(lot), strict=True))
        self._kept.keep(entities, made)
        found |= made
        return Known.together([found[id_] for id_ in entities])

    def _cut(self, entities: Sequence[Entity]) -> Iterator[_One]:
        texts = [described(entity) for entity in entities]
        every = keys_of([name for entity in entities for name in entity.names] + texts)
        of_names, of_texts = iter(every[: -len(texts)]), every[-len(texts) :]
        keys = [list(dict.fromkeys(next(of_names) for _ in e.names)) for e in entities]
        weighted = self._frequencies.weighted(texts)
        types = self._frequencies.weighted(["\n".join(entity.types) for entity in entities])
        told = np.bincount(
            np.repeat(np.arange(len(texts)), weighted.sizes)[weighted.single],
            weighted.telling[weighted.single],
            minlength=len(texts),
        )
        return map(
            _One,
            *([of_one[0] for of_one in keys], of_texts),
            *([math.log1p(len(text)) for text in texts], told.tolist()),
            *(
                words_of(keys, self._frequencies).each(),
                grams_of([e.names for e in entities]).each(),
            ),
            *(weighted.vectors.each(), types.vectors.each()),
        )


def words_of(keys: Sequence[Sequence[str]], frequencies: Frequencies) -> Names:
    """The words of the names of each of several things, by their keys, plurals aside."""
    singulars = [_singular(key) for of_one in keys for key in of_one]
    terms, of, single = terms_of(singulars)
    terms, of = terms[single], of[single]
    first, _ = distinct(terms, of)
    terms, of = terms[first], of[first]
    return _names(terms, of, frequencies.telling(terms), keys)


def grams_of(names: Sequence[Sequence[str]]) -> Names:
    """The n-grams of the names of each of several things."""
    found = grams_of_names(keyed([name for of_one in names for name in of_one]))
    plain = found.grams > 0
    grams, of = found.grams[plain], found.names[plain]
    return _names(grams, of, np.ones(len(grams)), names)


def _names(
    terms: NDArray[Any], of: Places, weights: Floats, things: Sequence[Sequence[str]]
) -> Names:
    counts = np.array([len(names) for names in things], dtype=np.int64)
    number = int(counts.sum())
    sizes = np.bincount(of, minlength=number)
    totals = np.bincount(of, weights, minlength=number).astype(np.float64)
    return Names(terms, weights, sizes, totals, counts)


def _singular(key: str) -> str:
    return " ".join(map(singular, key.replace(BREAK, " ").split(" ")))
