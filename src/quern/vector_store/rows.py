"""The SQLite file of texts with vectors: what it says of itself, and what an index needs."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from quern import store

# The table that every such file has.
ABOUT = "CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"


class VectorRows(store.Store):
    """One connection to such a file; see ``quern.store.Store``.

    Attributes:
        table: whose rows have a ``number``, never used twice, as an index elsewhere goes by it,
            and a ``vector``.
    """

    table: ClassVar[str]

    def about(self, key: str) -> str | None:
        """What is said under a key."""
        rows = self.rows("SELECT value FROM about WHERE key = ?", (key,))
        return rows[0][0] if rows else None

    def say(self, key: str, value: str | None) -> None:
        """Say something inside a transaction; None for nothing more."""
        if value is None:
            self.run("DELETE FROM about WHERE key = ?", (key,))
        else:
            self.run("INSERT OR REPLACE INTO about VALUES (?, ?)", (key, value))

    def count(self) -> int:
        """How many vectors there are."""
        ((count,),) = self.rows(f"SELECT count(*) FROM {self.table}")
        return int(count)

    def vectors(self, dim: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Numbers of all vectors, ascending, and the vectors, (n, dim)."""
        numbers, joined = array("q"), bytearray()
        for number, vector in self.stream(
            f"SELECT number, vector FROM {self.table} ORDER BY number"
        ):
            numbers.append(number)
            joined += vector
        vectors = np.frombuffer(joined, dtype="<f4").reshape(-1, dim)
        return np.array(numbers, dtype=np.int64), vectors


def remove(path: Path) -> None:
    """Delete a file that nobody has open, if it is there."""
    path.unlink(missing_ok=True)
    remove_beside(path)


def remove_beside(path: Path) -> None:
    """Delete what SQLite keeps beside a file."""
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
