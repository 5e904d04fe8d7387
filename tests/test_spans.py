"""Spans: with them decoding undoes targets however spans are nested or cross."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_model import FakeEncoder, fake_model
from quern.alignment import AlignedTriple, Label, UnitSpan
from quern.doctor import reachable
from quern.evaluation import tune
from quern.records import LabelledTriple, TripleExample
from quern.runtime import Arrays, Results
from quern.text import Window
from quern.triples import (
    SPAN,
    Found,
    Scores,
    Thresholds,
    decode,
    decode_subjects,
    grid,
    loosened,
    lowest,
    object_targets,
    span_grid,
    span_targets,
    sparse,
    sparse_spans,
    subject_targets,
)

LENGTH = 10  # units that spans are drawn from; one more follows
LABELS = {Label("wrote"): 0, Label("directed"): 1}
SPANS = Thresholds(span=SPAN)

places = st.integers(0, LENGTH - 1)
any_span = st.tuples(places, places).map(lambda t: (min(t), max(t)))
any_triple = st.builds(AlignedTriple, any_span, st.sampled_from([*LABELS]), any_span)


def read(triples: Iterable[AlignedTriple], thresholds: Thresholds = SPANS) -> set[AlignedTriple]:
    """What decoding gives of the targets of ``triples``."""
    triples, labels = list(triples), [*LABELS]
    length = LENGTH + 1
    marks = subject_targets(triples, length)
    spans = sparse_spans(span_targets(triples, length), thresholds)
    objects = {
        subject: sparse(object_targets(triples, subject, LABELS, length), thresholds)
        for subject in decode_subjects(marks, thresholds, spans)
    }
    found = decode(Scores(marks, objects, spans), thresholds)
    assert len(set(found)) == len(found)
    assert all(f.score == 1 for f in found)
    return {AlignedTriple(f.subject, labels[f.label], f.object) for f in found}


# -- decoding undoes targets --------------------------------------------------------


@given(st.sets(any_span, max_size=8))
def test_any_set_of_spans_comes_back(spans: set[UnitSpan]) -> None:
    subjects = {AlignedTriple(span, Label("wrote"), span) for span in spans}
    assert read(subjects) == subjects
    apart = (LENGTH, LENGTH)  # no start and end of two objects make this subject
    objects = {AlignedTriple(apart, Label("wrote"), span) for span in spans}
    assert read(objects) == objects


@given(st.sets(any_triple, max_size=6))
def test_no_triple_is_lost_and_what_comes_with_them_is_made_of_theirs(
    triples: set[AlignedTriple],
) -> None:
    spans = {span for s, _, o in triples for span in (s, o)}
    mixed = {
        AlignedTriple(s, k, (o[0], p[1]))
        for s, k, o in triples
        for t, m, p in triples
        if (s, k) == (t, m) and (o[0], p[1]) in spans
    }
    assert triples <= mixed
    assert read(triples) == mixed == reachable(list(triples), [Window(0, LENGTH + 1)], "spans")


def test_a_span_within_a_span_needs_spans() -> None:
    nested = {AlignedTriple((0, 0), Label("wrote"), span) for span in ((1, 5), (2, 3))}
    assert read(nested) == nested
    assert {o for _, _, o in read(nested, Thresholds())} == {(1, 3), (2, 3)}


def test_targets_mark_every_span_of_a_triple_once() -> None:
    one = AlignedTriple((0, 1), Label("wrote"), (3, 3))
    marks = span_targets([one, one._replace(object=(0, 1))], 5)
    assert np.argwhere(marks).tolist() == [[0, 1], [3, 3]]


# -- thresholds ---------------------------------------------------------------------


def one_triple(of_subject: float, of_object: float) -> Scores:
    """Scores of one triple, ((1, 2), 0, (3, 4)), whose spans have these probabilities."""
    subjects = np.zeros((5, 2), dtype=np.float32)
    objects = np.zeros((5, 1, 2), dtype=np.float32)
    subjects[1, 0], subjects[2, 1] = 0.875, 0.75
    objects[3, 0, 0], objects[4, 0, 1] = 0.75, 0.875
    spans = {(1, 2): of_subject, (3, 4): of_object}
    return Scores(subjects, {(1, 2): sparse(objects, Thresholds())}, spans)


def test_the_score_counts_the_weakest_of_ends_and_span() -> None:
    sure = Found((1, 2), 0, (3, 4), 0.75 * 0.75)
    assert decode(one_triple(1.0, 1.0), SPANS) == [sure]
    assert decode(one_triple(0.625, 0.5), SPANS) == [sure._replace(score=0.625 * 0.5)]
    assert decode(one_triple(0.625, 0.25), Thresholds()) == [sure]  # who does not ask is not told


@pytest.mark.parametrize("at", [0, 1])
def test_the_threshold_is_the_least_probability_of_a_span(at: int) -> None:
    for probability, passes in ((0.5, True), (0.4999, False), (0.0, False)):
        given_ = [1.0, 1.0]
        given_[at] = probability
        assert bool(decode(one_triple(*given_), SPANS)) == passes
    assert decode(one_triple(1.0, 1.0)._replace(spans={}), SPANS) == []


def test_a_folder_without_the_threshold_pairs_with_the_nearest_end() -> None:
    old = {"subject_start": 0.5, "subject_end": 0.4, "object_start": 0.5, "object_end": 0.4}
    assert msgspec.convert(old, Thresholds) == Thresholds()
    assert msgspec.to_builtins(Thresholds()) == old
    assert msgspec.to_builtins(SPANS) == old | {"span": SPAN}
    assert msgspec.convert(old | {"span": 0.3}, Thresholds) == Thresholds(span=0.3)


def test_thresholds_without_and_with_spans_go_together() -> None:
    low = Thresholds(0.2, 0.6, 0.2, 0.6)
    assert lowest([low, SPANS]) == Thresholds(0.2, 0.4, 0.2, 0.4, 0.5)
    assert lowest([low, SPANS, Thresholds(span=0.3)]).span == 0.3
    assert lowest([low, Thresholds()]).span is msgspec.UNSET
    assert [t.span for t in loosened(SPANS, 0.25)] == [0.25, 0.25]
    assert [t.span for t in loosened(SPANS, 0.75)] == [0.5, 0.5]
    assert loosened(Thresholds(), 0.25)[1] == Thresholds(0.25, 0.25, 0.25, 0.25)
    values = [each.span for each in span_grid(low)]
    assert values == sorted({each.subject_start for each in grid()})
    assert {msgspec.structs.replace(each, span=0.5) for each in span_grid(low)} == {
        msgspec.structs.replace(low, span=0.5)
    }


levels = st.sampled_from([0.2, 0.4, 0.5, 0.8])
thresholds = st.builds(Thresholds, levels, levels, levels, levels, levels | st.just(msgspec.UNSET))


def noisy(seed: int, floor: Thresholds) -> Scores:
    """Scores drawn at random, objects for every pair."""
    rng = np.random.default_rng(seed)
    subjects, spans = rng.random((6, 2), dtype=np.float32), rng.random((6, 6), dtype=np.float32)
    objects = {
        (i, j): sparse(rng.random((6, 2, 2), dtype=np.float32), floor)
        for i in range(6)
        for j in range(i, 6)
    }
    return Scores(subjects, objects, sparse_spans(spans, floor))


@given(st.integers(0, 2**32 - 1), thresholds, thresholds)
def test_a_lower_floor_changes_nothing(seed: int, one: Thresholds, other: Thresholds) -> None:
    exact = decode(noisy(seed, one), one)
    assert decode(noisy(seed, lowest([one, other])), one) == exact
    assert [f.subject for f in exact] == sorted(f.subject for f in exact)


# -- the model and the thresholds that suit it -----------------------------------------------


class SpanEncoder(FakeEncoder):
    """Says besides how likely each unit begins and each ends a span, the pair as their mean."""

    likely: Any

    def __call__(self, inputs: Arrays) -> Results:
        found = super().__call__(inputs)
        p = self.likely[inputs["units"].astype(np.int64)]
        return found | {"spans": np.triu((p[:, :, None, 0] + p[:, None, :, 1]) / 2)}


def reader(inner: float) -> Any:
    """A reader of facts on nested names: "hill" begins one and "old hill mill" another.

    The span "hill mill", which nobody labels, is as likely as ``inner``.
    """
    model = fake_model(
        ["ann owns old hill mill ."],
        {"ann": (0.9, 0.9)},
        {("owns", "old"): (0.9, 0), ("owns", "hill"): (0.9, 0.9), ("owns", "mill"): (0, 0.9)},
        thresholds=SPANS,
    )
    encoder = SpanEncoder(model._encoder.marks)  # type: ignore[attr-defined]
    encoder.likely = np.zeros((len(encoder.marks), 2), dtype=np.float32)
    for unit, marks in {
        "ann": (1.0, 1.0),
        "old": (1.0, 0.0),
        "hill": (inner, 1 - inner),
        "mill": (0.0, inner),
    }.items():
        encoder.likely[model.codec.vocabulary.id(unit)] = marks
    model._encoder = encoder
    return model


def test_the_model_reads_nested_objects() -> None:
    model = reader(0.375)
    text = "ann owns old hill mill."
    [found] = model([text])
    assert {t.object.text for t in found} == {"old hill", "old hill mill", "hill"}
    model.thresholds = Thresholds()
    [found] = model([text])
    assert {t.object.text for t in found} == {"old hill", "hill"}
    model.thresholds = Thresholds(span=0.95)
    assert model([text]) == [[]]
    [found] = model([text], 0.0, 0.3)  # uncertain: spans below the threshold, too
    assert {t.object.text for t in found} == {"old hill", "old hill mill", "hill", "hill mill"}


def test_a_text_reads_the_same_in_any_company() -> None:
    model = reader(0.375)
    texts = [
        "ann owns old hill mill.",
        "ann",
        "",
        "mill hill old ann. " * 4,
        "ann owns hill mill.",
    ]
    assert model(texts) == [model([text])[0] for text in texts]


def test_tuning_finds_the_threshold_of_spans() -> None:
    names = ("old hill", "old hill mill", "hill")
    labels = tuple(LabelledTriple("ann", "owns", name) for name in names)
    examples = [TripleExample("ann owns old hill mill.", labels) for _ in range(40)]
    # "hill mill" is a span at 0.75 and in no label, "hill" at 0.5.
    best, counts = tune(reader(0.75), examples)
    assert best.span == 0.5
    assert counts[best].f1 == pytest.approx(6 / 7)
    # Now "hill mill" is a span at 0.375, and "old hill mill" at 0.6875: the usual will do.
    best, counts = tune(reader(0.375), examples)
    assert (best, counts[best].f1) == (SPANS, 1.0)
    model = reader(0.125)  # "old hill mill" at 0.5625, "old hill" at 0.9375, "hill mill" at 0.125
    model._encoder.likely *= 0.5
    best, counts = tune(model, examples)
    assert (best.span, counts[best].f1) == (0.2, 1.0)
    model.thresholds = Thresholds()
    best, counts = tune(model, examples)
    assert best.span is msgspec.UNSET
    assert all(each.span is msgspec.UNSET for each in counts)
