"""The vectors of a file, searched in memory or in a database, in step with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from quern.errors import StoreError
from quern.index import Index, create_index, kind_for, open_index
from quern.vector_store.rows import VectorRows

T = TypeVar("T")

AUTO = "auto"  # what suits the number of vectors


class FollowingIndex:
    """What finds the nearest vectors; who changes the file elsewhere is followed."""

    def __init__(self, store: VectorRows, dim: int) -> None:
        """Nothing is read before it is asked for."""
        self._store, self._dim = store, dim
        self._index: Index | None = None
        self._seen: tuple[int, int] | None = None

    def now(self) -> Index:
        """The index as the file has it now.

        Raises:
            StoreError: the file cannot be read, or the database cannot be reached.
            MissingExtra: the kind of index needs an extra that is not installed.
        """
        version = self._store.version
        if self._index is None or version != self._seen:
            kind = self._store.about("index") or AUTO
            if "://" in kind:
                self._index = self._index or self._in_database(kind)
            else:
                self._index = self._in_memory(kind)
            self._seen = version
        return self._index

    def change(
        self, write: Callable[[], T], follow: Callable[[Index, T], None], *, less: bool = False
    ) -> T:
        """Change the file in one transaction, and the index.

        Args:
            write: changes the file.
            follow: does the same with the index, given what ``write`` returned. If it fails, the
                index is made anew from the file at the next question.
            less: the index comes before the end of the transaction, as what takes vectors away
                must. A database then never holds more than the file, and what a kill in between
                left out of it is seen by counting.
        """
        with self._store.transaction():
            # Only here nobody else writes: an index taken before would lack what another wrote
            # while this one waited.
            index = self.now()
            done = write()
            _, others = self._store.version
            self._index = None
            if less:
                follow(index, done)
        if not less:
            follow(index, done)
        self._index, self._seen = index, (self._store.writes, others)
        return done

    def _in_memory(self, kind: str) -> Index:
        numbers, vectors = self._store.vectors(self._dim)
        index = in_memory(kind, len(numbers), self._dim)
        if len(numbers):
            index.add(numbers, vectors)
        return index

    def _in_database(self, address: str) -> Index:
        """What is in the file and not in the database, as after a kill in between, is added."""
        index = open_index(address)
        if len(index) < self._store.count():
            fill(index, self._store, self._dim)
        return index


def in_memory(kind: str, count: int, dim: int) -> Index:
    """An empty index for so many vectors.

    Raises:
        MissingExtra: the kind needs an extra that is not installed.
    """
    chosen = kind_for(count) if kind == AUTO else kind
    return create_index("approximate" if chosen == "approximate" else "exact", dim)


def new_collection(address: str, dim: int) -> Index:
    """An empty collection of a database, made if it is not there.

    Raises:
        StoreError: the database cannot be reached, or the collection is in use: the numbers of
            two files in one collection would be taken for each other.
    """
    try:
        index = open_index(address)
    except StoreError:
        return create_index("served", dim, address)
    if len(index) or index.dim != dim:
        raise StoreError(
            f"{address}: is in use, perhaps by the file that is to be replaced; name another "
            "collection, or delete this one in the database"
        )
    return index


def fill(index: Index, store: VectorRows, dim: int) -> None:
    """Give an index all that a file has."""
    numbers, vectors = store.vectors(dim)
    if len(numbers):
        index.add(numbers, vectors)
