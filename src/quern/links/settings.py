"""Settings of mention models: the network, and how labels are read in training."""

from __future__ import annotations

from typing import Literal

import msgspec

Pairing = Literal["nearest", "spans"]
NameSource = Literal["labels", "base", "none"]


class LinkSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The network that finds mentions; the encoder's part is that of ``TripleSettings``.

    Attributes:
        dim: width of the hidden vectors.
        gram_dim: width of the n-gram vectors before they are projected to ``dim``.
        dilations: one gated convolution of width 3 for each.
        dropout: share of the embedded units' components dropped in training.
        gate_dropout: share of the gates dropped in training.
        heads: heads of the self-attention; 0 leaves it out.
        head_dim: width of a head.
        pairing: a start ends wherever the two make one of the "spans" that a head of its own
            finds, or at the "nearest" end after it.
        names: whose names are looked up in a text: those that the training "labels" hold, those
            of a knowledge "base", or "none".
        names_gate: as in the article, starts and ends are multiplied by whether a name begins
            or ends there. Names that are not known are lost.
    """

    dim: int = 128
    gram_dim: int = 32
    dilations: tuple[int, ...] = (1, 2, 5, 1, 2, 5, 1, 2, 5, 1, 1, 1)
    dropout: float = 0.25
    gate_dropout: float = 0.1
    heads: int = 8
    head_dim: int = 16
    pairing: Pairing = "spans"
    names: NameSource = "labels"
    names_gate: bool = False

    def __post_init__(self) -> None:
        if self.names_gate and self.names == "none":
            raise ValueError("names_gate wants names: labels or base")


LINK_PRESETS: dict[str, LinkSettings] = {
    "full": LinkSettings(),
    "fast": LinkSettings(dilations=(1, 2, 5, 1, 2, 5), heads=0, dim=96),
}


class LinkFitting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How labels are read in training.

    Attributes:
        unknown: share of words and numbers that are read as if they had no id of their own,
            so that their n-grams and shapes learn to carry what new names will need.
        reading: units up to which the trained model reads whole sentences together; None
            for the fewest that hold nearly all training texts.
    """

    unknown: float = 0.0
    reading: int | None = None

    def __post_init__(self) -> None:
        if self.reading is not None and self.reading < 1:
            raise ValueError("reading must be at least 1 unit")


class EntitySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The network that chooses entities; the encoder's part is that of ``TripleSettings``.

    Attributes:
        dim: width of the hidden vectors.
        gram_dim: width of the n-gram vectors before they are projected to ``dim``.
        dilations: one gated convolution of width 3 for each.
        dropout: share of the embedded units' components dropped in training.
        gate_dropout: share of the gates dropped in training.
        match_dim: width of the states in which texts and descriptions are compared; they are
            what is kept of a description, a byte for each component.
        match_dropout: share of the components dropped in training of what is compared.
        context: units that are looked at on either side of a mention.
        described: units that are read of a description.
    """

    dim: int = 128
    gram_dim: int = 32
    dilations: tuple[int, ...] = (1, 2, 5, 1, 2, 5, 1, 2, 5, 1, 1, 1)
    dropout: float = 0.25
    gate_dropout: float = 0.1
    match_dim: int = 32
    match_dropout: float = 0.3
    context: int = 32
    described: int = 96

    def __post_init__(self) -> None:
        if min(self.match_dim, self.described) < 1 or self.context < 0:
            raise ValueError("match_dim and described must be at least 1, context at least 0")


ENTITY_PRESETS: dict[str, EntitySettings] = {
    "full": EntitySettings(),
    "fast": EntitySettings(dilations=(1, 2, 5, 1, 2, 5), dim=96),
}


class EntityFitting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How labels are read in training.

    Attributes:
        unknown: see ``LinkFitting``.
        wrong: wrong candidates of a mention that are drawn at each step.
        frozen: whether an encoder that the training starts from stays as it is. One that is to
            read word vectors, too, is trained in any case.
    """

    unknown: float = 0.0
    wrong: int = 6
    frozen: bool = True

    def __post_init__(self) -> None:
        if self.wrong < 1:
            raise ValueError("wrong must be at least 1 candidate")
