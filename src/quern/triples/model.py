"""The model that reads triples out of texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from quern.alignment import Label, UnitSpan
from quern.calibration import PlattScaling
from quern.errors import TextError
from quern.priors import Known, Priors, known_objects, known_subjects
from quern.records import Triple
from quern.runtime import Arrays, Runs, batches, padded
from quern.text import Encoding, TextCodec, Window
from quern.triples.decoding import (
    Floats,
    Found,
    Hit,
    Scores,
    decode,
    decode_subjects,
    sparse,
    sparse_spans,
)
from quern.triples.thresholds import Thresholds, loosened, lowest


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
        priors: Priors | None = None,
    ) -> None:
        """Put the parts of a model folder together."""
        self.codec = codec
        self.labels = tuple(labels)
        self.thresholds = thresholds
        self.reading = reading
        self.calibration = calibration
        self.priors = priors
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
        known = self._known(encodings)
        lengths = [window.stop - window.first for _, _, window in parts]
        for group in batches(lengths, self.batch_size):
            length = padded(lengths[group[-1]])
            inputs: Arrays = self.codec.arrays([parts[g][1:] for g in group], length)
            here = [known[g] for g in group] if known else []
            if here:
                inputs = {**inputs, "known": known_subjects(here, length)}
            encoded = self._encoder(inputs)
            subjects, told = encoded.pop("subjects"), encoded.pop("spans", None)
            spans = [
                {} if told is None else sparse_spans(told[row], floor) for row in range(len(group))
            ]
            pairs = [
                sorted({s for t in candidates for s in decode_subjects(subjects[row], t, of_row)})
                for row, of_row in enumerate(spans)
            ]
            objects = self._run_objects(encoded, pairs, floor, here, length)
            for row, g in enumerate(group):
                i, _, window = parts[g]
                yield i, window, Scores(subjects[row], objects[row], spans[row])

    def _known(self, encodings: Sequence[Encoding]) -> list[Known]:
        """What the priors know in every window, in the order of the windows."""
        if self.priors is None:
            return []
        return [
            known
            for encoding in encodings
            for known in self.priors.find(encoding, self.windows(encoding))
        ]

    def _run_objects(
        self,
        encoded: dict[str, Floats],
        pairs: list[list[UnitSpan]],
        floor: Thresholds,
        known: Sequence[Known],
        length: int,
    ) -> list[dict[UnitSpan, tuple[list[Hit], list[Hit]]]]:
        flat = [(row, *pair) for row, of_row in enumerate(pairs) for pair in of_row]
        objects: list[dict[UnitSpan, tuple[list[Hit], list[Hit]]]] = [{} for _ in pairs]
        for at in range(0, len(flat), 2 * self.batch_size):
            some = flat[at : at + 2 * self.batch_size]
            index = np.array(some, dtype=np.int64)
            inputs: dict[str, NDArray[Any]] = {**encoded}
            inputs |= {"row": index[:, 0], "start": index[:, 1], "end": index[:, 2]}
            if known:
                subjects = [(known[row], (start, end)) for row, start, end in some]
                inputs["known_objects"] = known_objects(subjects, len(self.labels), length)
            probabilities = self._objects(inputs)["objects"]
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
