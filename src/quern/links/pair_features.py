"""What speaks for a candidate, in numbers: its name, its labels, and the words it shares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quern.links.candidates import Proposal
from quern.links.frequencies import Frequencies, Weighted, common, cosines
from quern.links.known import Comparable, Known, Names, grams_of, words_of
from quern.links.rows import Places, bounds_of, look_up
from quern.records import TOGETHER
from quern.text.keys import keys_of

Floats = NDArray[np.float32]
Columns = NDArray[Any]

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
_OF_TEXT, _OF_OTHERS = NAMES.index("text"), NAMES.index("company")  # where parts begin
_NEAR = 16  # characters on either side of a mention
_SMALL = 5.0  # weight that is added to that of a description, so that short ones do not win
_AT_ONCE = 1 << 16  # terms of texts that are compared at once, where there are several pairs


class _Mentions(NamedTuple):
    """Mentions as they are compared.

    Attributes:
        keys: of each.
        others: keys of the other mentions of its text.
        words: of each, plurals aside.
        grams: n-grams of each.
        around: the text of each without the terms of the mention.
        near: what stands next to each.
    """

    keys: Sequence[str]
    others: Sequence[set[str]]
    words: Names
    grams: Names
    around: Weighted
    near: Weighted


class _Pairs(NamedTuple):
    """Pairs of a mention and a candidate.

    Attributes:
        proposals: the candidates.
        mentions: (pairs,), the numbers of the mentions.
        entities: (pairs,), the numbers of the entities.
    """

    proposals: Sequence[Proposal]
    mentions: Places
    entities: Places


class PairFeatures:
    """Compares mentions with candidates, those of all texts at once."""

    def __init__(self, frequencies: Frequencies) -> None:
        """Take the weights of words."""
        self.frequencies = frequencies
        self._known = Comparable(frequencies)

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
            proposals: the candidates of each mention; one id stands for one entity.
        """
        offered = [of_place for of_text in proposals for of_place in of_text]
        counts = np.array([len(of_place) for of_place in offered], dtype=np.int64)
        flat = list(chain.from_iterable(offered))
        rows = np.zeros((len(flat), SCALARS), dtype=np.float32)
        if flat:
            entities = {proposal.entity.id: proposal.entity for proposal in flat}
            known = self._known(entities)
            numbers = {id_: n for n, id_ in enumerate(entities)}
            of_each = np.array([numbers[p.entity.id] for p in flat], dtype=np.int64)
            mentions = self._mentions(texts, places)
            pairs = _Pairs(flat, np.repeat(np.arange(len(counts)), counts), of_each)
            rows[:, :_OF_TEXT] = np.stack(_of_names(pairs, mentions, known), axis=1)
            for lot in _lots(pairs, mentions):
                some = _Pairs(flat[lot], pairs.mentions[lot], of_each[lot])
                rows[lot, _OF_TEXT:_OF_OTHERS] = np.stack(_of_text(some, mentions, known), axis=1)
            rows[:, _OF_OTHERS:] = np.stack(_of_others(pairs, counts, mentions, known), axis=1)
        parts = iter(np.split(rows, np.cumsum(counts)[:-1]) if len(counts) else [])
        return [[next(parts) for _ in of_text] for of_text in proposals]

    def _mentions(
        self, texts: Sequence[str], places: Sequence[Sequence[tuple[int, int]]]
    ) -> _Mentions:
        spoken = [t[a:b] for t, at in zip(texts, places, strict=True) for a, b in at]
        beside = [_near(t, *place) for t, at in zip(texts, places, strict=True) for place in at]
        keys = keys_of(spoken)
        counts = [len(at) for at in places]
        others: list[set[str]] = []
        for a, count in zip(bounds_of(counts).tolist(), counts, strict=False):
            of_text = set(keys[a : a + count])
            others += [of_text - {key} for key in keys[a : a + count]]
        weighted = self.frequencies.weighted
        whole = weighted(texts).repeated(np.repeat(np.arange(len(texts)), counts))
        own = weighted(spoken)
        of = np.repeat(np.arange(len(spoken)), whole.sizes)
        _, there = look_up(whole.terms, of, own.terms, own.bounds)
        return _Mentions(
            keys,
            others,
            words_of([[key] for key in keys], self.frequencies),
            grams_of([[mention] for mention in spoken]),
            whole.kept(~there),
            weighted(beside),
        )


