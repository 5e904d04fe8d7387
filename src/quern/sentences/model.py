"""The model that makes a vector of a sentence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from quern.errors import TextError
from quern.runtime import Arrays, Runs, batches, padded
from quern.sentences.settings import SentenceSettings
from quern.text import Encoding, TextCodec, Window, phrases

Vectors = NDArray[np.float32]
_NONE = 1e-12  # a squared length below which a vector has no direction


class SentenceModel:
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
        settings: SentenceSettings,
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
    settings: SentenceSettings,
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
