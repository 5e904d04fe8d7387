"""An index that looks at the likely vectors only; what it finds is scored as elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from quern.errors import StoreError
from quern.index import file
from quern.index.cells import Cells, library
from quern.index.exact import placed
from quern.index.rows import Rows
from quern.index.scan import Neighbours, exact, nearest, ranked
from quern.index.vectors import Ids, Vectors, asked, checked_ids, paired

_LEAST = 10_000  # vectors; fewer are all looked at, which takes no longer
_LEAST_PROBES = 16
_MORE = 4  # times k: candidates, since they are found by rounded vectors


class ApproximateIndex:
    """Vectors in memory, sorted into cells; a query looks into some of them.

    Attributes:
        dim: of a vector.
        path: of the file.
        share: of the cells that a query looks into, from 0 to 1; more find more and take longer.
            It can be set at any time and is not saved.
    """

    share: float = 1 / 16

    def __init__(self, dim: int, path: Path | None = None) -> None:
        """Begin empty; ``save`` writes to ``path``.

        Raises:
            MissingExtra: the extra ``ann`` is not installed.
        """
        self.dim, self.path = dim, path
        self._rows = Rows.empty(dim)
        self._cells: Cells | None = None
        library()  # say at once that it is missing

    @classmethod
    def open(cls, path: Path) -> ApproximateIndex:
        """Open what was saved.

        Raises:
            StoreError: it is not there, damaged, or of another kind or version.
            MissingExtra: the extra ``ann`` is not installed.
        """
        return cls.of(file.read(path), path)

    @classmethod
    def of(cls, content: file.Content, path: Path) -> ApproximateIndex:
        """The index that a file holds.

        Raises:
            StoreError: it is of another kind.
            MissingExtra: the extra ``ann`` is not installed.
        """
        if content.kind != "approximate":
            raise StoreError(
                f"{path}: the index is {content.kind}, not approximate; use open_index"
            )
        index = cls(content.vectors.shape[1], path)
        index._rows = Rows(content.ids, content.vectors)
        if len(content.centroids):
            index._cells = Cells(content.centroids)
            index._cells.add(content.ids, content.vectors, content.cells)
        return index

    @property
    def probes(self) -> int | None:
        """Cells that a query looks into; None while all vectors are looked at."""
        if self.cells is None:
            return None
        return min(self.cells, max(_LEAST_PROBES, round(self.share * self.cells)))

    @property
    def cells(self) -> int | None:
        """Cells that there are; None while all vectors are looked at."""
        return None if self._cells is None else len(self._cells.centroids)

    def __len__(self) -> int:
        """Number of vectors."""
        return len(self._rows)

    def add(self, ids: Sequence[int] | Ids, vectors: ArrayLike) -> None:
        """Add vectors; see ``Index.add``.

        With the first 10,000, and whenever there are four times as many as the last time, cells
        are learned anew, which takes as long as adding all again.
        """
        numbers, rows = paired(ids, vectors, self.dim)
        if self._cells is not None:
            self._cells.remove(numbers[self._rows.find(numbers) >= 0])
        self._rows.put(numbers, rows)
        count = len(self._rows)
        if self._cells is None or self._cells.outgrown(count):
            if count < _LEAST:
                return
            self._cells = Cells.learned(self._rows.vectors)
            numbers, rows = self._rows.ids, self._rows.vectors
        self._cells.add(numbers, rows, self._cells.of(rows))

    def remove(self, ids: Sequence[int] | Ids) -> None:
        """Remove vectors; see ``Index.remove``."""
        numbers = checked_ids(ids)
        rows = self._rows.known(numbers)
        if self._cells is not None:
            self._cells.remove(numbers)
        self._rows.drop(rows)

    def search(self, queries: ArrayLike, k: int) -> Neighbours:
        """Find the nearest in the likely cells; see ``Index.search``.

        Where these hold fewer than ``k``, all vectors are looked at.
        """
        given, rows = asked(queries, k, self.dim), self._rows
        k = min(k, len(rows))
        if self._cells is None or self.probes is None or not k or not len(given):
            return nearest(given, rows.ids, rows.vectors, k)
        candidates = self._cells.candidates(given, min(_MORE * k, len(rows)), self.probes)
        enough = (candidates >= 0).sum(axis=1) >= k
        ids, scores = np.empty((len(given), k), np.int64), np.empty((len(given), k), np.float32)
        ids[enough], scores[enough] = self._scored(given[enough], candidates[enough], k)
        ids[~enough], scores[~enough] = nearest(given[~enough], rows.ids, rows.vectors, k)
        return Neighbours(ids, scores)

    def _scored(self, queries: Vectors, candidates: Ids, k: int) -> Neighbours:
        """The best of the candidates of each query, (queries, many), at least ``k`` of each."""
        query, place = np.nonzero(candidates >= 0)
        ids = candidates[query, place]
        scores = exact(queries, query, self._rows.vectors, self._rows.find(ids))
        return ranked(query, ids, scores, k)

    def save(self) -> None:
        """Write the file; see ``Index.save``."""
        rows, cells = self._rows, self._cells
        if cells is None:
            centroids, of = np.empty((0, self.dim), np.float32), np.empty(0, np.int64)
        else:
            centroids, of = cells.centroids, cells.saved(rows.ids)
        content = file.Content("approximate", rows.ids, rows.vectors, centroids, of)
        file.write(placed(self.path), content)
