"""The tables of a knowledge base, as numbered steps; a file says which it has taken."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from quern import __version__
from quern.errors import StoreError

APPLICATION = 0x5155524E  # "QURN", by which a file is known as ours

SORTED_NAMES = "CREATE INDEX names_by_key ON names (key, entity)"

# A step is never changed once it has been released. Numbers of rows are not used twice, so that
# what is stored elsewhere by number never points at another thing.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        # aliases, types and facts are JSON, NULL for none.
        "CREATE TABLE entities (number INTEGER PRIMARY KEY AUTOINCREMENT,"
        " id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, aliases TEXT, description TEXT NOT NULL,"
        " types TEXT, facts TEXT, popularity REAL)",
        # Every key once for each entity that has it.
        "CREATE TABLE names (number INTEGER PRIMARY KEY AUTOINCREMENT,"
        " key TEXT NOT NULL, entity INTEGER NOT NULL)",
        SORTED_NAMES,
        # Names that are gone, for readers that know them; kept until the index is made anew.
        "CREATE TABLE gone (seq INTEGER PRIMARY KEY AUTOINCREMENT,"
        " name INTEGER NOT NULL, key TEXT NOT NULL)",
        # The index: hashes of names up to a number, and what is gone of them up to a seq.
        "CREATE TABLE name_index (generation INTEGER PRIMARY KEY, upto INTEGER NOT NULL,"
        " gone INTEGER NOT NULL, longest INTEGER NOT NULL, hashes BLOB NOT NULL)",
        # N-grams of names, a segment for each lot of names that follow each other in number.
        "CREATE TABLE segments (first INTEGER PRIMARY KEY, sizes BLOB NOT NULL,"
        " grams BLOB NOT NULL, bounds BLOB NOT NULL)",
        "CREATE TABLE postings (segment INTEGER NOT NULL, part INTEGER NOT NULL,"
        " names BLOB NOT NULL, PRIMARY KEY (segment, part))",
    ),
    (
        # What a model made of the description of an entity, with the hash of that description.
        "CREATE TABLE encodings (entity INTEGER NOT NULL, model TEXT NOT NULL,"
        " text TEXT NOT NULL, content BLOB NOT NULL, PRIMARY KEY (entity, model))",
    ),
)

Steps = Sequence[Sequence[str]]


def migrate(connection: sqlite3.Connection, path: Path, steps: Steps = MIGRATIONS) -> None:
    """Take the steps that a file lacks, all or none.

    Raises:
        StoreError: see ``check``.
    """
    if _pragma(connection, "user_version") == len(steps) and _ours(connection):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        taken = _pragma(connection, "user_version")
        check(connection, path, steps)
        for step in steps[taken:]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {len(steps)}")
        written = ("quern", __version__)
        connection.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", written)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def check(connection: sqlite3.Connection, path: Path, steps: Steps = MIGRATIONS) -> None:
    """Refuse files that are not ours, or that take more than this version knows.

    Raises:
        StoreError: the file is not a knowledge base, or was written by a newer quern.
    """
    taken, known = _pragma(connection, "user_version"), len(steps)
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and not _ours(connection):
        raise StoreError(f"{path}: a database, but not a knowledge base of quern's")
    if taken > known:
        (by,) = connection.execute("SELECT value FROM about WHERE key = 'quern'").fetchone()
        raise StoreError(
            f"{path}: written by quern {by} (schema {taken}), this is quern {__version__} "
            f"(schema {known}); use quern {by} or newer"
        )


def _ours(connection: sqlite3.Connection) -> bool:
    return _pragma(connection, "application_id") == APPLICATION


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
