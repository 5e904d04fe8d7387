"""The units a model knows by name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice

from quern.errors import TextError
from quern.text.tally import Tally, frequent

PAD = 0
UNKNOWN = 1
RESERVED = 2  # ids below this are not units
_BLOCK = 1 << 16  # units counted together
SURROGATE = re.compile("[\ud800-\udfff]")  # half a character; no file can hold one


class Vocabulary:
    """Folded unit ↔ id, most frequent first, ids 0 and 1 kept for padding and the unknown."""

    def __init__(self, units: Iterable[str]) -> None:
        """Number ``units`` in the order given.

        Raises:
            TextError: a unit stands twice, is empty or holds a lone surrogate.
        """
        self.units: tuple[str, ...] = tuple(units)
        self._ids = {unit: i for i, unit in enumerate(self.units, RESERVED)}
        if len(self._ids) != len(self.units) or "" in self._ids:
            raise TextError("a vocabulary needs distinct, non-empty units")
        if any(map(SURROGATE.search, self.units)):
            raise TextError("a vocabulary cannot hold lone surrogates: no file can")

    @classmethod
    def fit(cls, units: Iterable[str], min_count: int, max_size: int) -> Vocabulary:
        """Keep the units met ``min_count`` times or more, at most ``max_size`` of them.

        Lone surrogates cannot be written to a file and stay unknown.
        """
        tally, units = Tally(), iter(units)
        while some := list(islice(units, _BLOCK)):
            tally.update(some)
        return cls.of_counts(tally.counts.items(), min_count, max_size)

    @classmethod
    def of_counts(
        cls, counted: Iterable[tuple[str, int]], min_count: int, max_size: int
    ) -> Vocabulary:
        """The same for units that are counted already; counts of one unit are added up."""
        counts: Counter[str] = Counter()
        for unit, count in counted:
            if not SURROGATE.search(unit):
                counts[unit] += count
        return cls(frequent(counts, min_count, max_size))

    def __len__(self) -> int:
        return len(self.units) + RESERVED

    def __iter__(self) -> Iterator[str]:
        return iter(self.units)

    def __contains__(self, unit: str) -> bool:
        return unit in self._ids

    def id(self, unit: str) -> int:
        """The id of ``unit``, or ``UNKNOWN``."""
        return self._ids.get(unit, UNKNOWN)
