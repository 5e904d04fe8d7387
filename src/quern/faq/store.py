"""The SQLite file of a FAQ: answers, their phrasings with vectors, and what was tuned."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from quern.embedding import Vectors
from quern.records import FaqEntry
from quern.store import Kind
from quern.vector_store import VectorRows
from quern.vector_store.rows import ABOUT

_STEPS = (
    (
        ABOUT,
        "CREATE TABLE answers (number INTEGER PRIMARY KEY AUTOINCREMENT,"
        " id TEXT NOT NULL UNIQUE, answer TEXT NOT NULL)",
        "CREATE TABLE phrasings (number INTEGER PRIMARY KEY AUTOINCREMENT,"
        " answer INTEGER NOT NULL, question TEXT NOT NULL, vector BLOB NOT NULL,"
        " UNIQUE (answer, question))",
    ),
)
_FAQ = Kind("FAQ", 0x51464151, _STEPS, "quern faq build QUESTIONS --model MODEL --out {path}")


class Store(VectorRows):
    """One connection to a FAQ; see ``quern.store.Store``."""

    kind, table = _FAQ, "phrasings"

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
