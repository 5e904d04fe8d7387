"""Documents in one file: built, asked for those like a text, and changed while in use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

import msgspec
import numpy as np

from quern.data import StoredDocument
from quern.embedding import Vectors
from quern.errors import DataError
from quern.similar.store import Store
from quern.vector_store import VectorStore
from quern.vector_store.store import LOT, Advance, Ids, added, removed


class SimilarDocument(msgspec.Struct, frozen=True):
    """A document that is like what was asked, and how much (the cosine)."""

    id: str
    score: float
    title: str
    text: str


class Similar(VectorStore[Store]):
    """Documents that are found by texts alike.

    All of it is in one SQLite file; see ``VectorStore``.
    """

    rows, verb = Store, "quern similar"

    # -- made ----------------------------------------------------------------------------------

    @classmethod
    def build(
        cls,
        path: Path,
        documents: Sequence[StoredDocument],
        model: str | Path,
        *,
        index: str = "auto",
        advance: Advance | None = None,
        overwrite: bool = False,
    ) -> Self:
        """Make a file of documents.

        Args:
            path: the file to write.
            documents: each id once.
            model: a folder that makes vectors of texts.
            index: "exact", "approximate", "auto" for what suits the number of documents, or the
                address of a database of vectors.
            advance: told of every lot of documents.
            overwrite: replace a file that is there, once the new one is whole.

        Raises:
            DataError: a document has no direction.
            StoreError: the file is there already, or cannot be written; or the database cannot
                be reached, or has vectors in this collection.
            FolderError: the model cannot be read.
            MissingExtra: the index needs an extra that is not installed.
        """
        return cls._made(
            path,
            model,
            len(documents),
            lambda similar: similar._put(documents, advance),
            index=index,
            overwrite=overwrite,
        )

    # -- asked ---------------------------------------------------------------------------------

    def ask(
        self, texts: Sequence[str], top: int = 10, least: float | None = None
    ) -> list[list[SimilarDocument]]:
        """Look for documents like texts.

        Args:
            texts: of any length.
            top: documents for each, at most.
            least: the cosine that they have at least; None for any.

        Returns:
            Documents for each text, the nearest first; none for a text without a letter.
        """
        found = []
        for at in range(0, len(texts), LOT):
            vectors = self._vectors(texts[at : at + LOT])
            found += self._near(vectors, top, least)
        return found

    def like(
        self, ids: Sequence[str], top: int = 10, least: float | None = None
    ) -> list[list[SimilarDocument]]:
        """Look for documents like some that are there, each of which is left out for itself.

        Args:
            ids: of these.
            top: see ``ask``.
            least: see ``ask``.

        Raises:
            DataError: an id is not there.
        """
        vectors = [self._store.vector(self._number(id_)) for id_ in ids]
        rows = np.array(vectors, dtype=np.float32).reshape(-1, self.model.dim)
        near = self._near(rows, top + 1, least)
        return [
            [document for document in found if document.id != id_][:top]
            for id_, found in zip(ids, near, strict=True)
        ]

    def _near(self, vectors: Vectors, top: int, least: float | None) -> list[list[SimilarDocument]]:
        """The nearest documents of each vector; none of one that is 0."""
        found: list[list[SimilarDocument]] = [[] for _ in vectors]
        asked = np.flatnonzero(vectors.any(axis=1))
        near = self._index.now().search(vectors[asked], top)
        known = self._store.documents(np.unique(near.ids).tolist())
        for i, ids, scores in zip(asked, near.ids.tolist(), near.scores.tolist(), strict=True):
            for number, score in zip(ids, scores, strict=True):
                if number in known and (least is None or score >= least):
                    document = known[number]
                    row = SimilarDocument(document.id, score, document.title, document.text)
                    found[i].append(row)
        return found

    # -- changed -------------------------------------------------------------------------------

    def add(self, documents: Sequence[StoredDocument], advance: Advance | None = None) -> int:
        """Add documents; the number of those that were not there.

        Args:
            documents: each id once.
            advance: told of every lot of new documents.

        Raises:
            DataError: a document has no direction, or its id is there with another.
        """
        return len(self._index.change(lambda: self._put(documents, advance), added)[0])

    def remove(self, ids: Iterable[str]) -> int:
        """Take documents away, all or none; how many.

        Raises:
            DataError: an id is not there.
        """
        return len(self._index.change(lambda: self._drop(ids), removed, less=True))

    def _drop(self, ids: Iterable[str]) -> list[int]:
        """Take documents away, inside a transaction; their numbers."""
        gone = [self._number(id_) for id_ in dict.fromkeys(ids)]
        for number in gone:
            self._store.drop(number)
        return gone

    def _put(
        self, documents: Sequence[StoredDocument], advance: Advance | None
    ) -> tuple[Ids, Vectors]:
        """Write what is new of documents, inside a transaction; its numbers and vectors."""
        new = [document for document in documents if not self._there(document)]
        texts, lines = [document.read for document in new], [document.line for document in new]
        vectors = self._encoded(texts, lines, advance)
        return np.array(self._store.put(new, vectors), dtype=np.int64), vectors

    def _there(self, document: StoredDocument) -> bool:
        """Whether the very document is there already."""
        known = self.document(document.id)
        if known is not None and (known.title, known.text) != (document.title, document.text):
            raise DataError(
                f"{self.path}: document '{document.id}' is there with other words; remove it first "
                f"(quern similar remove), or give the new one another id"
            )
        return known is not None

    # -- looked at -----------------------------------------------------------------------------

    def document(self, id_: str) -> StoredDocument | None:
        """A document by its id."""
        number = self._store.number(id_)
        return None if number is None else self._store.documents([number]).get(number)

    @property
    def ids(self) -> list[str]:
        """Of all documents, in the order in which they came."""
        return self._store.ids()

    def __len__(self) -> int:
        """How many documents there are."""
        return self._store.count()

    def _number(self, id_: str) -> int:
        """The number of a document that must be there."""
        number = self._store.number(id_)
        if number is None:
            raise DataError(f"{self.path}: no document '{id_}'; see them with: quern similar show")
        return number
