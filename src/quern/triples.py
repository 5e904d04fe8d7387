"""Triples: settings, targets, decoding, and the model that reads texts.

The model (Su Jianlin, "基于DGCNN和概率图的轻量级信息抽取模型", 2019) factors
P(s, p, o) = P(s) · P(o, p | s): start and end of subjects are tagged first, then, for each
subject, start and end of its objects under each predicate.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from quern.alignment import AlignedEntity, AlignedTriple, Label, Occurrence, UnitSpan
from quern.calibration import PlattScaling
from quern.errors import TextError
from quern.records import Triple
from quern.runtime import Runs, batches, padded
from quern.text import Encoding, TextCodec, Window

Floats = NDArray[np.float32]
_FAINT = 0.05  # least threshold; near 0 a text has as many facts as pairs of units


class TripleSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The network of a triple model; the defaults are the article's, preset ``full``.

    Attributes:
        dim: width of the hidden vectors.
        gram_dim: width of the n-gram vectors before they are projected to ``dim``.
        dilations: one gated convolution of width 3 for each.
        dropout: share of the embedded units' components dropped in training.
        gate_dropout: share of the gates dropped in training.
        heads: heads of the two self-attentions; 0 leaves them out.
        head_dim: width of a head.
        subject: a subject as ``points`` vectors at even places read by a bidirectional GRU
            ("points"), or as its two end vectors ("ends").
        points: how many places.
        distance: units after which relative positions are no longer told apart.
    """

    dim: int = 128
    gram_dim: int = 32
    dilations: tuple[int, ...] = (1, 2, 5, 1, 2, 5, 1, 2, 5, 1, 1, 1)
    dropout: float = 0.25
    gate_dropout: float = 0.1
    heads: int = 8
    head_dim: int = 16
    subject: Literal["points", "ends"] = "points"
    points: int = 6
    distance: int = 64


PRESETS: dict[str, TripleSettings] = {
    "full": TripleSettings(),
    "fast": TripleSettings(dilations=(1, 2, 5, 1, 2, 5), heads=0, subject="ends", dim=96),
}


class TripleFitting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How labels are read in training.

    Attributes:
        occurrence: which place a label without offset means where its string stands more
            than once.
        absent_weight: weight of "no triple here" in lines whose labels are not complete, and
            of "no subject here" in lines for which not every predicate was looked for.
        augment: share of texts in which one end of a triple is replaced by another of the
            same predicate, drawn anew at every step.
        unknown: share of words and numbers that are read as if they had no id of their own,
            so that their n-grams and shapes learn to carry what new names will need.
        reading: units up to which the trained model reads whole sentences together; None
            for the fewest that keep nearly all labels together.
    """

    occurrence: Occurrence = "nearest"
    absent_weight: float = 0.3
    augment: float = 0.0
    unknown: float = 0.0
    reading: int | None = None

    def __post_init__(self) -> None:
        if self.reading is not None and self.reading < 1:
            raise ValueError("reading must be at least 1 unit")


class Thresholds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Least probabilities of starts and ends; the article's until tuned on dev."""

    subject_start: float = 0.5
    subject_end: float = 0.4
    object_start: float = 0.5
    object_end: float = 0.4


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


# -- the model ------------------------------------------------------------------------


