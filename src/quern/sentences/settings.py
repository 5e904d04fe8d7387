"""Settings of sentence models: presets of the network, and how groups are read in training."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from quern.embedding import EmbeddingSettings

Loss = Literal[
    "softmax", "am-softmax", "a-softmax", "min-softmax", "l-softmax", "arcface", "triplet",
    "contrastive",
]  # fmt: skip


SENTENCE_PRESETS: dict[str, EmbeddingSettings] = {
    "full": EmbeddingSettings(),
    "fast": EmbeddingSettings(reading="bag"),
    "gru": EmbeddingSettings(reading="gru", pooling="last"),
}


class SentenceFitting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How groups are read in training.

    Attributes:
        loss: what is made small; docs/sentences.md has the formulas.
        scale: what cosines are multiplied by before a softmax; no part of "triplet", nor of
            "l-softmax", which has lengths instead.
        margin: that a sentence's own group must be ahead, in the unit of its loss: cosine for
            "am-softmax", "triplet" and "contrastive", radians for "arcface"; the factor of the
            angle for "a-softmax", "l-softmax" and "min-softmax". None for what the source of the
            loss proposes.
        center: weight of the center loss, which draws a group's sentences to its center; 0
            leaves it out.
        classes: groups besides those of a batch that a softmax runs over at each step, drawn
            anew each time; 0 for all groups.
        hard: share of a batch that is made of groups alike to others in it, found anew in each
            epoch; for "triplet" and "contrastive".
        balance: 0 reads every sentence once in an epoch; 1 reads every group as often as any
            other, however many sentences it has; between, between.
        unknown: share of words and numbers that are read as if they had no id of their own.
    """

    loss: Loss = "contrastive"
    scale: float = 20.0
    margin: float | None = None
    center: float = 0.0
    classes: int = 0
    hard: float = 0.0
    balance: float = 0.0
    unknown: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.balance <= 1 and 0 <= self.hard < 1):
            raise ValueError("balance must be between 0 and 1, hard at least 0 and below 1")
        if not 0 <= self.unknown <= 1:
            raise ValueError("unknown must be between 0 and 1")
        if self.scale <= 0 or self.classes < 0 or self.center < 0:
            raise ValueError("scale must be above 0; classes and center must not be below 0")
        if self.hard and not self.paired:
            raise ValueError("hard is for loss=triplet and loss=contrastive")
        if self.classes and self.paired:
            raise ValueError(f"classes is for losses over groups, and loss={self.loss} has none")
        if self.loss == "softmax" and self.margin is not None:
            raise ValueError("loss=softmax has no margin; loss=am-softmax has one")
        if self.loss in _FACTORS and self.margin not in (None, 1, 2, 3, 4):
            raise ValueError(f"the margin of {self.loss} is a whole number from 1 to 4")
        if self.loss == "arcface" and not 0 <= (self.margin or 0) <= math.pi:
            raise ValueError("the margin of arcface is an angle in radians, from 0 to 3.14")

    @property
    def paired(self) -> bool:
        """Whether sentences of a batch are held against each other rather than against groups."""
        return self.loss in PAIRED


PAIRED: tuple[Loss, ...] = ("triplet", "contrastive")
_FACTORS: tuple[Loss, ...] = ("a-softmax", "l-softmax", "min-softmax")  # margins of the angle
