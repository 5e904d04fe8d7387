"""Settings of title models: the network, how it is trained, and how titles are written."""

from __future__ import annotations

from typing import Literal

import msgspec

TitleReading = Literal["conv", "gru"]


class TitleSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The network that reads a document and writes its title.

    Attributes:
        reading: what reads the document: the shared "conv" encoder, or a "gru" both ways.
        dim: width of the hidden vectors.
        gram_dim: width of the n-gram vectors before they are projected to ``dim``.
        dilations: of the convolutions, one gated convolution of width 3 for each.
        dropout: share of the components of units, pieces and outputs dropped in training.
        gate_dropout: share of the convolutions' gates dropped in training.
        layers: recurrent layers of the decoder.
        attention: look at the document again at each step; without, it is one vector.
        copy: take units over from the document; needs ``attention``.
        coverage: weight of the loss on looking at the same place again (See et al., 2017); 0
            leaves out the coverage, too.
        pieces: most pieces that titles are spelled with.
        limit: units of a document that are read.
        longest: steps of a title at most.
        vector_dim: width of the vector of a document.
    """

    reading: TitleReading = "conv"
    dim: int = 128
    gram_dim: int = 32
    dilations: tuple[int, ...] = (1, 2, 5, 1, 2, 5, 1, 2, 5, 1, 1, 1)
    dropout: float = 0.1
    gate_dropout: float = 0.1
    layers: int = 2
    attention: bool = True
    copy: bool = True
    coverage: float = 0.1
    pieces: int = 8000
    limit: int = 400
    longest: int = 40
    vector_dim: int = 128

    def __post_init__(self) -> None:
        if min(self.vector_dim, self.layers, self.limit, self.longest, self.pieces) < 1:
            raise ValueError("vector_dim, layers, limit, longest and pieces must be at least 1")
        if self.dim < 1 or (self.reading == "gru" and self.dim % 2):
            raise ValueError("dim must be at least 1, and even for reading=gru: half for each way")
        if not (0 <= self.dropout < 1 and 0 <= self.gate_dropout < 1):
            raise ValueError("dropout and gate_dropout must be at least 0 and below 1")
        if self.copy and not self.attention:
            raise ValueError("copy=true takes over what attention finds; set copy=false, too")
        if self.coverage < 0:
            raise ValueError("coverage must not be below 0")

    @property
    def covers(self) -> bool:
        """Whether attention is told what it has looked at."""
        return self.attention and self.coverage > 0

    @property
    def carried(self) -> tuple[str, ...]:
        """What one step of the decoder hands to the next, by name."""
        fed = ("feed",) if self.attention else ()
        return ("hidden", *fed, *(("coverage",) if self.covers else ()))

    @property
    def looked_at(self) -> tuple[str, ...]:
        """What all steps of a title are given, by name."""
        read = ("states", "sources") if self.attention else ()
        return (*read, *(("room",) if self.copy else ()))


TITLE_PRESETS: dict[str, TitleSettings] = {
    "full": TitleSettings(),
    "fast": TitleSettings(dim=96, dilations=(1, 2, 5, 1, 2, 5), layers=1),
}


class TitleFitting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How documents and titles are read in training.

    Attributes:
        smoothing: share of each target that is spread over all pieces (Szegedy et al., 2016).
        sampling: share of the steps that are told the network's own last piece in place of the
            title's.
        vector_weight: of the loss that draws the vector of a document to that of its title.
        unknown: share of words and numbers that are read as if they had no id of their own.
    """

    smoothing: float = 0.1
    sampling: float = 0.0
    vector_weight: float = 0.1
    unknown: float = 0.05

    def __post_init__(self) -> None:
        if not (0 <= self.smoothing < 1 and 0 <= self.sampling <= 1 and 0 <= self.unknown <= 1):
            raise ValueError("smoothing, sampling and unknown must be between 0 and 1")
        if self.vector_weight < 0:
            raise ValueError("vector_weight must not be below 0")


class Decoding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How titles are written.

    Attributes:
        beam: titles that are followed at the same time; 1 always takes the next best piece
            ("greedy").
        alpha: titles of several lengths are compared by the sum of their log probabilities,
            divided by length to this power.
        block: so many pieces in a row stand once in a title at most; 0 allows any.
        temperature: where given, pieces are drawn rather than searched for, the more evenly the
            higher it is.
        top_k: of so many at each step, for drawing.
        seed: of what is drawn; the same text with the same seed has the same titles.
    """

    beam: int = 4
    alpha: float = 1.0
    block: int = 3
    temperature: float | None = None
    top_k: int = 40
    seed: int = 0

    def __post_init__(self) -> None:
        if self.beam < 1 or self.top_k < 1 or self.block < 0 or self.alpha < 0:
            raise ValueError("beam and top_k must be at least 1, block and alpha at least 0")
        if self.temperature is not None and self.temperature <= 0:
            raise ValueError("temperature must be above 0")


GREEDY = Decoding(beam=1)