class TripleModel:
    """Reads triples out of texts with two graphs.

    ``encoder`` takes units and gives all that is known before a subject is chosen;
    ``objects`` takes that and a batch of subjects, and gives their objects.
    """

    batch_size = 32  # windows per run
    chunk = 1024  # texts whose results are held at once

    def __init__(
        self,
        codec: TextCodec,
        labels: Sequence[Label],
        encoder: Runs,
        objects: Runs,
        thresholds: Thresholds,
        reading: int | None = None,
        calibration: PlattScaling | None = None,
    ) -> None:
        """Put the parts of a model folder together."""
        self.codec = codec
        self.labels = tuple(labels)
        self.thresholds = thresholds
        self.reading = reading
        self.calibration = calibration
        self._encoder = encoder
        self._objects = objects

    def __call__(
        self, texts: Sequence[str], min_score: float = 0.0, uncertain: float | None = None
    ) -> list[list[Triple]]:
        """Read the triples of every text.

        Long texts are read in windows, so no part of a text is left out.

        Args:
            texts: any strings.
            min_score: leave out triples that score lower.
            uncertain: give those that are left out, by ``min_score`` or by the model's
                thresholds, too, if they score at least this much; they are marked.

        Returns:
            For each text its triples in the order of their subjects; a fact that several
            places support in the same words appears once for each pair of places.

        Raises:
            TextError: ``texts`` is one string, which would be read character by character.
        """
        if isinstance(texts, str):
            raise TextError("one string was given where a list of texts is wanted: model([text])")
        results: list[list[Triple]] = []
        for at in range(0, len(texts), self.chunk):
            encodings = [self.codec.encode(text) for text in texts[at : at + self.chunk]]
            sure: list[_Kept] = [{} for _ in encodings]
            unsure: list[_Kept] = [{} for _ in encodings]
            eager = [] if uncertain is None else loosened(self.thresholds, self._raw(uncertain))
            for i, window, scores in self.scores(encodings, [self.thresholds, *eager]):
                for triple in decode(scores, self.thresholds):
                    _keep(sure[i], triple, window.first)
                for thresholds in eager:
                    for triple in decode(scores, thresholds):
                        _keep(unsure[i], triple, window.first)
            for encoding, usual, more in zip(encodings, sure, unsure, strict=True):
                given: dict[_Key, tuple[float, bool]] = {}
                for key, raw in (more | usual).items():
                    score = raw if self.calibration is None else self.calibration(raw)
                    if key in usual and score >= min_score:
                        given[key] = score, False
                    elif uncertain is not None and score >= uncertain:
                        given[key] = score, True
                results.append(
                    [self._triple(encoding, key, *how) for key, how in sorted(given.items())]
                )
        return results

    def _raw(self, score: float) -> float:
        return score if self.calibration is None else self.calibration.inverse(score)

    def windows(self, encoding: Encoding) -> list[Window]:
        """What the model reads at once."""
        return self.codec.windows(encoding, self.reading)

    def scores(
        self, encodings: Sequence[Encoding], candidates: Sequence[Thresholds]
    ) -> Iterable[tuple[int, Window, Scores]]:
        """Run the graphs over texts.

        Args:
            encodings: the texts.
            candidates: thresholds that will be tried; subjects of any of them get objects.

        Yields:
            For every window: the index of its text, the window, and its scores.
        """
        floor = lowest(candidates)
        parts = [
            (i, encoding, window)
            for i, encoding in enumerate(encodings)
            for window in self.windows(encoding)
        ]
        lengths = [window.stop - window.first for _, _, window in parts]
        for group in batches(lengths, self.batch_size):
            length = padded(lengths[group[-1]])
            inputs = self.codec.arrays([parts[g][1:] for g in group], length)
            encoded = self._encoder(inputs)
            subjects = encoded.pop("subjects")
            pairs = [
                sorted({s for t in candidates for s in decode_subjects(subjects[row], t)})
                for row in range(len(group))
            ]
            objects = self._run_objects(encoded, pairs, floor)
            for row, g in enumerate(group):
                i, _, window = parts[g]
                yield i, window, Scores(subjects[row], objects[row])

    def _run_objects(
        self, encoded: dict[str, Floats], pairs: list[list[UnitSpan]], floor: Thresholds
    ) -> list[dict[UnitSpan, tuple[list[Hit], list[Hit]]]]:
        flat = [(row, *pair) for row, of_row in enumerate(pairs) for pair in of_row]
        objects: list[dict[UnitSpan, tuple[list[Hit], list[Hit]]]] = [{} for _ in pairs]
        for at in range(0, len(flat), 2 * self.batch_size):
            some = flat[at : at + 2 * self.batch_size]
            index = np.array(some, dtype=np.int64)
            places = {"row": index[:, 0], "start": index[:, 1], "end": index[:, 2]}
            probabilities = self._objects({**encoded, **places})["objects"]
            for (row, start, end), found in zip(some, probabilities, strict=True):
                objects[row][start, end] = sparse(found, floor)
        return objects

    def key(self, encoding: Encoding, first: int, found: Found) -> tuple[str, str, str]:
        """A decoded triple of the window that begins at unit ``first``, as strings."""
        subject, k, object_ = _shifted(found, first)
        predicate = self.labels[k].predicate
        span = self.codec.span
        return span(encoding, *subject).text, predicate, span(encoding, *object_).text

    def _triple(self, encoding: Encoding, key: _Key, score: float, uncertain: bool) -> Triple:
        subject, k, object_ = key
        label = self.labels[k]
        return Triple(
            subject=self.codec.span(encoding, *subject),
            predicate=label.predicate,
            object=self.codec.span(encoding, *object_),
            score=score,
            subject_type=label.subject_type,
            object_type=label.object_type,
            uncertain=uncertain or msgspec.UNSET,
        )


_Key = tuple[UnitSpan, int, UnitSpan]
_Kept = dict[_Key, float]


def _shifted(found: Found, by: int) -> _Key:
    (a, b), (c, d) = found.subject, found.object
    return (a + by, b + by), found.label, (c + by, d + by)


def _keep(kept: _Kept, found: Found, first: int) -> None:
    """Of the windows that show a triple, the surest counts."""
    key = _shifted(found, first)
    kept[key] = max(found.score, kept.get(key, 0.0))


def loosened(thresholds: Thresholds, score: float) -> list[Thresholds]:
    """Lower thresholds, for facts that score at least ``score`` before calibration.

    No probability of such a fact is lower. With one of the two the ends keep their thresholds,
    so that no weak end hides the strong one behind it.
    """
    least = max(score, _FAINT)
    low = Thresholds(*(min(usual, least) for usual in msgspec.structs.astuple(thresholds)))
    ends = {"subject_end": thresholds.subject_end, "object_end": thresholds.object_end}
    return [msgspec.structs.replace(low, **ends), low]


def lowest(candidates: Sequence[Thresholds]) -> Thresholds:
    """The least of each threshold."""
    return Thresholds(
        *(min(column) for column in zip(*map(msgspec.structs.astuple, candidates), strict=True))
    )


def grid(step: float = 0.1) -> list[Thresholds]:
    """Thresholds to choose from on dev: one for both ends of subjects, one for objects."""
    values = np.arange(0.2, 0.8 + step / 2, step).round(3).tolist()
    return [Thresholds(s, s, o, o) for s, o in product(values, values)]
