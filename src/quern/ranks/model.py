"""The model that finds the best items of a catalogue for a text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quern.embedding import Embedder, Vectors
from quern.errors import DataError
from quern.index import Index, create_index, kind_for
from quern.ranks.settings import ItemVectors
from quern.records import Item, Ranked


class RankModel:
    """Texts → the nearest items.

    Attributes:
        embedder: gives vectors of texts.
        ids: of the items, in the order of the catalogue.
        vectors: of the items, (items, dim), of length 1; 0 for those that have no direction,
            which are never found.
    """

    def __init__(
        self, embedder: Embedder, ids: Sequence[str], vectors: Vectors, made_of: ItemVectors
    ) -> None:
        """Put the parts of a model folder together."""
        self.embedder, self.ids, self.vectors = embedder, list(ids), vectors
        self.made_of = made_of
        self._index: Index | None = None

    def __call__(self, texts: Sequence[str], k: int = 10) -> list[list[Ranked]]:
        """The ``k`` best items of each text, the best first; none for a text without direction.

        Raises:
            TextError: ``texts`` is one string.
        """
        vectors = self.embedder(texts)
        found: list[list[Ranked]] = [[] for _ in texts]
        told = np.flatnonzero(vectors.any(axis=1))
        near = self.index.search(vectors[told], k)
        for i, ids, scores in zip(told, near.ids.tolist(), near.scores.tolist(), strict=True):
            found[i] = [Ranked(self.ids[n], s) for n, s in zip(ids, scores, strict=True)]
        return found

    @property
    def index(self) -> Index:
        """Of the items' vectors, by their place in ``ids``."""
        if self._index is None:
            told = np.flatnonzero(self.vectors.any(axis=1))
            self._index = create_index(kind_for(len(told)), self.embedder.dim)
            self._index.add(told, self.vectors[told])
        return self._index

    def with_catalogue(self, items: Sequence[Item]) -> RankModel:
        """The same model with other items, whose vectors are made of their texts.

        Raises:
            DataError: this model's vectors are not made of texts.
        """
        if self.made_of == "free":
            raise DataError(
                "this model has learned a vector for each item by itself (items=free), so it "
                "knows no others; train one with items=text or items=both"
            )
        vectors = self.embedder([item.text for item in items])
        return RankModel(self.embedder, [item.id for item in items], vectors, self.made_of)
