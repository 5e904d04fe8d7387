"""SQLite files of ours: opened, brought up to date, read and written to."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from quern import __version__
from quern.errors import BusyError, StoreError

PATIENCE = 5.0  # seconds that a writer waits for another one
_CACHE = 32_000  # KB of pages kept in memory


class Kind(NamedTuple):
    """A kind of file.

    Attributes:
        what: it is, in words.
        application: the number by which SQLite tells such a file from others.
        steps: statements that make its tables, one group for each version; a file says how many
            it has taken. A step is never changed once it has been released.
        made: the command that makes one, with ``{path}`` in it.
    """

    what: str
    application: int
    steps: Sequence[Sequence[str]]
    made: str


class Store:
    """One connection to a file of some kind.

    Readers see what was there when they began and never wait for a writer; writers wait for each
    other. Threads may share it; they take turns.

    Attributes:
        kind: of its file; one of its tables is ``about``, of keys and values.
    """

    kind: ClassVar[Kind]

    def __init__(self, path: Path, *, create: bool = False, patience: float = PATIENCE) -> None:
        """Open ``path``, and bring its tables up to date.

        Raises:
            StoreError: no such file (unless it may be made), not of this kind, written by a
                newer quern, or locked.
        """
        self.path = path
        self._patience = patience
        self._lock = threading.RLock()
        self.writes = 0  # of this connection's own, but for those that nobody is told of
        if path.is_dir():
            raise StoreError(f"{path}: a folder; a {self.kind.what} is one file")
        if not create and not (path.is_file() and path.stat().st_size):
            made = self.kind.made.format(path=path)
            raise StoreError(f"{path}: no such {self.kind.what}; make one with: {made}")
        with self._named(), ExitStack() as undo:
            self._connection = sqlite3.connect(
                path, timeout=patience, isolation_level=None, check_same_thread=False
            )
            undo.callback(self._connection.close)
            check(self._connection, path, self.kind)  # before anything is written to it
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute(f"PRAGMA cache_size = -{_CACHE}")
            migrate(self._connection, path, self.kind)
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
            told: whether ``version`` changes; not where nothing does that readers hold.

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
                f"{self.path}: is being written to; read from it, and make other changes, before "
                "or after"
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
            raise kind(f"{self.path}: {_explained(name, error, self.kind)}") from error


_EXPLAINED = {  # by the beginning of SQLite's name of an error
    "SQLITE_BUSY": "another process is writing to it; try again when that is done",
    "SQLITE_LOCKED": "another process is writing to it; try again when that is done",
    "SQLITE_NOTADB": "not a {what}",
    "SQLITE_CANTOPEN": "cannot be opened; is the folder there, and may you write to it?",
    "SQLITE_READONLY": "may not be written to, as even reading needs; copy it elsewhere",
    "SQLITE_FULL": "the disk is full, and nothing was written; make room, then try again",
    "SQLITE_CORRUPT": "damaged; restore a copy, or save what is left with: sqlite3 FILE .recover",
}


def _explained(name: str, error: sqlite3.Error, kind: Kind) -> str:
    for begin, said in _EXPLAINED.items():
        if name.startswith(begin):
            return said.format(what=kind.what)
    return str(error)


def migrate(connection: sqlite3.Connection, path: Path, kind: Kind) -> None:
    """Take the steps that a file lacks, all or none.

    Raises:
        StoreError: see ``check``.
    """
    if _pragma(connection, "user_version") == len(kind.steps) and _ours(connection, kind):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        taken = _pragma(connection, "user_version")
        check(connection, path, kind)
        for step in kind.steps[taken:]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {kind.application}")
        connection.execute(f"PRAGMA user_version = {len(kind.steps)}")
        written = ("quern", __version__)
        connection.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", written)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def check(connection: sqlite3.Connection, path: Path, kind: Kind) -> None:
    """Refuse files that are not ours, or that take more than this version knows.

    Raises:
        StoreError: the file is not of this kind, or was written by a newer quern.
    """
    taken, known = _pragma(connection, "user_version"), len(kind.steps)
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and not _ours(connection, kind):
        raise StoreError(f"{path}: a database, but not a {kind.what} of quern's")
    if taken > known:
        (by,) = connection.execute("SELECT value FROM about WHERE key = 'quern'").fetchone()
        raise StoreError(
            f"{path}: written by quern {by} (schema {taken}), this is quern {__version__} "
            f"(schema {known}); use quern {by} or newer"
        )


def _ours(connection: sqlite3.Connection, kind: Kind) -> bool:
    return _pragma(connection, "application_id") == kind.application


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
