"""Names that are written almost like one that is asked for.

What shares enough n-grams is drawn from lists of names by n-gram (``postings.py``), compared
letter by letter, and ranked. The answer depends on nothing but the names that there are.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from quern.kb import index
from quern.kb.edits import edits_between
from quern.kb.postings import NONE, Drawn, Floats, Numbers, Parts, Recent, Segment
from quern.kb.store import Store
from quern.text.grams import counterparts, grams_of_names
from quern.text.keys import keyed

_AT_ONCE = 256  # names that are asked for together
_COMPARED = 200  # names compared letter by letter with one, at most
_NEARLY = 0.99  # the best that a name can get which is not the very one
_ABBREVIATES = 0.8  # score of a name whose initials the other is
_KEPT = 200_000  # keys kept in memory, by the numbers of their names


class Similar:
    """Names like a given one, as they are at the moment of asking."""

    def __init__(self, store: Store) -> None:
        """Nothing is loaded before the first question."""
        self._store = store
        self._segments: list[Segment] = []
        self._recent = Recent()
        self._dead, self._gone = NONE, 0
        self._version = (-1, -1)
        self._generation = -1
        self._upto = 0
        self._keys: dict[int, str] = {}

    def keys(self, names: Sequence[str], least: float) -> list[list[tuple[str, float]]]:
        """For each of some names the keys of names like it, its own left out, with how alike.

        Two names are as alike as the larger of two figures says: the share of their n-grams
        that they have in common, which does not mind the order of words, and the share of
        letters that need no change, which does not mind a wrong one in a short word.

        Returns:
            For each the best first, those of one score in the order of their characters.

        Raises:
            StoreError: the file cannot be read.
        """
        found: list[list[tuple[str, float]]] = []
        for at in range(0, len(names), _AT_ONCE):
            found += self._alike(names[at : at + _AT_ONCE], least)
        return found

    def _alike(self, names: Sequence[str], least: float) -> list[list[tuple[str, float]]]:
        written = keyed(names)
        keys, found = written.keys(), grams_of_names(written)
        borders = np.searchsorted(found.names, np.arange(1, len(names)))
        grams = np.split(found.grams, borders)
        with self._store.snapshot():
            self._refresh()
            drawn = self._drawn([of_one[of_one > 0] for of_one in grams])
            short = self._abbreviated([of_one[of_one < 0] for of_one in grams])
            asked = np.concatenate([drawn.names, *short.values()])
            keys_of = self._keys_of(np.unique(asked).tolist())
        others = [keys_of[name] for name in drawn.names.tolist()]
        abbreviating = {(n, keys_of[name]) for n, of in short.items() for name in of.tolist()}
        # What only abbreviates it has not been compared yet.
        rest = sorted(abbreviating.difference(zip(drawn.asked.tolist(), others, strict=True)))
        drawn = Drawn.together([drawn, _compared(grams, rest)])
        others += [other for _, other in rest]
        scored: list[dict[str, float]] = [{} for _ in names]
        scores = _scores(keys, drawn, others, least).tolist()
        for number, other, score in zip(drawn.asked.tolist(), others, scores, strict=True):
            if abbreviating and (number, other) in abbreviating:
                score = max(score, _ABBREVIATES)
            if score >= least and other != keys[number]:
                scored[number][other] = min(round(score, 4), _NEARLY)
        return [sorted(of.items(), key=lambda item: (-item[1], item[0])) for of in scored]

    def _refresh(self) -> None:
        store = self._store
        version = store.version
        if version == self._version:
            return
        generation = index.generation(store)
        if generation != self._generation:
            rows = store.rows("SELECT first, sizes, grams, bounds FROM segments ORDER BY first")
            parts = Parts(store)
            self._segments = [Segment(parts, *row) for row in rows]
            self._recent, self._generation = Recent(), generation
            self._dead, self._gone = NONE, 0
            self._keys = {}
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

    @property
    def _lists(self) -> list[Segment | Recent]:
        return [*self._segments, self._recent]

    def _drawn(self, grams: Sequence[Numbers]) -> Drawn:
        """Names with enough n-grams in common with each of some."""
        drawn = Drawn.together([each.alike(grams) for each in self._lists])
        if len(self._dead):
            drawn = drawn.of(~np.isin(drawn.names, self._dead))
        drawn = drawn.of(np.argsort(drawn.asked, kind="stable"))
        borders = np.searchsorted(drawn.asked, np.arange(len(grams) + 1))
        kept = [NONE]
        for a, b in zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True):
            kept.append(a + _best(drawn.names[a:b], drawn.dice[a:b]))
        return drawn.of(np.concatenate(kept))

    def _abbreviated(self, forms: Sequence[Numbers]) -> dict[int, Numbers]:
        """Names that each of some abbreviates or writes out; those that have none are left out."""
        found = {}
        for number, of_one in enumerate(forms):
            if not len(of_one):
                continue
            lists = [
                each.holding(form) for form in counterparts(of_one).tolist() for each in self._lists
            ]
            living = np.setdiff1d(np.concatenate([NONE, *lists]), self._dead)[:_COMPARED]
            if len(living):
                found[number] = living
        return found

    def _keys_of(self, numbers: Sequence[int]) -> dict[int, str]:
        """The keys of names by their numbers, which never change."""
        if len(self._keys) + len(numbers) > _KEPT:
            self._keys = {}
        new = [number for number in numbers if number not in self._keys]
        if new:
            asked = msgspec.json.encode(new).decode()
            query = "SELECT number, key FROM names WHERE number IN (SELECT value FROM json_each(?))"
            self._keys.update(self._store.rows(query, [asked]))
        return {number: self._keys[number] for number in numbers}


def _best(numbers: Numbers, scores: Floats) -> Numbers:
    """Places of the best scores, not many; of equals all or none, so that order is no matter."""
    if len(numbers) <= _COMPARED:
        return np.arange(len(numbers))
    order = np.lexsort((numbers, -scores))
    enough = scores > scores[order[_COMPARED]]
    return np.flatnonzero(enough) if enough.any() else order[:_COMPARED]


def _scores(keys: Sequence[str], drawn: Drawn, others: Sequence[str], least: float) -> Floats:
    """How alike other names are, by n-grams or by letters, whichever says more."""
    own = np.array([len(key) for key in keys], dtype=np.int64)[drawn.asked]
    lengths = np.array([len(other) for other in others], dtype=np.int64)
    longer = np.maximum(own, lengths)
    # Letters are compared only where that can say more, if nothing else must be changed.
    best = 1 - np.abs(own - lengths) / longer
    asked = np.flatnonzero((best > drawn.dice) & (best >= least))
    changed = edits_between(keys, drawn.asked[asked], [others[n] for n in asked.tolist()])
    scores = drawn.dice.copy()
    scores[asked] = np.maximum(scores[asked], 1 - changed / longer[asked])
    return scores


def _compared(grams: Sequence[Numbers], pairs: Sequence[tuple[int, str]]) -> Drawn:
    """The share of n-grams in common in pairs: the number of a question, and another name."""
    found = grams_of_names(keyed([other for _, other in pairs]))
    borders = np.searchsorted(found.names, np.arange(len(pairs) + 1)).tolist()
    dice = []
    for (number, _), a, b in zip(pairs, borders[:-1], borders[1:], strict=True):
        ours, theirs = (of_one[of_one > 0] for of_one in (grams[number], found.grams[a:b]))
        shared = np.isin(theirs, ours).sum()
        dice.append(2 * shared / max(1, len(ours) + len(theirs)))
    asked = np.array([number for number, _ in pairs], dtype=np.int64)
    return Drawn(asked, np.full(len(pairs), -1), np.array(dice, dtype=np.float64))
