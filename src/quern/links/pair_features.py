"""What speaks for a candidate, in numbers: its name, its labels, and the words it shares."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quern.links.candidates import Proposal
from quern.links.described import described
from quern.links.exchanges import singular
from quern.links.frequencies import (
    Frequencies,
    Terms,
    Weighted,
    cosine,
    found_in,
    terms_of,
    without,
)
from quern.records import TOGETHER, Entity
from quern.text.grams import grams_of_names
from quern.text.keys import BREAK, keyed, keys_of

Floats = NDArray[np.float32]

# One number for each, in this order.
NAMES = (
    "same name",  # the mention is one of its names
    "fit",  # see ``Proposal``
    "main name",  # the mention is what it is mostly called
    "labelled",  # log of how often training texts meant it by this name
    "was labelled",  # whether any did
    "share",  # of the labels of this name
    "known",  # log of how often they meant it by any name
    "was known",  # whether any did
    "words",  # telling words in common with its best name, plurals aside
    "words of main name",  # the same with what it is mostly called
    "spelling",  # n-grams in common with its best name
    "text",  # cosine of the text and the description
    "near",  # the same of the words next to the mention
    "types",  # of the text and its types
    "telling share",  # of the telling words of its description, how much the text has
    "pairs",  # pairs of words in common, by the size of the text
    "best pair",  # the most telling pair or word in common
    "company",  # share of the text's other mentions that its description has
    "popularity",  # log of it
    "popular",  # share of the candidates that are not more popular
    "rank",  # its place among the candidates, from 1 for the first down to 0
    "few",  # one by the number of candidates
    "length",  # log of the characters of its description
    "together",  # several entities at once
)
SCALARS = len(NAMES)
_NEAR = 16  # characters on either side of a mention
_SMALL = 5.0  # weight that is added to that of a description, so that short ones do not win
_KEPT = 20_000  # entities whose words are kept
_LOT = 1_000  # entities whose words are cut at once


class _Names(NamedTuple):
    """Words or n-grams of several names, one behind the other.

    Attributes:
        terms: of all names.
        of: the name that each belongs to.
        weights: of each.
        totals: sum of the weights of each name.
    """

    terms: NDArray[np.generic]
    of: NDArray[np.int64]
    weights: NDArray[np.float64]
    totals: NDArray[np.float64]

    def likeness(self, of_mention: _Names) -> NDArray[np.float64]:
        """Share of the weights of a name and of a mention that both have (Dice, 1945)."""
        _, both = found_in(self.terms, of_mention.terms)  # type: ignore[arg-type]
        shared = np.bincount(self.of[both], self.weights[both], minlength=len(self.totals))
        sums = self.totals + of_mention.totals[0]
        likeness: NDArray[np.float64] = 2 * shared / np.where(sums > 0, sums, 1)
        return likeness


class _Spoken(NamedTuple):
    """A mention: its key, its words, its n-grams, and what it adds to the terms of a text."""

    key: str
    words: _Names
    grams: _Names
    terms: Terms


class _Known(NamedTuple):
    """What is compared of an entity."""

    main: str
    words: _Names
    grams: _Names
    description: Weighted
    types: Weighted
    key: str
    length: float


class PairFeatures:
    """Compares mentions with candidates; what it knows of an entity is kept for the next time."""

    def __init__(self, frequencies: Frequencies) -> None:
        """Take the weights of words."""
        self.frequencies = frequencies
        self._kept: OrderedDict[Entity, _Known] = OrderedDict()
        self._lock = Lock()  # several threads may read texts with one model

    def of_texts(
        self,
        texts: Sequence[str],
        places: Sequence[Sequence[tuple[int, int]]],
        proposals: Sequence[Sequence[Sequence[Proposal]]],
    ) -> list[list[Floats]]:
        """What speaks for each candidate of each place, (candidates, ``SCALARS``).

        Args:
            texts: any strings.
            places: where the mentions of each begin and end.
            proposals: the candidates of each mention.
        """
        offered = [of_place for of_text in proposals for of_place in of_text]
        known = self._known(each.entity for of_place in offered for each in of_place)
        mentions = [t[a:b] for t, at in zip(texts, places, strict=True) for a, b in at]
        spoken = iter(self._spoken(mentions))
        around = self.frequencies.weighted(texts)
        beside = [_near(t, *p) for t, at in zip(texts, places, strict=True) for p in at]
        near = iter(self.frequencies.weighted(beside))
        found = []
        for n, of_text in enumerate(proposals):
            of_mentions = [next(spoken) for _ in of_text]
            keys = {each.key for each in of_mentions}
            found.append(
                [
                    _rows(of_place, one, (around[n], next(near)), keys - {one.key}, known)
                    for of_place, one in zip(of_text, of_mentions, strict=True)
                ]
            )
        return found

    def _spoken(self, mentions: Sequence[str]) -> list[_Spoken]:
        keys = keys_of(mentions)
        words, grams = self._words([[key] for key in keys]), _grams([[m] for m in mentions])
        terms = (each.terms for each in self.frequencies.weighted(mentions))
        rows = zip(keys, map(_sorted, words), map(_sorted, grams), terms, strict=True)
        return [_Spoken(*row) for row in rows]

    def _known(self, entities: Iterable[Entity]) -> Mapping[Entity, _Known]:
        asked = dict.fromkeys(entities)
        with self._lock:
            found = {entity: self._kept[entity] for entity in asked if entity in self._kept}
        new = [entity for entity in asked if entity not in found]
        for at in range(0, len(new), _LOT):
            found |= self._cut(new[at : at + _LOT])
        with self._lock:
            self._kept |= found
            for entity in found:
                self._kept.move_to_end(entity)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return found

    def _cut(self, entities: Sequence[Entity]) -> dict[Entity, _Known]:
        texts = [described(entity) for entity in entities]
        every = keys_of([name for entity in entities for name in entity.names] + texts)
        of_names, of_texts = iter(every[: -len(texts)]), every[-len(texts) :]
        keys = [list(dict.fromkeys(next(of_names) for _ in e.names)) for e in entities]
        weighted = self.frequencies.weighted(texts + ["\n".join(e.types) for e in entities])
        words, grams = self._words(keys), _grams([entity.names for entity in entities])
        found = {}
        for n, entity in enumerate(entities):
            description, types = weighted[n], weighted[len(texts) + n]
            length = math.log1p(len(texts[n]))
            found[entity] = _Known(
                keys[n][0], words[n], grams[n], description, types, of_texts[n], length
            )
        return found

    def _words(self, keys: Sequence[Sequence[str]]) -> list[_Names]:
        """The words of the names of each of several things, plurals aside."""
        singulars = [_singular(key) for of_one in keys for key in of_one]
        cut = iter(terms_of(singulars))
        return [
            _together(
                [terms[single] for terms, single in (next(cut) for _ in of_one)], self.frequencies
            )
            for of_one in keys
        ]


def _rows(
    proposals: Sequence[Proposal],
    spoken: _Spoken,
    around: tuple[Weighted, Weighted],
    others: set[str],
    known: Mapping[Entity, _Known],
) -> Floats:
    """The numbers of the candidates of one mention."""
    popular = [proposal.entity.popularity or 0.0 for proposal in proposals]
    count = len(proposals)
    rows = np.zeros((count, SCALARS), dtype=np.float32)
    text, near = without(around[0], spoken.terms), around[1]
    for rank, proposal in enumerate(proposals):
        entity = known[proposal.entity]
        rows[rank] = (
            *_of_name(spoken, proposal, entity),
            *_of_text(text, near, entity),
            sum(other in entity.key for other in others) / max(1, len(others)),
            math.log1p(popular[rank]),
            sum(each <= popular[rank] for each in popular) / count,
            1 - rank / count,
            1 / count,
            entity.length,
            TOGETHER in proposal.entity.id,
        )
    return rows


def _of_name(spoken: _Spoken, proposal: Proposal, entity: _Known) -> tuple[float, ...]:
    words = entity.words.likeness(spoken.words)
    labelled, total = proposal.labelled, proposal.total
    return (
        proposal.fit == 1,
        proposal.fit,
        spoken.key == entity.main,
        math.log1p(labelled),
        labelled > 0,
        labelled / total if total else 0.0,
        math.log1p(proposal.known),
        proposal.known > 0,
        words.max(),
        words[0],
        entity.grams.likeness(spoken.grams).max(),
    )


def _of_text(around: Weighted, near: Weighted, entity: _Known) -> tuple[float, ...]:
    whole = entity.description
    _, both = found_in(around.terms, whole.terms)
    telling, single = around.telling[both], around.single[both]
    return (
        cosine(around, whole),
        cosine(near, whole),
        cosine(around, entity.types),
        float(telling[single].sum()) / (_SMALL + float(whole.telling[whole.single].sum())),
        float(telling[~single].sum()) / (1 + len(around.terms)),
        float(telling.max(initial=0.0)) / 10,
    )


def _near(text: str, start: int, end: int) -> str:
    return f"{text[max(0, start - _NEAR) : start]}\n{text[end : end + _NEAR]}"


def _singular(key: str) -> str:
    return " ".join(map(singular, key.replace(BREAK, " ").split(" ")))


def _together(names: Sequence[Terms], frequencies: Frequencies) -> _Names:
    """The distinct words of each of several names."""
    distinct = [np.unique(name) for name in names]
    terms = np.concatenate(distinct)
    of = np.repeat(np.arange(len(distinct)), [len(each) for each in distinct])
    weights = frequencies.telling(terms)
    totals = np.bincount(of, weights, minlength=len(distinct)).astype(np.float64)
    return _Names(terms, of, weights, totals)


def _grams(names: Sequence[Sequence[str]]) -> list[_Names]:
    """The n-grams of the names of each of several things."""
    flat = grams_of_names(keyed([name for of_one in names for name in of_one]))
    plain = flat.grams > 0
    grams, of = flat.grams[plain], flat.names[plain]
    borders = np.cumsum([0, *map(len, names)])
    at = np.searchsorted(of, borders).tolist()
    found = []
    for n, of_one in enumerate(names):
        mine = of[at[n] : at[n + 1]] - borders[n]
        ones = np.ones(len(mine))
        totals = np.bincount(mine, minlength=len(of_one)).astype(np.float64)
        found.append(_Names(grams[at[n] : at[n + 1]], mine, ones, totals))
    return found


def _sorted(name: _Names) -> _Names:
    """One name, its terms in ascending order, so that others can be looked up among them."""
    order = np.argsort(name.terms)
    return _Names(name.terms[order], name.of[order], name.weights[order], name.totals)
