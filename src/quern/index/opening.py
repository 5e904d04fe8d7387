"""Which index there is for what, and where it lies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol, get_args

from numpy.typing import ArrayLike

from quern.errors import StoreError
from quern.index import file
from quern.index.approximate import ApproximateIndex
from quern.index.exact import ExactIndex
from quern.index.scan import Neighbours
from quern.index.served import ServedIndex
from quern.index.vectors import Ids

Kind = Literal["exact", "approximate", "served"]

EXACT_UP_TO = 200_000  # vectors of 128 numbers: a query takes 12 to 17 ms of one core then


class Index(Protocol):
    """Nearest vectors.

    Vectors are of unit length (``unit`` makes them so), and their similarity is the inner
    product, the cosine. Ids are the caller's, whole numbers from 0 on. Searching changes nothing,
    so any number of threads may search while none changes the index.
    """

    @property
    def dim(self) -> int:
        """Numbers in a vector."""

    def __len__(self) -> int:
        """Number of vectors."""

    def add(self, ids: Sequence[int] | Ids, vectors: ArrayLike) -> None:
        """Add vectors; an id that is there already gets its new one.

        Args:
            ids: (count,), each given once.
            vectors: (count, dim), of unit length.

        Raises:
            VectorError: an id or a vector is not such; nothing was added.
            StoreError: a server cannot be reached or refuses.
        """

    def remove(self, ids: Sequence[int] | Ids) -> None:
        """Remove vectors.

        Raises:
            VectorError: an id is not such.
            StoreError: an id is not there, and nothing was removed; or see ``add``.
        """

    def search(self, queries: ArrayLike, k: int) -> Neighbours:
        """The ``k`` nearest of each query, or all vectors, if there are no more.

        The best come first, of equal scores the smaller id first. A score is the inner product,
        added up in double and rounded once, the same from each kind of index. A query gets the
        same answer alone and among others.

        Args:
            queries: (count, dim), of unit length.
            k: 0 or more.

        Raises:
            VectorError: a query is not such.
            StoreError: see ``add``.
        """

    def save(self) -> None:
        """Write everything to where the index lies, whole or not at all.

        A served index has written everything already.

        Raises:
            StoreError: the index was made without a path.
            DataError: the folder is not there, or the disk refuses.
        """


def kind_for(count: int) -> Literal["exact", "approximate"]:
    """The kind that suits so many vectors on one machine."""
    return "exact" if count <= EXACT_UP_TO else "approximate"


def create_index(
    kind: Kind, dim: int, place: Path | str | None = None, *, key: str | None = None
) -> Index:
    """Make an empty index.

    Args:
        kind: ``exact``, ``approximate`` or ``served``; see ``kind_for``.
        dim: of a vector, 1 or more.
        place: the file that ``save`` writes, None for one that is not saved; of a served index
            the address, ``http://host:6333/collection``.
        key: that the server asks for.

    Raises:
        StoreError: no such kind, a place where there is something already, or a server that
            cannot be reached.
        MissingExtra: the kind needs an extra that is not installed.
    """
    if kind not in get_args(Kind):
        raise StoreError(f"no kind {kind!r} of index; there are {', '.join(get_args(Kind))}")
    if dim < 1:
        raise StoreError(f"vectors of {dim} numbers; give 1 or more")
    if kind == "served":
        return ServedIndex.create(str(place), dim, key)
    path = None if place is None else Path(place)
    if path is not None and path.exists():
        raise StoreError(f"{path}: exists already; open it, or choose another name")
    return ExactIndex(dim, path) if kind == "exact" else ApproximateIndex(dim, path)


def open_index(place: Path | str, *, key: str | None = None) -> Index:
    """Open an index that is there, of whatever kind.

    Args:
        place: its file, or the address of a served one.
        key: that the server asks for.

    Raises:
        StoreError: there is none, it is damaged or of another version, or the server cannot
            be reached.
        MissingExtra: the kind needs an extra that is not installed.
    """
    if isinstance(place, str) and "://" in place:
        return ServedIndex.open(place, key)
    path = Path(place)
    content = file.read(path)
    kind = ExactIndex if content.kind == "exact" else ApproximateIndex
    return kind.of(content, path)
