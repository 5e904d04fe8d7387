"""Settings of rank models: the network, and how texts and items are read in training."""

from __future__ import annotations

from typing import Literal

import msgspec

from quern.embedding import EmbeddingSettings

ItemVectors = Literal["free", "text", "both"]
RankLoss = Literal["margin", "warp", "softmax"]
Negatives = Literal["uniform", "popularity", "batch", "hard"]


class RankSettings(EmbeddingSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The network that reads texts, and what makes the vectors of items.

    Attributes:
        items: a "free" vector for each item; one that the same network makes of the item's
            "text"; or "both", added.
    """

    items: ItemVectors = "both"


RANK_PRESETS: dict[str, RankSettings] = {
    "full": RankSettings(),
    "fast": RankSettings(reading="bag"),
    "wide": RankSettings(reading="wide", pooling="max", items="free"),
}


class RankFitting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How texts and items are read in training.

    Attributes:
        loss: "margin", "warp" or "softmax"; docs/ranks.md has the formulas.
        margin: that the right item must be ahead in cosine, for "margin" and "warp".
        scale: what cosines are multiplied by, for "softmax".
        negatives: how wrong items are drawn: "uniform"; by "popularity", to the power of 0.75;
            only the others' right ones in the "batch"; or the "hard" ones, those nearest to a text
            of all items, found anew in each epoch.
        sampled: wrong items that are drawn at each step, for all its texts together; for "hard",
            for each text.
        unknown: share of words read as if they had no id of their own.
    """

    loss: RankLoss = "softmax"
    margin: float = 0.2
    scale: float = 20.0
    negatives: Negatives = "uniform"
    sampled: int = 64
    unknown: float = 0.0

    def __post_init__(self) -> None:
        if self.scale <= 0 or self.margin < 0 or self.sampled < 1:
            raise ValueError("scale must be above 0, margin at least 0, sampled at least 1")