def _lots(pairs: _Pairs, mentions: _Mentions) -> Iterator[slice]:
    """Pairs that are compared at once."""
    sizes = (mentions.around.sizes + mentions.near.sizes)[pairs.mentions]
    lots = np.cumsum(sizes) // _AT_ONCE
    borders = [0, *(np.flatnonzero(lots[1:] != lots[:-1]) + 1).tolist(), len(lots)]
    return (slice(a, b) for a, b in pairwise(borders))


def _of_names(pairs: _Pairs, mentions: _Mentions, known: Known) -> list[Columns]:
    """Columns of figures: of names and labels."""
    proposals, which = pairs.proposals, pairs.mentions
    fit = np.array([proposal.fit for proposal in proposals])
    labelled = np.array([proposal.labelled for proposal in proposals], dtype=np.int64)
    total = np.array([proposal.total for proposal in proposals], dtype=np.int64)
    meant = np.array([proposal.known for proposal in proposals], dtype=np.int64)
    places = zip(which.tolist(), pairs.entities.tolist(), strict=True)
    words, of_main = known.words.likeness(pairs.entities, mentions.words, which)
    spelling, _ = known.grams.likeness(pairs.entities, mentions.grams, which)
    return [
        fit == 1,
        fit,
        np.array([mentions.keys[m] == known.mains[e] for m, e in places]),
        np.log1p(labelled),
        labelled > 0,
        labelled / np.maximum(total, 1),
        np.log1p(meant),
        meant > 0,
        words,
        of_main,
        spelling,
    ]


def _of_text(pairs: _Pairs, mentions: _Mentions, known: Known) -> list[Columns]:
    """Columns of figures: of the words of text and description."""
    count, (_, which, entities) = len(pairs.proposals), pairs
    around, near = mentions.around, mentions.near
    shared = common(around, which, known.described, entities)
    close = common(near, which, known.described, entities)
    of_types = common(around, which, known.types, entities)
    telling, single = around.telling[shared.first], around.single[shared.first]
    words = np.bincount(shared.pair[single], telling[single], minlength=count)
    paired = np.bincount(shared.pair[~single], telling[~single], minlength=count)
    best = np.zeros(count)
    np.maximum.at(best, shared.pair, telling)
    return [
        cosines(around, which, known.described, entities, shared),
        cosines(near, which, known.described, entities, close),
        cosines(around, which, known.types, entities, of_types),
        words / (_SMALL + known.told[entities]),
        paired / (1 + around.sizes[which]),
        best / 10,
    ]


def _of_others(pairs: _Pairs, counts: Places, mentions: _Mentions, known: Known) -> list[Columns]:
    """Columns of figures: of other mentions, and of other candidates."""
    proposals = pairs.proposals
    company = []
    for mention, entity in zip(pairs.mentions.tolist(), pairs.entities.tolist(), strict=True):
        others = mentions.others[mention]
        company.append(sum(other in known.keys[entity] for other in others) / max(1, len(others)))
    popular = np.array([proposal.entity.popularity or 0.0 for proposal in proposals])
    number = np.repeat(counts, counts)
    rank = np.arange(len(proposals)) - np.repeat(np.cumsum(counts) - counts, counts)
    return [
        np.array(company),
        np.log1p(popular),
        _not_more_popular(popular, counts) / number,
        1 - rank / number,
        1 / number,
        known.lengths[pairs.entities],
        np.array([TOGETHER in proposal.entity.id for proposal in proposals]),
    ]


def _not_more_popular(popular: Columns, counts: Places) -> Places:
    """How many candidates of its mention, itself included, are not more popular than each."""
    of = np.repeat(np.arange(len(counts)), counts)
    order = np.lexsort((popular, of))
    last = np.ones(len(order), dtype=np.bool_)  # of those that are as popular
    last[:-1] = (popular[order][1:] != popular[order][:-1]) | (of[order][1:] != of[order][:-1])
    at = np.flatnonzero(last)
    found = np.empty(len(order), dtype=np.int64)
    found[order] = at[np.searchsorted(at, np.arange(len(order)))] + 1
    return found - (np.cumsum(counts) - counts)[of]


def _near(text: str, start: int, end: int) -> str:
    return f"{text[max(0, start - _NEAR) : start]}\n{text[end : end + _NEAR]}"
