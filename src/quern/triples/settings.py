"""Settings of triple models: the network, and how labels are read in training."""

from __future__ import annotations

from typing import Literal

import msgspec

from quern.alignment import Occurrence

Pairing = Literal["nearest", "spans"]


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
        pairing: a start ends wherever the two make one of the "spans" that a head of its own
            finds, or at the "nearest" end after it, which cannot express nested spans.
        priors: tell the network where known triples stand (``quern.priors``).
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
    pairing: Pairing = "spans"
    priors: bool = False


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
        frames: share of texts in whose place a sentence of ours is read at each step, with the
            ends of one of their triples; most such sentences state no fact.
        unknown: share of words and numbers that are read as if they had no id of their own,
            so that their n-grams and shapes learn to carry what new names will need.
        reading: units up to which the trained model reads whole sentences together; None
            for the fewest that keep nearly all labels together.
    """

    occurrence: Occurrence = "nearest"
    absent_weight: float = 0.3
    augment: float = 0.0
    frames: float = 0.0
    unknown: float = 0.0
    reading: int | None = None

    def __post_init__(self) -> None:
        if self.reading is not None and self.reading < 1:
            raise ValueError("reading must be at least 1 unit")
        if not 0 <= self.frames <= 1:
            raise ValueError("frames must lie between 0 and 1")
