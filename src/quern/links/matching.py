"""The dictionary alone as a reader of mentions: what a model has to be better than."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from quern.links.dictionary import Dictionary, Habit, longest
from quern.records import Mention


class HabitFilter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which names are dropped for how they are labelled.

    Attributes:
        ratio: least share of a name's places that are labelled.
        found: places from which on a name is judged; one found less often is kept.
    """

    ratio: float = 0.0
    found: int = 2

    def keeps(self, habit: Habit) -> bool:
        """Whether a name with this habit is one to look for."""
        return habit.found < self.found or habit.labelled >= self.ratio * habit.found


class MatchReader:
    """Takes the longest names in a text for its mentions (the baseline of Su, 2019)."""

    def __init__(self, dictionary: Dictionary, kept: HabitFilter | None = None) -> None:
        """Look for the names of ``dictionary``, without those that the filter drops."""
        self._dictionary, self._kept = dictionary, kept or HabitFilter()

    def __call__(self, texts: Sequence[str], min_score: float = 0.0) -> list[list[Mention]]:
        """Mentions of every text, each with the rate of its name as its score."""
        given = []
        for text, hits in zip(texts, self._dictionary.find(texts), strict=True):
            kept = longest(hit for hit in hits if self._kept.keeps(hit.habit))
            given.append(
                [
                    Mention(hit.start, hit.end, text[hit.start : hit.end], hit.habit.rate)
                    for hit in kept
                    if hit.habit.rate >= min_score
                ]
            )
        return given
