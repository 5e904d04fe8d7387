"""Targets, which turn triples into arrays, and decoding, which undoes them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from msgspec import UNSET, UnsetType
from numpy.typing import NDArray

from quern.alignment import AlignedEntity, AlignedTriple, Label, UnitSpan
from quern.triples.thresholds import Thresholds

Floats = NDArray[np.float32]

# -- targets: triples → arrays ----------------------------------------------------


def subject_targets(triples: Iterable[AlignedTriple], length: int) -> Floats:
    """Marks of subject starts and ends, shape (length, 2)."""
    marks = np.zeros((length, 2), dtype=np.float32)
    for subject, _, _ in triples:
        marks[subject[0], 0] = marks[subject[1], 1] = 1
    return marks


def object_targets(
    triples: Iterable[AlignedTriple], subject: UnitSpan, labels: dict[Label, int], length: int
) -> Floats:
    """Marks of the object starts and ends of one subject, shape (length, labels, 2)."""
    marks = np.zeros((length, len(labels), 2), dtype=np.float32)
    for found, label, object_ in triples:
        if found == subject and label in labels:
            k = labels[label]
            marks[object_[0], k, 0] = marks[object_[1], k, 1] = 1
    return marks


def entity_targets(entities: Iterable[AlignedEntity], types: dict[str, int], length: int) -> Floats:
    """Marks of the starts and ends of entities, shape (length, types, 2)."""
    marks = np.zeros((length, len(types), 2), dtype=np.float32)
    for (first, last), kind in entities:
        marks[first, types[kind], 0] = marks[last, types[kind], 1] = 1
    return marks


def span_targets(triples: Iterable[AlignedTriple], length: int) -> Floats:
    """Marks of the spans that take part in a triple, first unit by last, (length, length)."""
    marks = np.zeros((length, length), dtype=np.float32)
    for subject, _, object_ in triples:
        marks[subject] = marks[object_] = 1
    return marks


# -- decoding: arrays → triples -----------------------------------------------------


Hit = tuple[int, int, float]  # unit, label, probability
Spans = Mapping[UnitSpan, float]  # the probability of each
_NONE: Spans = MappingProxyType({})


class Scores(NamedTuple):
    """What the graphs say of one window.

    ``objects`` holds, for each candidate subject, the places whose probability reaches a
    floor, starts and ends, in the order of the units. ``spans`` holds the spans whose
    probability of taking part in a triple reaches it, where the model tells.
    """

    subjects: Floats
    objects: dict[UnitSpan, tuple[list[Hit], list[Hit]]]
    spans: Spans = _NONE


class Found(NamedTuple):
    """A decoded triple in units of its window."""

    subject: UnitSpan
    label: int
    object: UnitSpan
    score: float


def sparse(probabilities: Floats, floor: Thresholds) -> tuple[list[Hit], list[Hit]]:
    """Starts and ends in (length, labels, 2) that reach the floor, in the order of the units."""
    least = np.array([floor.object_start, floor.object_end], dtype=np.float32)
    found = np.nonzero(probabilities >= least)
    units, labels, sides = (index.tolist() for index in found)
    starts: list[Hit] = []
    ends: list[Hit] = []
    for unit, label, side, p in zip(
        units, labels, sides, probabilities[found].tolist(), strict=True
    ):
        (ends if side else starts).append((unit, label, p))
    return starts, ends


def sparse_spans(probabilities: Floats, floor: Thresholds) -> Spans:
    """Spans in (length, length) that reach the floor; none where it asks for none."""
    if floor.span is UNSET:
        return _NONE
    found = np.nonzero(probabilities >= np.float32(floor.span))
    places = zip(*(index.tolist() for index in found), strict=True)
    return dict(zip(places, probabilities[found].tolist(), strict=True))


def decode_subjects(marks: Floats, thresholds: Thresholds, spans: Spans = _NONE) -> list[UnitSpan]:
    """Pair starts of subjects with ends; ``marks`` has shape (length, 2).

    Every start is paired with the nearest end at or after it, or, where the thresholds ask for
    ``spans``, with all ends that make one of these with it.
    """
    return [subject for subject, _ in _subjects(marks, thresholds, spans)]


def _subjects(
    marks: Floats, thresholds: Thresholds, spans: Spans
) -> Iterator[tuple[UnitSpan, float]]:
    starts = np.nonzero(marks[:, 0] >= thresholds.subject_start)[0].tolist()
    if not starts:
        return
    ends = np.nonzero(marks[:, 1] >= thresholds.subject_end)[0].tolist()
    for first in starts:
        for last, p in _paired(first, ends, spans, thresholds.span):
            yield (first, last), float(min(marks[first, 0], marks[last, 1], p))


def _paired(
    start: int, ends: Iterable[int], spans: Spans, least: float | UnsetType
) -> Iterator[tuple[int, float]]:
    """The ends that go with a start, each with the probability that it does."""
    for end in ends:
        if end < start:
            continue
        if least is UNSET:
            yield end, 1.0
            return
        p = spans.get((start, end), 0.0)
        if p >= least:
            yield end, p


def decode(scores: Scores, thresholds: Thresholds) -> list[Found]:
    """All triples of a window: every subject, each with its objects under every predicate."""
    found: list[Found] = []
    for subject, sure in _subjects(scores.subjects, thresholds, scores.spans):
        if subject not in scores.objects:
            continue
        starts, hits = scores.objects[subject]
        ends: defaultdict[int, dict[int, float]] = defaultdict(dict)
        for unit, label, p_end in hits:
            if p_end >= thresholds.object_end:
                ends[label][unit] = p_end
        for unit, label, p_start in starts:
            if p_start < thresholds.object_start:
                continue
            for last, p in _paired(unit, ends[label], scores.spans, thresholds.span):
                score = sure * min(p_start, ends[label][last], p)
                found.append(Found(subject, label, (unit, last), score))
    return found
