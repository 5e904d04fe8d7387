"""Counts and the figures made from them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Set

import msgspec


class Counts(msgspec.Struct):
    """How many were wanted, how many were given, how many of these were right."""

    wanted: int = 0
    given: int = 0
    right: int = 0

    def add(self, wanted: Set[Hashable], given: Set[Hashable]) -> None:
        """Count one text's sets."""
        self.wanted += len(wanted)
        self.given += len(given)
        self.right += len(wanted & given)

    def __iadd__(self, other: Counts) -> Counts:
        """Count what others counted."""
        self.wanted += other.wanted
        self.given += other.given
        self.right += other.right
        return self

    @property
    def precision(self) -> float:
        """Share of the given that is right; 1 where nothing was given."""
        return self.right / self.given if self.given else 1.0

    @property
    def recall(self) -> float:
        """Share of the wanted that was given; 1 where nothing was wanted."""
        return self.right / self.wanted if self.wanted else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, micro-averaged over all counted."""
        total = self.wanted + self.given
        return 2 * self.right / total if total else 1.0

    def figures(self) -> dict[str, float]:
        """F1, precision and recall by name."""
        return {"f1": self.f1, "precision": self.precision, "recall": self.recall}


def added(some: Iterable[Counts]) -> Counts:
    """Counts of several texts together."""
    counts = Counts()
    for each in some:
        counts += each
    return counts


def count(pairs: Iterable[tuple[Set[Hashable], Set[Hashable]]]) -> Counts:
    """Count (wanted, given) pairs, one for each text."""
    counts = Counts()
    for wanted, given in pairs:
        counts.add(wanted, given)
    return counts
