"""Targets, which turn mentions into arrays, and decoding, which undoes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType
from numpy.typing import NDArray

from quern.alignment import UnitSpan

Floats = NDArray[np.float32]
Found = Mapping[UnitSpan, float]  # spans with their scores

LINK_SPAN = 0.5  # least probability of a span until tuned on dev


class LinkThresholds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Least probabilities of the starts and ends of mentions.

    ``span`` is the least probability that a start and an end make one mention. A model that does
    not tell has none, and every start is paired with the nearest end.
    """

    start: float = 0.5
    end: float = 0.5
    span: float | UnsetType = UNSET


def link_grid(usual: LinkThresholds, step: float = 0.1) -> list[LinkThresholds]:
    """Thresholds to choose from on dev: one for starts and ends, one for spans."""
    values: list[float] = np.arange(0.2, 0.8 + step / 2, step).round(3).tolist()
    spans: Sequence[float | UnsetType] = [UNSET] if usual.span is UNSET else values
    return [LinkThresholds(edge, edge, span) for edge, span in product(values, spans)]


def mention_targets(mentions: Iterable[UnitSpan], length: int) -> Floats:
    """Marks of the starts and ends of mentions, shape (length, 2)."""
    marks = np.zeros((length, 2), dtype=np.float32)
    for first, last in mentions:
        marks[first, 0] = marks[last, 1] = 1
    return marks


def mention_span_targets(mentions: Iterable[UnitSpan], length: int) -> Floats:
    """Marks of the mentions, first unit by last, shape (length, length)."""
    marks = np.zeros((length, length), dtype=np.float32)
    for span in mentions:
        marks[span] = 1
    return marks


def candidates(
    marks: Floats, spans: Floats | None, thresholds: LinkThresholds
) -> dict[UnitSpan, float]:
    """Spans that may be mentions; they may overlap.

    Args:
        marks: (length, 2), probabilities of starts and ends.
        spans: (length, length), of spans, first unit by last, where the model tells.
        thresholds: what each must reach.

    Returns:
        The spans, each with the lowest of its probabilities.
    """
    starts = np.flatnonzero(marks[:, 0] >= np.float32(thresholds.start)).tolist()
    ends = np.flatnonzero(marks[:, 1] >= np.float32(thresholds.end)).tolist()
    found: dict[UnitSpan, float] = {}
    for first in starts:
        for last in ends:
            if last < first:
                continue
            edges = float(min(marks[first, 0], marks[last, 1]))
            if spans is None or thresholds.span is UNSET:
                found[first, last] = edges
                break
            if spans[first, last] >= np.float32(thresholds.span):
                found[first, last] = min(edges, float(spans[first, last]))
    return found


def apart(found: Found) -> dict[UnitSpan, float]:
    """Of spans that overlap the one with the highest score, of equals the longer, then the first.

    In the order of their places.
    """
    chosen: dict[UnitSpan, float] = {}
    taken: set[int] = set()
    for (first, last), score in sorted(found.items(), key=_rank):
        units = range(first, last + 1)
        if taken.isdisjoint(units):
            taken.update(units)
            chosen[first, last] = score
    return dict(sorted(chosen.items()))


def _rank(item: tuple[UnitSpan, float]) -> tuple[float, int, int]:
    (first, last), score = item
    return -score, first - last, first


def decode_mentions(
    marks: Floats, spans: Floats | None, thresholds: LinkThresholds
) -> dict[UnitSpan, float]:
    """The mentions of a window, none of which overlap; see ``candidates``."""
    return apart(candidates(marks, spans, thresholds))
