"""Several triple models side by side, and what all that read triples have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from quern.alignment import Label
from quern.calibration import PlattScaling
from quern.errors import TextError
from quern.records import Triple
from quern.text import Encoding, TextCodec, Window
from quern.triples.model import TripleModel


class ReadsTriples(Protocol):
    """A model, or several joined.

    Attributes:
        codec: cuts texts into units.
        labels: what is told apart.
        calibration: how scores become shares, None where they are handed out as they are.
    """

    codec: TextCodec
    labels: tuple[Label, ...]
    calibration: PlattScaling | None

    def __call__(
        self, texts: Sequence[str], min_score: float = 0.0, uncertain: float | None = None
    ) -> list[list[Triple]]:
        """Read the triples of every text; see ``TripleModel``."""

    def windows(self, encoding: Encoding) -> list[Window]:
        """What is read at once."""


class TripleUnion:
    """Models joined by the union of their facts, as the article joins its two families.

    Each model cuts, reads, decodes and calibrates by itself, so they may know other units and
    other labels. A fact that several give, in the same places, has the highest of their scores.
    """

    def __init__(
        self, models: Sequence[TripleModel], calibration: PlattScaling | None = None
    ) -> None:
        """Join ``models``, one at least; ``calibration`` is fitted to their joint scores."""
        self.models = tuple(models)
        self.calibration = calibration
        # How a text is cut into units does not depend on the vocabulary, so any codec will do.
        self.codec = models[0].codec
        found = {label for model in models for label in model.labels}
        self.labels = tuple(sorted(found, key=lambda label: label.sort_key))

    def __call__(
        self, texts: Sequence[str], min_score: float = 0.0, uncertain: float | None = None
    ) -> list[list[Triple]]:
        """Read the triples of every text; see ``TripleModel``.

        A fact is certain if one of the models is certain of it.
        """
        if isinstance(texts, str):
            raise TextError("one string was given where a list of texts is wanted: model([text])")
        raw = uncertain
        if uncertain is not None and self.calibration is not None:
            raw = self.calibration.inverse(uncertain)
        readings = [model(texts, uncertain=raw) for model in self.models]
        return [
            self._joined(of_text, min_score, uncertain) for of_text in zip(*readings, strict=True)
        ]

    def windows(self, encoding: Encoding) -> list[Window]:
        """What any of the models reads at once."""
        return sorted({window for model in self.models for window in model.windows(encoding)})

    def _joined(
        self, readings: Sequence[Sequence[Triple]], min_score: float, uncertain: float | None
    ) -> list[Triple]:
        best: dict[object, Triple] = {}
        for triple in (triple for reading in readings for triple in reading):
            other = best.get(triple.strict_key)
            if other is None or _rank(triple) > _rank(other):
                best[triple.strict_key] = triple
        given = []
        for triple in best.values():
            score = triple.score
            score = score if self.calibration is None else self.calibration(score)
            if not triple.uncertain and score >= min_score:
                given.append(msgspec.structs.replace(triple, score=score))
            elif uncertain is not None and score >= uncertain:
                given.append(msgspec.structs.replace(triple, score=score, uncertain=True))
        return sorted(given, key=self._order)

    def _order(self, triple: Triple) -> tuple[int, int, int, int, int]:
        s, o = triple.subject, triple.object
        label = Label(triple.predicate, triple.subject_type, triple.object_type)
        return s.start, s.end, self.labels.index(label), o.start, o.end


def _rank(triple: Triple) -> tuple[bool, float]:
    """Certain facts come before uncertain ones, then the score decides."""
    return not triple.uncertain, triple.score
