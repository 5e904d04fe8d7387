"""The SQLite file of a FAQ: answers, their phrasings with vectors, and what was tuned."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quern import store
from quern.records import FaqEntry

_STEPS = (
    (
        "CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE answers (number INTEGER PRIMARY KEY AUTOINCREMENT,"
        " id TEXT NOT NULL UNIQUE, answer TEXT NOT NULL)",
        # Numbers are not used twice: an index elsewhere goes by them.
        "CREATE TABLE phrasings (number INTEGER PRIMARY KEY AUTOINCREMENT,"
        " answer INTEGER NOT NULL, question TEXT NOT NULL, vector BLOB NOT NULL,"
        " UNIQUE (answer, question))",
    ),
)
_FAQ = store.Kind("FAQ", 0x51464151, _STEPS, "quern faq build QUESTIONS --model MODEL --out {path}")

Ids = NDArray[np.int64]
Vectors = NDArray[np.float32]


class Store(store.Store):
    """One connection to a FAQ; see ``quern.store.Store``."""

    kind = _FAQ

    def about(self, key: str) -> str | None:
        """What is said under a key."""
        rows = self.rows("SELECT value FROM about WHERE key = ?", (key,))
        return rows[0][0] if rows else None

    def say(self, key: str, value: str | None) -> None:
        """Say something inside a transaction; None for nothing more."""
        if value is None:
            self.run("DELETE FROM about WHERE key = ?", (key,))
        else:
            self.run("INSERT OR REPLACE INTO about VALUES (?, ?)", (key, value))

    def vectors(self, dim: int) -> tuple[Ids, Vectors]:
        """Numbers of all phrasings, ascending, and their vectors, (n, dim)."""
        numbers, joined = array("q"), bytearray()
        for number, vector in self.stream("SELECT number, vector FROM phrasings ORDER BY number"):
            numbers.append(number)
            joined += vector
        vectors = np.frombuffer(joined, dtype="<f4").reshape(-1, dim)
        return np.array(numbers, dtype=np.int64), vectors

    def phrasings(self, numbers: Iterable[int]) -> dict[int, tuple[str, str, str]]:
        """The id, the answer and the question of some phrasings that are there."""
        found: dict[int, tuple[str, str, str]] = {}
        for number in numbers:
            for row in self.rows(
                "SELECT a.id, a.answer, p.question FROM phrasings p JOIN answers a"
                " ON a.number = p.answer WHERE p.number = ?",
                (number,),
            ):
                found[number] = row
        return found

    def entry(self, id_: str) -> FaqEntry | None:
        """An answer with its phrasings."""
        rows = self.rows("SELECT number, answer FROM answers WHERE id = ?", (id_,))
        if not rows:
            return None
        asked = self.rows(
            "SELECT question FROM phrasings WHERE answer = ? ORDER BY number", (rows[0][0],)
        )
        return FaqEntry(id_, rows[0][1], tuple(question for (question,) in asked))

    def ids(self) -> list[str]:
        """Of all answers, in the order in which they came."""
        return [id_ for (id_,) in self.rows("SELECT id FROM answers ORDER BY number")]

    def answers(self) -> int:
        """How many answers there are."""
        ((count,),) = self.rows("SELECT count(*) FROM answers")
        return int(count)

    def count(self) -> int:
        """How many phrasings there are."""
        ((count,),) = self.rows("SELECT count(*) FROM phrasings")
        return int(count)

    def words(self) -> dict[str, str]:
        """The id of each answer by its words; of several with the same words the last."""
        return dict(self.rows("SELECT answer, id FROM answers ORDER BY number"))

    def put(self, entry: FaqEntry, questions: Sequence[str], vectors: Vectors) -> list[int]:
        """Add phrasings inside a transaction, and the answer if it is new; their numbers."""
        self.run(
            "INSERT OR IGNORE INTO answers (id, answer) VALUES (?, ?)", (entry.id, entry.answer)
        )
        ((answer,),) = self.rows("SELECT number FROM answers WHERE id = ?", (entry.id,))
        for question, vector in zip(questions, vectors, strict=True):
            self.run(
                "INSERT INTO phrasings (answer, question, vector) VALUES (?, ?, ?)",
                (answer, question, vector.astype("<f4").tobytes()),
            )
        marks = ", ".join("?" * len(questions))
        rows = self.rows(
            f"SELECT question, number FROM phrasings WHERE answer = ? AND question IN ({marks})",
            (answer, *questions),
        )
        numbers = dict(rows)
        return [numbers[question] for question in questions]

    def drop(self, id_: str) -> list[int] | None:
        """Take an answer away inside a transaction; the numbers of its phrasings, None if none."""
        rows = self.rows("SELECT number FROM answers WHERE id = ?", (id_,))
        if not rows:
            return None
        gone = self.rows("SELECT number FROM phrasings WHERE answer = ?", rows[0])
        self.run("DELETE FROM phrasings WHERE answer = ?", rows[0])
        self.run("DELETE FROM answers WHERE number = ?", rows[0])
        return [number for (number,) in gone]


def remove(path: Path) -> None:
    """Delete a FAQ that nobody has open, if it is there."""
    path.unlink(missing_ok=True)
    remove_beside(path)


def remove_beside(path: Path) -> None:
    """Delete what SQLite keeps beside a file."""
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
