"""Names that are written almost like one that is asked for.

What shares enough n-grams is drawn from lists of names by n-gram ("postings"), compared letter by
letter, and ranked. The answer depends on nothing but the names that there are.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import msgspec
import numpy as np
from numpy.typing import NDArray

from quern.kb import index
from quern.kb.edits import edits_to
from quern.kb.index import PART
from quern.kb.store import Store
from quern.text.grams import counterparts, grams_of_names
from quern.text.keys import keyed

_SHARE = 0.25  # least share of n-grams in common (Dice) with which names are compared at all
_COMPARED = 200  # names compared letter by letter, at most
_NEARLY = 0.99  # the best that a name can get which is not the very one
_SPARSE = 8  # numbers to a name from which on sorting is cheaper than counting
_ABBREVIATES = 0.8  # score of a name whose initials the other is

Numbers = NDArray[np.int64]

_NONE: Numbers = np.zeros(0, dtype=np.int64)


class _Segment:
    """The saved n-grams of names that follow each other in number."""

    def __init__(self, first: int, sizes: bytes, grams: bytes, bounds: bytes) -> None:
        self.first = first
        self.sizes = np.frombuffer(sizes, dtype="<u2")
        self.grams = np.frombuffer(grams, dtype="<i8")
        self.bounds = np.frombuffer(bounds, dtype="<u4").astype(np.int64)

    def extents(self, grams: NDArray[np.int64]) -> list[tuple[int, int]]:
        """Where in the postings the names of each n-gram stand."""
        if not len(self.grams):
            return [(0, 0)] * len(grams)
        at = np.minimum(np.searchsorted(self.grams, grams), len(self.grams) - 1)
        there = self.grams[at] == grams
        stops = np.where(there, self.bounds[at + 1], self.bounds[at])
        return list(zip(self.bounds[at].tolist(), stops.tolist(), strict=True))


class _Recent:
    """N-grams of the names that came after the saved ones."""

    def __init__(self) -> None:
        self.names: dict[int, list[int]] = defaultdict(list)
        self.sizes: dict[int, int] = {}

    def add(self, numbers: Sequence[int], keys: Sequence[str]) -> None:
        found = grams_of_names(keyed(keys))
        for gram, of in zip(found.grams.tolist(), found.names.tolist(), strict=True):
            self.names[gram].append(numbers[of])
            if gram > 0:
                self.sizes[numbers[of]] = self.sizes.get(numbers[of], 0) + 1


class Similar:
    """Names like a given one, as they are at the moment of asking."""

    def __init__(self, store: Store) -> None:
        """Nothing is loaded before the first question."""
        self._store = store
        self._segments: list[_Segment] = []
        self._recent = _Recent()
        self._dead, self._gone = _NONE, 0
        self._version = (-1, -1)
        self._generation = -1
        self._upto = 0

    def keys(self, name: str, least: float) -> list[tuple[str, float]]:
        """Keys of names like ``name``, its own left out, with how alike they are.

        Two names are as alike as the larger of two figures says: the share of their n-grams
        that they have in common, which does not mind the order of words, and the share of
        letters that need no change, which does not mind a wrong one in a short word.

        Returns:
            The best first, those of one score in the order of their characters.

        Raises:
            StoreError: the file cannot be read.
        """
        written = keyed([name])
        (key,) = written.keys()
        grams = grams_of_names(written).grams
        with self._store.snapshot():
            self._refresh()
            alike, short = self._drawn(grams)
            found = self._named(np.union1d(np.fromiter(alike, np.int64, len(alike)), short))
        abbreviating = set(short.tolist())
        abbreviations = {other for number, other in found if number in abbreviating}
        dice = {other: alike[number] for number, other in found if number in alike}
        # What only abbreviates it has not been compared yet.
        rest = sorted(abbreviations - dice.keys())
        dice.update(zip(rest, _dice(grams, rest), strict=True))
        scored: dict[str, float] = {}
        for other, score in _scores(key, dice, least).items():
            best = max(score, _ABBREVIATES) if other in abbreviations else score
            if other != key and best >= least:
                scored[other] = min(round(best, 4), _NEARLY)
        return sorted(scored.items(), key=lambda item: (-item[1], item[0]))

    def _refresh(self) -> None:
        store = self._store
        version = store.version
        if version == self._version:
            return
        generation = index.generation(store)
        if generation != self._generation:
            rows = store.rows("SELECT first, sizes, grams, bounds FROM segments ORDER BY first")
            self._segments = [_Segment(*row) for row in rows]
            self._recent, self._generation = _Recent(), generation
            self._dead, self._gone = _NONE, 0
            (upto,) = store.rows("SELECT coalesce(max(upto), 0) FROM name_index")
            self._upto = upto[0]
        came = store.rows("SELECT number, key FROM names WHERE number > ?", [self._upto])
        if came:
            numbers = [number for number, _ in came]
            self._recent.add(numbers, [key for _, key in came])
            self._upto = max(numbers)
        gone = store.rows("SELECT seq, name FROM gone WHERE seq > ?", [self._gone])
        if gone:
            self._gone = gone[-1][0]
            self._dead = np.append(self._dead, [name for _, name in gone])
        self._version = version

    def _drawn(self, grams: NDArray[np.int64]) -> tuple[dict[int, float], Numbers]:
        """Names with enough n-grams in common, with their share, and those it abbreviates."""
        plain = grams[grams > 0]
        forms = counterparts(grams[grams < 0])
        numbers, scores, short = [], [], []
        for found, dice, abbreviations in self._in_segments(plain, forms):
            numbers.append(found)
            scores.append(dice)
            short.append(abbreviations)
        recent, dice = self._in_recent(plain)
        numbers.append(recent)
        scores.append(dice)
        short += [np.array(self._recent.names.get(g, []), dtype=np.int64) for g in forms.tolist()]
        every, score = np.concatenate(numbers), np.concatenate(scores)
        living = ~np.isin(every, self._dead)
        abbreviated = np.setdiff1d(np.concatenate([_NONE, *short]), self._dead)
        return _best(every[living], score[living]), abbreviated[:_COMPARED]

    def _in_segments(
        self, plain: NDArray[np.int64], forms: NDArray[np.int64]
    ) -> Iterator[tuple[Numbers, NDArray[np.float64], Numbers]]:
        for segment in self._segments:
            extents = sorted(segment.extents(plain), key=lambda extent: extent[1] - extent[0])
            lists = (self._postings(segment.first, *extent) for extent in extents)
            found, shared = _alike(lists, len(plain))
            dice = 2 * shared / (len(plain) + segment.sizes[found].astype(np.int64))
            kept = dice >= _SHARE
            short = [self._postings(segment.first, *extent) for extent in segment.extents(forms)]
            first = segment.first
            yield found[kept] + first, dice[kept], np.concatenate([_NONE, *short]) + first

    def _in_recent(self, plain: NDArray[np.int64]) -> tuple[Numbers, NDArray[np.float64]]:
        shared: dict[int, int] = {}
        for gram in plain.tolist():
            for number in self._recent.names.get(gram, ()):
                shared[number] = shared.get(number, 0) + 1
        sizes = self._recent.sizes
        dice = {n: 2 * count / (len(plain) + sizes[n]) for n, count in shared.items()}
        kept = [(n, score) for n, score in dice.items() if score >= _SHARE]
        return (
            np.array([n for n, _ in kept], dtype=np.int64),
            np.array([score for _, score in kept], dtype=np.float64),
        )

    def _postings(self, segment: int, first: int, stop: int) -> Numbers:
        if first >= stop:
            return _NONE
        parts = self._store.rows(
            "SELECT names FROM postings WHERE segment = ? AND part BETWEEN ? AND ? ORDER BY part",
            (segment, first // PART, (stop - 1) // PART),
        )
        names = np.frombuffer(b"".join(part for (part,) in parts), dtype="<u4")
        skipped = first // PART * PART
        return names[first - skipped : stop - skipped].astype(np.int64)

    def _named(self, numbers: Numbers) -> list[tuple[int, str]]:
        asked = msgspec.json.encode(numbers.tolist()).decode()
        return self._store.rows(  # those that are there, in the order of their numbers
            "SELECT number, key FROM names WHERE number IN (SELECT value FROM json_each(?))",
            [asked],
        )


def _alike(lists: Iterator[Numbers], asked: int) -> tuple[Numbers, Numbers]:
    """Names that are on enough lists, and on how many.

    A name with at least ``_SHARE`` in common is on ``needed`` lists or more, and so on one of all
    but ``needed - 1`` of them. The shortest ones are gathered; on the rest, which may be very
    long, those that were gathered are looked up.

    Args:
        lists: of names in ascending order, one for each n-gram, the shortest first.
        asked: how many lists there are.
    """
    if not asked:
        return _NONE, _NONE
    # 2s ≥ t(q + n) and n ≥ s give s ≥ tq / (2 - t).
    needed = math.ceil(_SHARE * asked / (2 - _SHARE))
    gathered = list(islice(lists, asked - needed + 1))
    found, shared = _counted(np.concatenate(gathered))
    for names in lists:
        if len(names) and len(found):
            at = np.minimum(np.searchsorted(names, found), len(names) - 1)
            shared = shared + (names[at] == found)
    return found, shared


def _counted(names: Numbers) -> tuple[Numbers, Numbers]:
    """Each of some names once, in ascending order, and how often it is among them."""
    if len(names) * _SPARSE < names.max(initial=0):
        return np.unique(names, return_counts=True)
    counts = np.bincount(names)  # without sorting
    found = np.flatnonzero(counts)
    return found, counts[found]


def _best(numbers: Numbers, scores: NDArray[np.float64]) -> dict[int, float]:
    """Those with the best scores, not many; of equals all or none, so that order is no matter."""
    if len(numbers) > _COMPARED:
        order = np.lexsort((numbers, -scores))
        enough = scores > scores[order[_COMPARED]]
        kept = np.flatnonzero(enough) if enough.any() else order[:_COMPARED]
        numbers, scores = numbers[kept], scores[kept]
    return dict(zip(numbers.tolist(), scores.tolist(), strict=True))


def _scores(key: str, dice: Mapping[str, float], least: float) -> dict[str, float]:
    """How alike other names are, by n-grams or by letters, whichever says more."""
    scores = dict(dice)
    longer = {other: max(len(key), len(other)) for other in dice}
    # Letters are compared only where that can say more, if nothing else must be changed.
    best = {other: 1 - abs(len(key) - len(other)) / longer[other] for other in dice}
    asked = [other for other, score in dice.items() if best[other] > score and best[other] >= least]
    for other, changed in zip(asked, edits_to(key, asked).tolist(), strict=True):
        scores[other] = max(scores[other], 1 - changed / longer[other])
    return scores


def _dice(grams: NDArray[np.int64], others: Sequence[str]) -> list[float]:
    """The share of n-grams that a name has in common with each of others (Dice, 1945)."""
    found = grams_of_names(keyed(others))
    plain = found.grams > 0
    of = found.names[plain]
    shared = np.bincount(of[np.isin(found.grams[plain], grams)], minlength=len(others))
    sizes = np.bincount(of, minlength=len(others)) + np.count_nonzero(grams > 0)
    return (2 * shared / np.maximum(sizes, 1)).tolist()  # type: ignore[no-any-return]
