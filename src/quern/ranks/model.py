"""The model that finds the best items of a catalogue for a text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quern.embedding import Embedder, Vectors, unit_rows
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
        rows: of the items, (items, dim), of length 1: what was learned of each beside its text; 0
            for those of which nothing was. None where vectors are made of texts, or of rows, alone.
    """

    def __init__(
        self,
        embedder: Embedder,
        ids: Sequence[str],
        vectors: Vectors,
        made_of: ItemVectors,
        rows: Vectors | None = None,
    ) -> None:
        """Put the parts of a model folder together."""
        self.embedder, self.ids, self.vectors = embedder, list(ids), vectors
        self.made_of, self.rows = made_of, rows
        self._index: Index | None = None

    def __call__(self, texts: Sequence[str], k: int = 10) -> list[list[Ranked]]:
        """The same as ``search``."""
        return self.search(texts, k)

    def search(self, texts: Sequence[str], k: int = 10) -> list[list[Ranked]]:
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
        """The same model with other items.

        What was learned of an item is kept, by its id; one that is new is known by its text alone.

        Raises:
            DataError: an item is new, and this model's vectors are not made of texts.
        """
        ids = [item.id for item in items]
        if self.made_of == "free":
            return RankModel(self.embedder, ids, _taken(self.vectors, self._known(ids)), "free")
        vectors = self.embedder([item.text for item in items])
        if self.rows is None:
            return RankModel(self.embedder, ids, vectors, self.made_of)
        rows = _taken(self.rows, self._places(ids))
        return RankModel(self.embedder, ids, unit_rows(rows + vectors), self.made_of, rows)

    def _places(self, ids: Sequence[str]) -> list[int]:
        """Where items stand in ``ids``; -1 for those that are new."""
        numbers = {id_: number for number, id_ in enumerate(self.ids)}
        return [numbers.get(id_, -1) for id_ in ids]

    def _known(self, ids: Sequence[str]) -> list[int]:
        """The same, where none may be new."""
        places = self._places(ids)
        new = [id_ for id_, place in zip(ids, places, strict=True) if place < 0]
        if new:
            raise DataError(
                f"{len(new):,} items are new to this model, '{new[0]}' the first: it has learned a "
                "vector for each item by itself (items=free), so it knows no others; train one "
                "with items=text or items=both"
            )
        return places


def _taken(table: Vectors, places: Sequence[int]) -> Vectors:
    """Rows of a table, 0 where a place is -1."""
    at = np.array(places, dtype=np.int64)
    return np.where(at[:, None] < 0, np.float32(0), table[at])
