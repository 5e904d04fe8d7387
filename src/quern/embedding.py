"""Texts as vectors: the settings of a network that makes them, and the model that runs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from quern.errors import TextError
from quern.runtime import Arrays, Runs, batches, padded
from quern.text import Encoding, TextCodec, Window, phrases

Vectors = NDArray[np.float32]
Reading = Literal["conv", "wide", "gru", "bag", "both"]
Pooling = Literal["mean", "max", "last", "attention"]

_NONE = 1e-12  # a squared length below which a vector has no direction


class Encodes(Protocol):
    """What gives vectors of texts, as ``Embedder`` does.

    Attributes:
        dim: width of the vectors.
        identity: what tells this model's vectors from any other's; None where nobody asks.
    """

    dim: int
    identity: str | None

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """Unit rows, (texts, dim); 0 for a text without direction."""


class EmbeddingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The network that makes a vector of a text; the encoder's part is ``TripleSettings``'.

    Attributes:
        reading: what reads the text: the shared "conv" encoder; one "wide" convolution over five
            units; a "gru" both ways; a "bag" of units, pairs and triples of units, each with a
            weight of its own, in which order counts no further; or "both", the bag beside the
            convolutions.
        dim: width of the hidden vectors.
        gram_dim: width of the n-gram vectors before they are projected to ``dim``.
        dilations: of the convolutions, one gated convolution of width 3 for each.
        dropout: share of the embedded units' components dropped in training.
        gate_dropout: share of the gates dropped in training.
        pooling: how the units' vectors become one: their "mean", the largest of each component
            ("max"), the "last" of either way, or their mean by "attention".
        phrases: buckets that pairs and triples of units are hashed into, for the bag.
        phrase_dim: width of the bag's vectors.
        vector_dim: width of the vector of a text.
    """

    reading: Reading = "both"
    dim: int = 128
    gram_dim: int = 32
    dilations: tuple[int, ...] = (1, 2, 5, 1, 2, 5)
    dropout: float = 0.1
    gate_dropout: float = 0.1
    pooling: Pooling = "mean"
    phrases: int = 32_768
    phrase_dim: int = 128
    vector_dim: int = 128

    def __post_init__(self) -> None:
        if min(self.vector_dim, self.phrase_dim) < 1 or self.phrases < 2:
            raise ValueError("vector_dim and phrase_dim must be at least 1, phrases at least 2")
        if self.dim < 1 or (self.reading == "gru" and self.dim % 2):
            raise ValueError("dim must be at least 1, and even for reading=gru: half for each way")
        if not (0 <= self.dropout < 1 and 0 <= self.gate_dropout < 1):
            raise ValueError("dropout and gate_dropout must be at least 0 and below 1")


class Embedder:
    """Texts → vectors of length 1; the cosine of two is their product.

    Attributes:
        codec: cuts and numbers texts.
        dim: width of the vectors.
        identity: what tells this model's vectors from any other's; None where nobody asks.
    """

    batch_size = 64  # windows per run
    chunk = 4096  # texts whose units are held at once

    def __init__(
        self,
        codec: TextCodec,
        encode: Runs,
        settings: EmbeddingSettings,
        identity: str | None = None,
    ) -> None:
        """Put the parts of a model folder together."""
        self.codec = codec
        self.identity = identity
        self.dim = settings.vector_dim
        self._settings = settings
        self._encode = encode

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """Vectors of texts, (texts, dim).

        A text that is longer than a window is read in windows, and its vector is the mean of
        theirs, each weighted by its units. A text without any unit has no direction: its row is 0.

        Args:
            texts: any strings.

        Raises:
            TextError: ``texts`` is one string, which would be read character by character.
        """
        if isinstance(texts, str):
            raise TextError("one string was given where a list of texts is wanted: model([text])")
        found = np.zeros((len(texts), self.dim), dtype=np.float32)
        for at in range(0, len(texts), self.chunk):
            encodings = [self.codec.encode(text) for text in texts[at : at + self.chunk]]
            found[at : at + len(encodings)] = self.vectors(encodings)
        return found

    def vectors(self, encodings: Sequence[Encoding]) -> Vectors:
        """Vectors of encoded texts, (texts, dim); see ``__call__``."""
        parts = [
            (i, encoding, window)
            for i, encoding in enumerate(encodings)
            for window in self.codec.windows(encoding)
        ]
        sizes = [window.stop - window.first for _, _, window in parts]
        rows = np.zeros((len(parts), self.dim), dtype=np.float32)
        for group in batches(sizes, self.batch_size):
            length = padded(sizes[group[-1]])
            # The product of a single row is summed in another order than that of several.
            run = group if len(group) > 1 else [*group, *group]
            inputs = arrays_of(self.codec, [parts[g][1:] for g in run], length, self._settings)
            rows[run] = self._encode(inputs)["vectors"]
        found = np.zeros((len(encodings), self.dim), dtype=np.float32)
        of = np.array([i for i, _, _ in parts], dtype=np.int64)
        windows = np.bincount(of, minlength=len(encodings))
        alone = windows[of] == 1
        found[of[alone]] = rows[alone]
        np.add.at(found, of[~alone], rows[~alone] * np.array(sizes, dtype=np.float32)[~alone, None])
        found[windows > 1] = unit_rows(found[windows > 1])
        return found


def arrays_of(
    codec: TextCodec,
    parts: Sequence[tuple[Encoding, Window]],
    length: int,
    settings: EmbeddingSettings,
) -> Arrays:
    """The inputs of the network for a batch of windows; of the codec's, and phrases for a bag."""
    arrays: dict[str, NDArray[np.generic]] = {**codec.arrays(parts, length)}
    if settings.reading in ("bag", "both"):
        arrays["phrases"] = phrases(parts, length, settings.phrases)
    return arrays


def unit_rows(vectors: Vectors) -> Vectors:
    """Rows of length 1; those that have no direction are 0."""
    squared = np.einsum("ij,ij->i", vectors, vectors)[:, None]
    length = np.sqrt(np.maximum(squared, _NONE))
    return np.where(squared > _NONE, vectors / length, np.float32(0)).astype(np.float32)
