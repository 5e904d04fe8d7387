"""The SQLite file of similar documents: each with its vector."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from quern.data import StoredDocument
from quern.embedding import Vectors
from quern.store import Kind
from quern.vector_store import VectorRows
from quern.vector_store.rows import ABOUT

_STEPS = (
    (
        ABOUT,
        "CREATE TABLE documents (number INTEGER PRIMARY KEY AUTOINCREMENT,"
        " id TEXT NOT NULL UNIQUE, title TEXT NOT NULL, text TEXT NOT NULL, vector BLOB NOT NULL)",
    ),
)
_SIMILAR = Kind(
    "file of similar documents",
    0x5153494D,
    _STEPS,
    "quern similar build DOCUMENTS --model MODEL --out {path}",
)


class Store(VectorRows):
    """One connection to a file of documents; see ``quern.store.Store``."""

    kind, table = _SIMILAR, "documents"

    def documents(self, numbers: Iterable[int]) -> dict[int, StoredDocument]:
        """Some documents that are there, by their numbers."""
        found: dict[int, StoredDocument] = {}
        for number in numbers:
            query = "SELECT id, text, title FROM documents WHERE number = ?"
            for row in self.rows(query, (number,)):
                found[number] = StoredDocument(*row)
        return found

    def number(self, id_: str) -> int | None:
        """Of a document."""
        rows = self.rows("SELECT number FROM documents WHERE id = ?", (id_,))
        return int(rows[0][0]) if rows else None

    def vector(self, number: int) -> Vectors:
        """Of a document, (dim,)."""
        ((vector,),) = self.rows("SELECT vector FROM documents WHERE number = ?", (number,))
        return np.frombuffer(vector, dtype="<f4")

    def ids(self) -> list[str]:
        """Of all documents, in the order in which they came."""
        return [id_ for (id_,) in self.rows("SELECT id FROM documents ORDER BY number")]

    def put(self, documents: Sequence[StoredDocument], vectors: Vectors) -> list[int]:
        """Add documents that are new, inside a transaction; their numbers."""
        self.run_many(
            "INSERT INTO documents (id, title, text, vector) VALUES (?, ?, ?, ?)",
            (
                (document.id, document.title, document.text, vector.astype("<f4").tobytes())
                for document, vector in zip(documents, vectors, strict=True)
            ),
        )
        numbers = (self.number(document.id) for document in documents)
        return [number for number in numbers if number is not None]

    def drop(self, number: int) -> None:
        """Take a document away, inside a transaction."""
        self.run("DELETE FROM documents WHERE number = ?", (number,))
