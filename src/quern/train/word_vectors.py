"""Vectors of words in a small file: 8-bit codes with a scale for each row, and the words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from quern.data import writing
from quern.errors import DataError, TextError
from quern.folder import fingerprint
from quern.text import Words

_CODES = 127  # largest code; its negative is the smallest, so that 0 stays 0


class WordVectors:
    """Words and their vectors, most frequent first.

    Attributes:
        words: the words, folded.
        codes: (words, dim) int8.
        scales: (words,) float32, what one step of a code is worth in each row.
    """

    def __init__(
        self, words: tuple[str, ...], codes: NDArray[np.int8], scales: NDArray[np.float32]
    ) -> None:
        """Put the parts together; ``of`` makes them of vectors."""
        self.words, self.codes, self.scales = words, codes, scales

    @classmethod
    def of(cls, words: tuple[str, ...], vectors: NDArray[np.float32]) -> WordVectors:
        """Round vectors (words, dim) to codes; a component is off by half a step at most."""
        scales = (np.abs(vectors).max(1) / _CODES).astype(np.float32)
        steps = np.where(scales > 0, scales, 1)[:, None]  # a row of zeros has no step
        return cls(words, np.rint(vectors / steps).astype(np.int8), scales)

    def table(self) -> NDArray[np.float32]:
        """(1 + words, dim), as a network looks them up: row 0, which is no word, is zero."""
        vectors = self.codes * self.scales[:, None]
        return np.concatenate([np.zeros_like(vectors[:1]), vectors])

    @property
    def identity(self) -> str:
        """What tells these vectors from any others."""
        return fingerprint(self._content())

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all.

        Raises:
            DataError: the disk refuses.
        """
        with writing(path) as stream:
            stream.write(self._content())

    def _content(self) -> bytes:
        letters = np.frombuffer("\n".join(self.words).encode(), dtype=np.uint8)
        return save({"words": letters, "codes": self.codes, "scales": self.scales})

    @classmethod
    def load(cls, path: Path) -> WordVectors:
        """Read a file back.

        Raises:
            DataError: it cannot be read, or is no file of word vectors.
        """
        try:
            tensors = load(path.read_bytes())
            words = tuple(tensors["words"].tobytes().decode().split("\n"))
            codes, scales = tensors["codes"], tensors["scales"]
            Words(words)
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}") from error
        except (SafetensorError, KeyError, UnicodeDecodeError, TextError) as error:
            raise DataError(_not_vectors(path, str(error))) from error
        if codes.dtype != np.int8 or scales.dtype != np.float32 or not np.isfinite(scales).all():
            raise DataError(_not_vectors(path, "expected codes in int8, finite scales in float32"))
        if codes.ndim != 2 or not len(words) == len(codes) == scales.size:
            raise DataError(_not_vectors(path, f"{len(words)} words, vectors {codes.shape}"))
        return cls(words, codes, scales)


def _not_vectors(path: Path, why: str) -> str:
    return f"{path}: not a file of word vectors ({why}); quern vectors makes one"
