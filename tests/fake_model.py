"""A triple model whose graphs are tables: every unit has its marks, wherever it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from quern.alignment import Label
from quern.runtime import Arrays, Results
from quern.text import CodecRules, TextCodec
from quern.triples import Thresholds, TripleModel

Marks = tuple[float, float]  # probability of a start, probability of an end


class FakeEncoder:
    """Marks subjects by unit; hands the units on to the objects' graph."""

    def __init__(self, marks: NDArray[np.float32]) -> None:
        self.marks = marks
        self.runs = 0

    def __call__(self, inputs: Arrays) -> Results:
        self.runs += 1
        units = inputs["units"].astype(np.int64)
        return {"subjects": self.marks[units], "units": units.astype(np.float32)}


class FakeObjects:
    """Marks objects by unit and label, the same for every subject."""

    def __init__(self, marks: NDArray[np.float32]) -> None:
        self.marks = marks
        self.runs = 0

    def __call__(self, inputs: Arrays) -> Results:
        self.runs += 1
        rows = inputs["row"].astype(np.int64)
        return {"objects": self.marks[inputs["units"].astype(np.int64)[rows]]}


def fake_model(
    texts: Sequence[str],
    subjects: Mapping[str, Marks],
    objects: Mapping[tuple[str, str], Marks],
    labels: Sequence[Label] | None = None,
    thresholds: Thresholds | None = None,
) -> TripleModel:
    """A model that knows the units of ``texts``.

    Args:
        texts: for the vocabulary.
        subjects: unit → marks.
        objects: (predicate, unit) → marks.
        labels: what the model tells apart; the predicates of ``objects`` where not given.
        thresholds: the defaults where not given.
    """
    codec = TextCodec.fit(texts, CodecRules(min_count=1))
    labels = labels or [Label(p) for p in sorted({p for p, _ in objects})]
    size = max(codec.vocabulary.id(unit) for unit in codec.vocabulary.units) + 1
    s = np.zeros((size, 2), np.float32)
    o = np.zeros((size, len(labels), 2), np.float32)
    for unit, marks in subjects.items():
        assert unit in codec.vocabulary
        s[codec.vocabulary.id(unit)] = marks
    for (predicate, unit), marks in objects.items():
        assert unit in codec.vocabulary
        for k, label in enumerate(labels):
            if label.predicate == predicate:
                o[codec.vocabulary.id(unit), k] = marks
    return TripleModel(codec, labels, FakeEncoder(s), FakeObjects(o), thresholds or Thresholds())
