"""An index that compares a query with every vector, so that it misses none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from quern.errors import StoreError
from quern.index import file
from quern.index.rows import Rows
from quern.index.scan import Neighbours, nearest
from quern.index.vectors import Ids, asked, checked_ids, paired


class ExactIndex:
    """Vectors in memory, all of them looked at for each query."""

    def __init__(self, dim: int, path: Path | None = None) -> None:
        """Begin empty; ``save`` writes to ``path``."""
        self.dim, self.path = dim, path
        self._rows = Rows.empty(dim)

    @classmethod
    def open(cls, path: Path) -> ExactIndex:
        """Open what was saved.

        Raises:
            StoreError: it is not there, damaged, or of another kind or version.
        """
        return cls.of(file.read(path), path)

    @classmethod
    def of(cls, content: file.Content, path: Path) -> ExactIndex:
        """The index that a file holds.

        Raises:
            StoreError: it is of another kind.
        """
        if content.kind != "exact":
            raise StoreError(f"{path}: the index is {content.kind}, not exact; use open_index")
        index = cls(content.vectors.shape[1], path)
        index._rows = Rows(content.ids, content.vectors)
        return index

    def __len__(self) -> int:
        """Number of vectors."""
        return len(self._rows)

    def add(self, ids: Sequence[int] | Ids, vectors: ArrayLike) -> None:
        """Add vectors; see ``Index.add``."""
        self._rows.put(*paired(ids, vectors, self.dim))

    def remove(self, ids: Sequence[int] | Ids) -> None:
        """Remove vectors; see ``Index.remove``."""
        self._rows.drop(self._rows.known(checked_ids(ids)))

    def search(self, queries: ArrayLike, k: int) -> Neighbours:
        """Find the nearest; see ``Index.search``."""
        rows = self._rows
        return nearest(asked(queries, k, self.dim), rows.ids, rows.vectors, k)

    def save(self) -> None:
        """Write the file; see ``Index.save``."""
        rows, none = self._rows, np.empty(0, np.int64)
        centroids = np.empty((0, self.dim), np.float32)
        content = file.Content("exact", rows.ids, rows.vectors, centroids, none)
        file.write(placed(self.path), content)


def placed(path: Path | None) -> Path:
    """The path of an index.

    Raises:
        StoreError: it has none.
    """
    if path is None:
        raise StoreError("the index has no file to be saved in; give a path when it is made")
    return path
