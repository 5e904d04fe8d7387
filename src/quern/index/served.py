"""An index in a vector database, Qdrant (the extra ``served``): for more than one machine holds.

The database finds, quern scores: the vectors come back with the answer, so that scores are those
of the other indexes to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import ArrayLike

from quern.errors import MissingExtra, StoreError
from quern.index.rows import refuse_unknown
from quern.index.scan import Neighbours, exact, ranked
from quern.index.vectors import Ids, Vectors, asked, checked_ids, paired

SECONDS = 10  # that an answer may take
_NUMBERS = 100_000  # sent at a time, about two megabytes of JSON
_MORE = 8  # asked for beyond k, since the database rounds otherwise and knows nothing of ties


class ServedIndex:
    """A collection of a database. What is added is there at once, for all who use it.

    Attributes:
        dim: of a vector.
    """

    def __init__(self, client: Any, name: str) -> None:
        """Use a collection that is there.

        Args:
            client: a ``qdrant_client.QdrantClient``.
            name: of the collection.

        Raises:
            StoreError: the server cannot be reached, has no such collection, or one for
                something else.
        """
        self._client, self._name = client, name
        with self._asking():
            if not client.collection_exists(name):
                raise StoreError(f"the database has no collection {name!r}; create it first")
            vectors = client.get_collection(name).config.params.vectors
        models = _models()
        if not isinstance(vectors, models.VectorParams) or vectors.distance != models.Distance.DOT:
            raise StoreError(
                f"collection {name!r} is not quern's: it must hold one vector a point, compared "
                "by inner product (Dot); take another name"
            )
        self.dim = int(vectors.size)

    @classmethod
    def open(cls, address: str, key: str | None = None, seconds: int = SECONDS) -> ServedIndex:
        """Use the collection at an address.

        Args:
            address: ``http://host:6333/collection``; 6333 is the port if none is named.
            key: that the server asks for.
            seconds: that an answer may take.

        Raises:
            StoreError: see ``__init__``, or the address is none.
            MissingExtra: the extra ``served`` is not installed.
        """
        return cls(*_connected(address, key, seconds))

    @classmethod
    def create(
        cls, address: str, dim: int, key: str | None = None, seconds: int = SECONDS
    ) -> ServedIndex:
        """Make a collection at an address; see ``open``.

        Raises:
            StoreError: see ``open``, or the collection is there already.
        """
        client, name = _connected(address, key, seconds)
        return cls.made(client, name, dim)

    @classmethod
    def made(cls, client: Any, name: str, dim: int) -> ServedIndex:
        """Make a collection with a client; see ``__init__``.

        Raises:
            StoreError: the collection is there already, or the server cannot be reached.
        """
        models = _models()
        config = models.VectorParams(size=dim, distance=models.Distance.DOT)
        with _asking(client, name):
            if client.collection_exists(name):
                raise StoreError(f"collection {name!r} exists already; open it, or name another")
            client.create_collection(name, vectors_config=config)
        return cls(client, name)

    def __len__(self) -> int:
        """Number of vectors, now."""
        with self._asking():
            return int(self._client.count(self._name, exact=True).count)

    def add(self, ids: Sequence[int] | Ids, vectors: ArrayLike) -> None:
        """Add vectors; see ``Index.add``.

        They are sent in lots. If one fails, those before it are in; adding all again is safe.
        """
        numbers, rows = paired(ids, vectors, self.dim)
        models, lot = _models(), max(1, _NUMBERS // self.dim)
        for at in range(0, len(numbers), lot):
            part = slice(at, at + lot)
            points = models.Batch(ids=numbers[part].tolist(), vectors=rows[part].tolist())
            with self._asking():
                self._client.upsert(self._name, points, wait=True)

    def remove(self, ids: Sequence[int] | Ids) -> None:
        """Remove vectors; see ``Index.remove``."""
        numbers = checked_ids(ids)
        lots = [numbers[at : at + _NUMBERS] for at in range(0, len(numbers), _NUMBERS)]
        with self._asking():
            for lot in lots:
                found = self._client.retrieve(self._name, lot.tolist(), with_payload=False)
                refuse_unknown(lot[~np.isin(lot, [point.id for point in found])])
            for lot in lots:
                self._client.delete(self._name, lot.tolist(), wait=True)

    def search(self, queries: ArrayLike, k: int) -> Neighbours:
        """Find what the database says is nearest; see ``Index.search``.

        Raises:
            StoreError: see ``Index.search``, or others removed vectors while it was asked.
        """
        given = asked(queries, k, self.dim)
        points = self._points(given, k + _MORE, whole=False)
        if min(map(len, points), default=0) < k:
            k = min(k, len(self))
            points = self._points(given, k + _MORE, whole=True)
        if not len(given) or not k:
            shape = (len(given), k)
            return Neighbours(np.empty(shape, np.int64), np.empty(shape, np.float32))
        query = np.repeat(np.arange(len(given)), [len(of) for of in points])
        ids = np.array([point.id for of in points for point in of], np.int64)
        vectors = np.array([point.vector for of in points for point in of], np.float32)
        scores = exact(given, query, vectors, np.arange(len(ids)))
        found = ranked(query, ids, scores, k)
        if len(found.ids) < len(given):
            raise StoreError(f"collection {self._name!r} was changed while it was asked; ask again")
        return found

    def _points(self, queries: Vectors, count: int, *, whole: bool) -> list[list[Any]]:
        """The points that the database gives for each query, from the ``whole`` collection."""
        models = _models()
        params = models.SearchParams(exact=True) if whole else None
        requests = [
            models.QueryRequest(
                query=query,
                limit=count,
                with_vector=True,
                with_payload=False,
                params=params,
            )
            for query in queries.tolist()
        ]
        with self._asking():
            answers = self._client.query_batch_points(self._name, requests)
        return [answer.points for answer in answers]

    def save(self) -> None:
        """Nothing is left to be written; see ``Index.save``."""

    def _asking(self) -> Any:
        return _asking(self._client, self._name)


@contextmanager
def _asking(client: Any, name: str) -> Iterator[None]:
    """Tell what the client raises in quern's words; nothing is tried a second time."""
    from qdrant_client.common.client_exceptions import QdrantException
    from qdrant_client.http.exceptions import ApiException, ResponseHandlingException

    where = client.init_options["url"] or "the database"
    try:
        yield
    except ResponseHandlingException as error:
        raise StoreError(
            f"{where}: no answer ({error.source}); see that the server runs and is reached there"
        ) from error
    except (ApiException, QdrantException) as error:
        raise StoreError(f"{where}: collection {name!r}: refused: {error}") from error


def _connected(address: str, key: str | None, seconds: int) -> tuple[Any, str]:
    """A client of the server, and the name of the collection."""
    try:
        parts = urlsplit(address)
        port = parts.port or 6333
    except ValueError as error:
        raise StoreError(f"{address}: not an address: {error}") from error
    prefix, _, name = parts.path.strip("/").rpartition("/")
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    if parts.scheme not in ("http", "https") or not host or not name or "@" in parts.netloc:
        raise StoreError(f"{address}: not an address; it looks like http://host:6333/collection")
    _models()
    from qdrant_client import QdrantClient

    client = QdrantClient(
        url=f"{parts.scheme}://{host}:{port}",
        prefix=prefix or None,
        api_key=key,
        timeout=seconds,
        check_compatibility=False,  # it would ask at once, and only warn where nobody answers
    )
    return client, name


def _models() -> Any:
    try:
        from qdrant_client import models
    except ModuleNotFoundError as error:
        raise MissingExtra("an index in a database", "served") from error
    return models
