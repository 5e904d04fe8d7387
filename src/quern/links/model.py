"""The model that finds mentions in texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from quern.alignment import UnitSpan
from quern.calibration import PlattScaling
from quern.errors import TextError
from quern.links.decoding import Floats, LinkThresholds, apart, candidates
from quern.links.dictionary import FEATURES, Dictionary
from quern.records import Mention
from quern.runtime import Arrays, Runs, batches, padded
from quern.text import Encoding, TextCodec, Window


class ReadsMentions(Protocol):
    """Anything that finds mentions in texts."""

    def __call__(self, texts: Sequence[str], min_score: float = 0.0) -> list[list[Mention]]:
        """The mentions of every text."""


class MentionScores(NamedTuple):
    """What the graph says of one window.

    Attributes:
        marks: (length, 2), probabilities of starts and ends.
        spans: (length, length), of spans, first unit by last, where the model tells.
    """

    marks: Floats
    spans: Floats | None


class MentionModel:
    """Finds mentions with one graph, which is told where known names stand."""

    batch_size = 32  # windows per run
    chunk = 1024  # texts whose results are held at once

    def __init__(
        self,
        codec: TextCodec,
        mentions: Runs,
        thresholds: LinkThresholds,
        names: Dictionary | None = None,
        reading: int | None = None,
        calibration: PlattScaling | None = None,
    ) -> None:
        """Put the parts of a model folder together."""
        self.codec = codec
        self.thresholds = thresholds
        self.names = names
        self.reading = reading
        self.calibration = calibration
        self._mentions = mentions

    def __call__(self, texts: Sequence[str], min_score: float = 0.0) -> list[list[Mention]]:
        """Find the mentions of every text.

        Long texts are read in windows, so no part of a text is left out.

        Args:
            texts: any strings.
            min_score: leave out mentions that score lower.

        Returns:
            For each text its mentions in the order of their places; they do not overlap.

        Raises:
            TextError: ``texts`` is one string, which would be read character by character.
        """
        if isinstance(texts, str):
            raise TextError("one string was given where a list of texts is wanted: model([text])")
        results: list[list[Mention]] = []
        for at in range(0, len(texts), self.chunk):
            encodings = [self.codec.encode(text) for text in texts[at : at + self.chunk]]
            found: list[dict[UnitSpan, float]] = [{} for _ in encodings]
            for i, window, scores in self.scores(encodings):
                gather(found[i], window, candidates(scores.marks, scores.spans, self.thresholds))
            for encoding, of_text in zip(encodings, found, strict=True):
                mentions = [self._mention(encoding, *row) for row in apart(of_text).items()]
                results.append([each for each in mentions if each.score >= min_score])
        return results

    def windows(self, encoding: Encoding) -> list[Window]:
        """What the model reads at once."""
        return self.codec.windows(encoding, self.reading)

    def scores(self, encodings: Sequence[Encoding]) -> Iterable[tuple[int, Window, MentionScores]]:
        """Run the graph over texts.

        Yields:
            For every window: the index of its text, the window, and its scores.
        """
        parts = [
            (i, encoding, window)
            for i, encoding in enumerate(encodings)
            for window in self.windows(encoding)
        ]
        told = None if self.names is None else list(self.names.features(encodings, self.codec))
        lengths = [window.stop - window.first for _, _, window in parts]
        for group in batches(lengths, self.batch_size):
            length = padded(lengths[group[-1]])
            inputs: Arrays = self.codec.arrays([parts[g][1:] for g in group], length)
            if told is not None:
                rows = [(told[parts[g][0]], parts[g][2]) for g in group]
                inputs = {**inputs, "names": name_marks(rows, length)}
            outputs = self._mentions(inputs)
            for row, g in enumerate(group):
                i, _, window = parts[g]
                size = lengths[g]
                spans = outputs["spans"][row, :size, :size] if "spans" in outputs else None
                yield i, window, MentionScores(outputs["mentions"][row, :size], spans)

    def _mention(self, encoding: Encoding, span: UnitSpan, score: float) -> Mention:
        place = self.codec.span(encoding, *span)
        sure = score if self.calibration is None else self.calibration(score)
        return Mention(place.start, place.end, place.text, sure)


def gather(found: dict[UnitSpan, float], window: Window, more: dict[UnitSpan, float]) -> None:
    """Add what a window shows to what is found in its text; the surest window counts."""
    for (a, b), score in more.items():
        span = (a + window.first, b + window.first)
        found[span] = max(score, found.get(span, 0.0))


def name_marks(rows: Sequence[tuple[Floats, Window]], length: int) -> Floats:
    """What names say of some windows, (windows, length, ``FEATURES``); 0 pads.

    Args:
        rows: the features of a whole text, and a window of it.
        length: units to which the windows are padded.
    """
    marks = np.zeros((len(rows), length, FEATURES), dtype=np.float32)
    for row, (features, (first, stop)) in enumerate(rows):
        marks[row, : stop - first] = features[first:stop]
    return marks
