"""The SQLite file of a knowledge base: opening it, reading it, writing to it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from quern.errors import BusyError, StoreError
from quern.kb.migrations import check, migrate

PATIENCE = 5.0  # seconds that a writer waits for another one
_CACHE = 32_000  # KB of pages kept in memory


class Store:
    """One connection to a knowledge base.

    Readers see what was there when they began and never wait for a writer; writers wait for each
    other. Threads may share it; they take turns.
    """

    def __init__(self, path: Path, *, create: bool = False, patience: float = PATIENCE) -> None:
        """Open ``path``, and bring its tables up to date.

        Raises:
            StoreError: no such file (unless it may be made), not a knowledge base, written by
                a newer quern, or locked.
        """
        self.path = path
        self._patience = patience
        self._lock = threading.RLock()
        self.writes = 0  # of this connection's own, to entities and names
        if path.is_dir():
            raise StoreError(f"{path}: a folder; a knowledge base is one file")
        if not create and not (path.is_file() and path.stat().st_size):
            raise StoreError(
                f"{path}: no such knowledge base; make one with: quern kb import {path} FILE"
            )
        with self._named(), ExitStack() as undo:
            self._connection = sqlite3.connect(
                path, timeout=patience, isolation_level=None, check_same_thread=False
            )
            undo.callback(self._connection.close)
            check(self._connection, path)  # before anything is written to it
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute(f"PRAGMA cache_size = -{_CACHE}")
            migrate(self._connection, path)
            undo.pop_all()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def size(self) -> int:
        """Bytes of the file, and of what has been written beside it and not yet moved in."""
        beside = self.path.with_name(f"{self.path.name}-wal")
        return sum(file.stat().st_size for file in (self.path, beside) if file.exists())

    def rows(self, query: str, given: Sequence[Any] = ()) -> list[Any]:
        """All rows that a query gives.

        Raises:
            StoreError: the file cannot be read.
        """
        with self._lock, self._named():
            try:
                return self._connection.execute(query, given).fetchall()
            except UnicodeEncodeError:
                return []  # asked for half a character, which no row holds

    def stream(self, query: str, given: Sequence[Any] = (), size: int = 10_000) -> Iterator[Any]:
        """Rows that a query gives, lot by lot.

        Raises:
            StoreError: the file cannot be read.
        """
        with self._lock, self._named():
            cursor = self._connection.execute(query, given)
        while True:
            with self._lock, self._named():
                lot = cursor.fetchmany(size)
            if not lot:
                return
            yield from lot

    def run(self, statement: str, given: Sequence[Any] = ()) -> int:
        """Change something inside a transaction; the number of rows changed."""
        return self._connection.execute(statement, given).rowcount

    def run_many(self, statement: str, given: Iterable[Sequence[Any]]) -> None:
        """Do the same with many values."""
        self._connection.executemany(statement, given)

    @property
    def version(self) -> tuple[int, int]:
        """What differs from last time where anyone has written in between."""
        return self.writes, self.rows("PRAGMA data_version")[0][0]

    @property
    def changing(self) -> bool:
        """Whether it is inside a transaction, whose end nobody knows yet."""
        return self._connection.in_transaction

    @contextmanager
    def transaction(self, *, patient: bool = True, told: bool = True) -> Iterator[None]:
        """All that is done inside counts, or nothing.

        Args:
            patient: whether to wait for another writer.
            told: whether ``version`` changes; not where neither entities nor names do.

        Raises:
            BusyError: another writer would not give way.
            StoreError: the disk refuses.
        """
        with self._lock, self._named():
            self._wait(self._patience if patient else 0)
            try:
                self._begin("BEGIN IMMEDIATE")
            finally:
                self._wait(self._patience)
            try:
                yield
                self._connection.execute("COMMIT")
                self.writes += told
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def _begin(self, statement: str) -> None:
        if self._connection.in_transaction:
            raise StoreError(
                f"{self.path}: entities are being written to it; "
                "look for names, and make other changes, before or after"
            )
        self._connection.execute(statement)

    def _wait(self, seconds: float) -> None:
        self._connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All that is read inside is of one moment.

        Raises:
            StoreError: the file cannot be read, or this is inside a transaction, whose end
                nobody knows yet.
        """
        with self._lock, self._named():
            self._begin("BEGIN")
            try:
                yield
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "")
            busy = name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
            kind = BusyError if busy else StoreError
            raise kind(f"{self.path}: {_explained(name, error)}") from error


_EXPLAINED = {  # by the beginning of SQLite's name of an error
    "SQLITE_BUSY": "another process is writing to it; try again when that is done",
    "SQLITE_LOCKED": "another process is writing to it; try again when that is done",
    "SQLITE_NOTADB": "not a knowledge base",
    "SQLITE_CANTOPEN": "cannot be opened; is the folder there, and may you write to it?",
    "SQLITE_READONLY": "may not be written to, as even reading needs; copy it elsewhere",
    "SQLITE_FULL": "the disk is full, and nothing was written; make room, then try again",
    "SQLITE_CORRUPT": "damaged; restore a copy, or save what is left with: sqlite3 FILE .recover",
}


def _explained(name: str, error: sqlite3.Error) -> str:
    known = (said for begin, said in _EXPLAINED.items() if name.startswith(begin))
    return next(known, str(error))
