"""The model that gives titles to documents, and vectors."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quern.errors import TextError
from quern.records import Headline
from quern.runtime import Arrays, Results, Runs, batches, padded
from quern.text import TextCodec
from quern.titles.decoding import Begun, Hypothesis, write
from quern.titles.pieces import Pieces, Reading, read, source_arrays
from quern.titles.settings import Decoding, TitleSettings

_BEAM = Decoding()


class Titled(NamedTuple):
    """The titles of one document.

    Attributes:
        titles: the best first; none for a document without a unit.
        read: share of the document that was read.
    """

    titles: tuple[Headline, ...]
    read: float


class TitleModel:
    """Documents → titles.

    Attributes:
        codec: cuts and numbers documents.
        pieces: what titles are spelled with.
        settings: of the network.
        dim: width of the vectors of documents.
        identity: what tells this model's vectors from any other's; None where nobody asks.
    """

    batch_size = 64  # documents per run
    chunk = 1024  # documents whose units are held at once

    def __init__(
        self,
        codec: TextCodec,
        encode: Runs,
        step: Runs,
        pieces: Pieces,
        settings: TitleSettings,
        identity: str | None = None,
    ) -> None:
        """Put the parts of a model folder together."""
        self.codec, self.pieces, self.settings = codec, pieces, settings
        self.dim, self.identity = settings.vector_dim, identity
        self._encode, self._step = encode, step

    def __call__(
        self, texts: Sequence[str], n: int = 1, decoding: Decoding = _BEAM
    ) -> list[list[Headline]]:
        """The best titles of each document; see ``titled``."""
        return [list(titled.titles) for titled in self.titled(texts, n, decoding)]

    def titled(self, texts: Sequence[str], n: int = 1, decoding: Decoding = _BEAM) -> list[Titled]:
        """Give titles to documents.

        Args:
            texts: any strings.
            n: titles of each, at most: the same title stands once.
            decoding: how they are searched for, or drawn.

        Returns:
            For each document its titles, the best first, and how much of it was read.

        Raises:
            TextError: ``texts`` is one string, which would be read character by character.
        """
        found: list[Titled] = []
        for lot in self._lots(texts):
            readings = self._readings(lot)
            titles = [Titled((), reading.share) for reading in readings]
            for group, results, fixed in self._groups(readings):
                begun = self._begun(results, fixed, [lot[i] for i in group], decoding)
                written = write(self._step, begun, decoding, self.settings.longest, n)
                for i, hypotheses in zip(group, written, strict=True):
                    lines = self._headlines(hypotheses, readings[i], n)
                    titles[i] = Titled(lines, readings[i].share)
            found += titles
        return found

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of documents, (texts, dim), of length 1; 0 for one without a unit.

        Raises:
            TextError: see ``titled``.
        """
        found = np.zeros((len(texts), self.dim), dtype=np.float32)
        at = 0
        for lot in self._lots(texts):
            for group, results, _ in self._groups(self._readings(lot)):
                found[at + np.array(group)] = results["vectors"]
            at += len(lot)
        return found

    def _lots(self, texts: Sequence[str]) -> list[Sequence[str]]:
        if isinstance(texts, str):
            raise TextError("one string was given where a list of texts is wanted: model([text])")
        return [texts[at : at + self.chunk] for at in range(0, len(texts), self.chunk)]

    def _readings(self, texts: Sequence[str]) -> list[Reading]:
        return [read(self.codec, self.pieces, text, self.settings.limit) for text in texts]

    def _groups(self, readings: Sequence[Reading]) -> Iterator[tuple[list[int], Results, Arrays]]:
        """Documents with units, read in groups: which, what is made of them, their sources."""
        full = [i for i, reading in enumerate(readings) if reading.window.stop]
        sizes = [readings[i].window.stop for i in full]
        for places in batches(sizes, self.batch_size):
            group = [full[place] for place in places]
            length = padded(sizes[places[-1]])
            # The product of a single row is summed in another order than that of several.
            run = [readings[i] for i in (group if len(group) > 1 else [*group, *group])]
            parts = [(reading.encoding, reading.window) for reading in run]
            results = self._encode(self.codec.arrays(parts, length))
            results = {name: array[: len(group)] for name, array in results.items()}
            yield group, results, source_arrays(run[: len(group)], length, self.pieces)

    def _begun(
        self, results: Results, sources: Arrays, texts: Sequence[str], decoding: Decoding
    ) -> Begun:
        settings, count = self.settings, len(texts)
        given = {**results, **sources}
        fixed = {name: given[name] for name in settings.looked_at}
        shapes = {"feed": (settings.dim,), "coverage": sources["sources"].shape[1:]}
        carried = {
            name: results["hidden"][:, None]
            if name == "hidden"
            else np.zeros((count, 1, *shapes[name]), dtype=np.float32)
            for name in settings.carried
        }
        seeds = [
            (decoding.seed, zlib.crc32(text.encode("utf-8", "surrogatepass"))) for text in texts
        ]
        return Begun(fixed, carried, seeds)

    def _headlines(
        self, hypotheses: Sequence[Hypothesis], reading: Reading, n: int
    ) -> tuple[Headline, ...]:
        found: dict[str, Headline] = {}
        for hypothesis in hypotheses:
            text = self.pieces.decode(hypothesis.steps, reading.source)
            if text and text not in found:
                found[text] = Headline(text, hypothesis.total / hypothesis.length)
        return tuple(found.values())[:n]
