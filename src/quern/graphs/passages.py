"""The sentences of a document in which its facts stand."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from quern.graphs.records import Evidence, Passage
from quern.text.sentences import sentence_ends


def passages(text: str, evidence: Iterable[Evidence]) -> tuple[Passage, ...]:
    """For each fact the sentences from its first end to its last; what overlaps is one passage."""
    borders = sorted({0, *sentence_ends(text), len(text)})
    wanted = set()
    for place in evidence:
        first = min(place.subject[0], place.object[0])
        last = max(place.subject[1], place.object[1])
        start = borders[bisect_right(borders, first) - 1]
        wanted.add((start, borders[bisect_left(borders, last)]))
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(wanted):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return tuple(Passage(start, text[start:stop]) for start, stop in joined)
