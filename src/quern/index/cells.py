"""Cells of vectors by faiss (the extra ``ann``): which vectors may be near, without seeing all.

Vectors are sorted by the nearest of some centroids, found by k-means; a query looks into the cells
of its nearest centroids only. Jégou, Douze & Schmid, "Product quantization for nearest neighbor
search" (2011), section IV, there with smaller codes; ours are the vectors in half precision.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from quern.errors import MissingExtra
from quern.index.scan import nearest
from quern.index.vectors import Ids, Vectors, unit

_ROUNDS = 8  # of k-means
_SAMPLE = 64  # vectors for each centroid that k-means sees
_SEED = 20110101  # of the sample


class Cells:
    """Ids of vectors by cell."""

    def __init__(self, centroids: Vectors) -> None:
        """Take (cells, dim) centroids of unit length; no vectors yet.

        Raises:
            MissingExtra: faiss is not installed.
        """
        faiss = library()
        self.centroids = centroids
        count, dim = centroids.shape
        self._nearest = faiss.IndexFlatIP(dim)  # held here, since the lists only point to it
        self._nearest.add(centroids)
        self._lists = faiss.IndexIVFScalarQuantizer(
            self._nearest,
            dim,
            count,
            faiss.ScalarQuantizer.QT_fp16,
            faiss.METRIC_INNER_PRODUCT,
            False,  # codes of the vectors themselves, not of what the centroid leaves
        )
        self._lists.is_trained = True  # half precision has nothing to learn
        self._lists.set_direct_map_type(faiss.DirectMap.Hashtable)

    @classmethod
    def learned(cls, vectors: Vectors) -> Cells:
        """Cells that suit some vectors, four times the root of their number.

        Raises:
            MissingExtra: faiss is not installed.
        """
        faiss = library()
        count = int(4 * math.sqrt(len(vectors)))
        means = faiss.Kmeans(
            vectors.shape[1],
            count,
            niter=_ROUNDS,
            spherical=True,
            seed=_SEED,
            max_points_per_centroid=_SAMPLE,
            min_points_per_centroid=1,
        )
        means.train(vectors)
        return cls(unit(means.centroids))

    def outgrown(self, count: int) -> bool:
        """Whether so many vectors are four times those that the cells were learned from."""
        return count >= 4 * (len(self.centroids) / 4) ** 2

    def of(self, vectors: Vectors) -> Ids:
        """The cell of each vector."""
        _, cells = self._nearest.search(vectors, 1)
        of: Ids = cells[:, 0].astype(np.int64)
        return of

    def add(self, ids: Ids, vectors: Vectors, cells: Ids) -> None:
        """Put ids that are not there into their cells."""
        swig = library().swig_ptr
        if len(ids):
            self._lists.add_core(len(ids), swig(vectors), swig(ids), swig(cells))

    def remove(self, ids: Ids) -> None:
        """Take ids that are there out of their cells."""
        faiss = library()
        if len(ids):
            self._lists.remove_ids(faiss.IDSelectorArray(len(ids), faiss.swig_ptr(ids)))

    def candidates(self, queries: Vectors, count: int, probes: int) -> Ids:
        """What looks nearest in so many cells: ids, (queries, count), -1 for none."""
        numbers = np.arange(len(self.centroids))
        probed = nearest(queries, numbers, self.centroids, probes)
        self._lists.nprobe = probes
        ids: Ids
        _, ids = self._lists.search_preassigned(queries, count, probed.ids, probed.scores)
        return ids

    def saved(self, ids: Ids) -> Ids:
        """The cell of each id, as ``add`` takes it."""
        faiss, lists = library(), self._lists.invlists
        sizes = [lists.list_size(cell) for cell in range(len(self.centroids))]
        held = [
            faiss.rev_swig_ptr(lists.get_ids(cell), size) for cell, size in enumerate(sizes) if size
        ]
        cells = np.empty(len(ids), np.int64)
        if held:
            by_cell = np.repeat(np.arange(len(sizes)), sizes)
            cells[np.argsort(ids)] = by_cell[np.argsort(np.concatenate(held))]
        return cells


def library() -> Any:
    """The module faiss.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import faiss
    except ModuleNotFoundError as error:
        raise MissingExtra("an approximate index", "ann") from error
    return faiss
