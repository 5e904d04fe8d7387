"""Texts with vectors in one file, and the model that made these: built, opened, changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from quern.embedding import Encodes, Vectors
from quern.errors import DataError, FolderError, StoreError
from quern.index import Index
from quern.shipped import find
from quern.tasks import load_encoder
from quern.text import wordless
from quern.vector_store.following import FollowingIndex, fill, in_memory, new_collection
from quern.vector_store.rows import VectorRows, remove, remove_beside

LOT = 1024  # texts that are given vectors at once
_SHOWN = 60  # characters of a text in an error

Ids = NDArray[np.int64]
Advance = Callable[[int], None]
R = TypeVar("R", bound=VectorRows)


class VectorStore(Generic[R]):
    """Texts that are found by texts alike.

    All of it is in one SQLite file. Vectors are searched in memory, or in a database at an
    address; who changes the file elsewhere is followed at the next question.

    Attributes:
        verb: the commands that keep such a file.
        path: of the file.
        model: gives vectors.
    """

    rows: type[R]  # how the file is read and written
    verb: ClassVar[str]

    def __init__(self, path: Path, store: R, model: Encodes) -> None:
        """Take what ``open`` and ``build`` have made."""
        self.path, self.model = path, model
        self._store = store
        self._index = FollowingIndex(store, model.dim)

    @classmethod
    def _made(
        cls,
        path: Path,
        model: str | Path,
        count: int,
        put: Callable[[Self], object],
        *,
        index: str,
        overwrite: bool,
    ) -> Self:
        """Make a file.

        Args:
            path: of it.
            model: the folder of the model.
            count: how many texts there will be.
            put: writes them, inside a transaction.
            index: "exact", "approximate", "auto" for what suits the number of texts, or the
                address of a database of vectors.
            overwrite: replace a file that is there, once the new one is whole.

        Raises:
            StoreError: the file is there already, or cannot be written; or the database cannot
                be reached, or has vectors in this collection.
            FolderError: the model cannot be read.
            MissingExtra: the index needs an extra that is not installed.
        """
        if path.exists() and not overwrite:
            raise StoreError(f"{path}: exists already; choose another name, or pass --overwrite")
        folder = find(model)
        encodes = load_encoder(folder)
        # What cannot be had is told before anything is read.
        served = new_collection(index, encodes.dim) if "://" in index else None
        if served is None:
            in_memory(index, count, encodes.dim)
        part = path.with_name(f".{path.name}.part")
        remove(part)
        try:
            with closing(cls(part, cls.rows(part, create=True), encodes)) as made:
                with made._store.transaction():
                    place = str(model) if not Path(model).exists() else str(folder.resolve())
                    made._store.say("model", place)
                    made._store.say("identity", encodes.identity)
                    made._store.say("index", index)
                    put(made)
                made._store.rows("PRAGMA wal_checkpoint(TRUNCATE)")
                if served is not None:
                    fill(served, made._store, encodes.dim)
            # What SQLite kept beside the old file would be read as part of the new one.
            remove_beside(path)
            part.replace(path)
        finally:
            remove(part)
        return cls(path, cls.rows(path), encodes)

    @classmethod
    def open(cls, path: str | Path, model: str | Path | None = None) -> Self:
        """Open a file.

        Args:
            path: of it.
            model: the folder of its model, where that has moved.

        Raises:
            StoreError: it is not there, of another kind, or was built with another model.
            FolderError: the model cannot be read.
        """
        path = Path(path)
        with ExitStack() as undo:
            store = undo.enter_context(closing(cls.rows(path)))
            folder = find(model) if model else _folder(path, store)
            opened = cls.of(path, store, load_encoder(folder))
            undo.pop_all()
        return opened

    @classmethod
    def of(cls, path: Path, store: R, model: Encodes) -> Self:
        """A file with a model that is open.

        Raises:
            StoreError: it was built with another model.
        """
        if store.about("identity") != model.identity:
            raise StoreError(
                f"{path}: was built with another model, whose vectors are not like these; build it "
                f"again with this one ({cls.verb} build), or name that one (--model)"
            )
        return cls(path, store, model)

    def close(self) -> None:
        """Let go of the file."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def about(self, key: str) -> str | None:
        """What the file says of itself: its "model", that one's "identity", its "index"."""
        return self._store.about(key)

    def _vectors(self, texts: Sequence[str]) -> Vectors:
        """One row each, 0 where there is no word: models may give marks some direction."""
        vectors = self.model(texts)
        vectors[[wordless(text) for text in texts]] = 0
        return vectors

    def _encoded(
        self, texts: Sequence[str], lines: Sequence[int], advance: Advance | None
    ) -> Vectors:
        """Vectors of texts that are to be found.

        Args:
            texts: (n,).
            lines: where each stands in its file, 0 where it came from elsewhere.
            advance: told of every lot.

        Raises:
            DataError: a text has no direction, so that nothing would find it.
        """
        found = np.zeros((len(texts), self.model.dim), dtype=np.float32)
        for at in range(0, len(texts), LOT):
            lot = texts[at : at + LOT]
            found[at : at + len(lot)] = self._vectors(lot)
            for text, line, vector in zip(lot, lines[at:], found[at:], strict=False):
                if not vector.any():
                    where = f"line {line}: " if line else ""
                    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
                    raise DataError(f"{where}'{shown}': nothing in it can be read; leave it out")
            if advance is not None:
                advance(len(lot))
        return found


def added(index: Index, new: tuple[Ids, Vectors]) -> None:
    """What an index does where the file got numbers with their vectors."""
    numbers, vectors = new
    if len(numbers):
        index.add(numbers, vectors)


def removed(index: Index, numbers: Sequence[int]) -> None:
    """What it does where the file lost numbers."""
    if numbers:
        index.remove(numbers)


def _folder(path: Path, store: VectorRows) -> Path:
    """Of the model that the file names."""
    kept = store.about("model") or ""
    try:
        return find(kept)
    except FolderError as error:
        raise FolderError(
            f"{path}: its model is no longer at {kept}; say where it is now (--model)"
        ) from error
