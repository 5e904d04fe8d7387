"""Targets, which turn triples into arrays, and decoding, which undoes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
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


# -- decoding: arrays → triples -----------------------------------------------------


Hit = tuple[int, int, float]  # unit, label, probability


class Scores(NamedTuple):
    """What the graphs say of one window.

    ``objects`` holds, for each candidate subject, the places whose probability reaches a
    floor, starts and ends, in the order of the units.
    """

    subjects: Floats
    objects: dict[UnitSpan, tuple[list[Hit], list[Hit]]]


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


def decode_subjects(marks: Floats, thresholds: Thresholds) -> list[UnitSpan]:
    """Pair every start with the nearest end at or after it; ``marks`` has shape (length, 2)."""
    starts = np.nonzero(marks[:, 0] >= thresholds.subject_start)[0].tolist()
    if not starts:
        return []
    ends = np.nonzero(marks[:, 1] >= thresholds.subject_end)[0].tolist()
    return [(i, j) for i in starts if (j := next((e for e in ends if e >= i), None)) is not None]


def decode(scores: Scores, thresholds: Thresholds) -> list[Found]:
    """All triples of a window: every subject, each with its objects under every predicate."""
    found: list[Found] = []
    for subject in decode_subjects(scores.subjects, thresholds):
        if subject not in scores.objects:
            continue
        starts, ends = scores.objects[subject]
        sure = float(min(scores.subjects[subject[0], 0], scores.subjects[subject[1], 1]))
        for unit, label, p_start in starts:
            if p_start < thresholds.object_start:
                continue
            for last, of, p_end in ends:
                if of == label and last >= unit and p_end >= thresholds.object_end:
                    score = sure * min(p_start, p_end)
                    found.append(Found(subject, label, (unit, last), score))
                    break
    return found
