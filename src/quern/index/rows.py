"""Vectors in memory by their ids: added, replaced and removed without rebuilding."""

from __future__ import annotations

from functools import cached_property
from typing import TypeVar

import numpy as np

from quern.errors import StoreError
from quern.index.vectors import Ids, Vectors

_Array = TypeVar("_Array", Ids, Vectors)


class Rows:
    """One contiguous matrix. What is removed gives its place to the last row."""

    def __init__(self, ids: Ids, vectors: Vectors) -> None:
        """Start with (count,) distinct ids and their (count, dim) vectors, which are not copied."""
        self._ids, self._vectors = ids, vectors
        self._count = len(ids)

    @classmethod
    def empty(cls, dim: int) -> Rows:
        """No rows yet."""
        return cls(np.empty(0, np.int64), np.empty((0, dim), np.float32))

    @property
    def ids(self) -> Ids:
        """(count,), in no order."""
        return self._ids[: self._count]

    @property
    def vectors(self) -> Vectors:
        """(count, dim), in the order of ``ids``."""
        return self._vectors[: self._count]

    def __len__(self) -> int:
        """Number of rows."""
        return self._count

    @cached_property
    def _places(self) -> dict[int, int]:
        """The row of each id; made at the first change, since searching needs none."""
        return dict(zip(self.ids.tolist(), range(self._count), strict=True))

    def find(self, ids: Ids) -> Ids:
        """The row of each id, -1 where there is none."""
        if not self._count:
            return np.full(len(ids), -1, np.int64)
        places = self._places
        return np.fromiter((places.get(id_, -1) for id_ in ids.tolist()), np.int64, len(ids))

    def known(self, ids: Ids) -> Ids:
        """The row of each id.

        Raises:
            StoreError: one is not there.
        """
        rows = self.find(ids)
        refuse_unknown(ids[rows < 0])
        return rows

    def put(self, ids: Ids, vectors: Vectors) -> None:
        """Add distinct ids with their vectors; those that are there get new ones."""
        rows = self.find(ids)
        there = rows >= 0
        self._vectors[rows[there]] = vectors[there]
        self._append(ids[~there], vectors[~there])

    def _append(self, ids: Ids, vectors: Vectors) -> None:
        first, stop = self._count, self._count + len(ids)
        if stop > len(self._ids):
            room = max(stop, first + first // 2)  # so that rows are copied a few times at most
            self._ids = _grown(self.ids, room)
            self._vectors = _grown(self.vectors, room)
        self._ids[first:stop], self._vectors[first:stop] = ids, vectors
        self._count = stop
        if "_places" in self.__dict__:
            self._places.update(zip(ids.tolist(), range(first, stop), strict=True))

    def drop(self, rows: Ids) -> None:
        """Remove distinct rows."""
        for id_ in self._ids[rows].tolist():
            del self._places[id_]
        kept = self._count - len(rows)
        holes = rows[rows < kept]
        last = np.setdiff1d(np.arange(kept, self._count), rows)
        self._ids[holes], self._vectors[holes] = self._ids[last], self._vectors[last]
        self._places.update(zip(self._ids[holes].tolist(), holes.tolist(), strict=True))
        self._count = kept


def refuse_unknown(ids: Ids) -> None:
    """Say which ids are not there.

    Raises:
        StoreError: there are any.
    """
    if len(ids):
        more = f" and {len(ids) - 1} others are" if len(ids) > 1 else " is"
        raise StoreError(f"id {ids[0]}{more} not in the index; nothing was removed")


def _grown(rows: _Array, room: int) -> _Array:
    larger = np.empty((room, *rows.shape[1:]), rows.dtype)
    larger[: len(rows)] = rows
    return larger
