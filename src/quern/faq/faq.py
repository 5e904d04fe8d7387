"""A FAQ: built, asked, tuned, and changed while in use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

import msgspec
import numpy as np

from quern.calibration import PlattScaling
from quern.data import content_id
from quern.embedding import Vectors
from quern.errors import DataError
from quern.faq.replies import FaqAnswer, FaqReply
from quern.faq.store import Store
from quern.faq.tuning import Tuned, judge, share_of, tune
from quern.records import FaqEntry, FaqExample
from quern.vector_store import VectorStore
from quern.vector_store.store import LOT, Advance, Ids, added, removed

NEARLY = 0.02  # below the best score, an answer is nearly as good
_MORE = 4  # phrasings looked at for each answer that is asked for


class Faq(VectorStore[Store]):
    """Answers that are found by questions alike to the one that is asked.

    All of it is in one SQLite file; see ``VectorStore``.
    """

    rows, verb = Store, "quern faq"

    # -- made ----------------------------------------------------------------------------------

    @classmethod
    def build(
        cls,
        path: Path,
        entries: Sequence[FaqEntry],
        model: str | Path,
        *,
        index: str = "auto",
        advance: Advance | None = None,
        overwrite: bool = False,
    ) -> Self:
        """Make a FAQ.

        Args:
            path: the file to write.
            entries: answers with their questions.
            model: a folder that makes vectors of sentences.
            index: "exact", "approximate", "auto" for what suits the number of phrasings, or the
                address of a database of vectors.
            advance: told of every lot of questions.
            overwrite: replace a FAQ that is there, once the new one is whole.

        Raises:
            DataError: a question has no direction.
            StoreError: the file is there already, or cannot be written; or the database cannot
                be reached, or has vectors in this collection.
            FolderError: the model cannot be read.
            MissingExtra: the index needs an extra that is not installed.
        """
        count = sum(len(entry.questions) for entry in entries)
        return cls._made(
            path,
            model,
            count,
            lambda faq: faq._put(entries, advance),
            index=index,
            overwrite=overwrite,
        )

    # -- asked ------------------------------------------------------------------------------

    @property
    def threshold(self) -> float | None:
        """The least score that is answered; None where the FAQ was not tuned."""
        said = self._store.about("threshold")
        return None if said is None else float(said)

    @property
    def calibration(self) -> PlattScaling | None:
        """Makes probabilities of scores."""
        said = self._store.about("calibration")
        return None if said is None else msgspec.json.decode(said, type=PlattScaling)

    def ask(
        self, questions: Sequence[str], top: int = 3, threshold: float | None = None
    ) -> list[FaqReply]:
        """Look for the answers to questions.

        Args:
            questions: of any words.
            top: answers that are shown, 1 at least.
            threshold: the least score that is answered, in place of the FAQ's own.

        Returns:
            A reply to each.
        """
        least = threshold if threshold is not None else self.threshold
        scaling = self.calibration
        replies = []
        for at in range(0, len(questions), LOT):
            lot = questions[at : at + LOT]
            for question, found in zip(lot, self._found(lot, top), strict=True):
                if scaling is not None:
                    found = [
                        msgspec.structs.replace(a, probability=scaling(share_of(a.score)))
                        for a in found
                    ]
                answered = bool(found) and (least is None or found[0].score >= least)
                close = sum(a.score >= found[0].score - NEARLY for a in found[1:])
                replies.append(FaqReply(question, answered, close, tuple(found)))
        return replies

    def _found(self, questions: Sequence[str], top: int) -> list[list[FaqAnswer]]:
        """The best answers to each question, each once."""
        vectors = self._vectors(questions)
        found: list[list[FaqAnswer]] = [[] for _ in questions]
        asked = [i for i, vector in enumerate(vectors) if vector.any()]
        index, top = self._index.now(), min(top, self._store.answers())
        k = _MORE * top
        while asked and len(index):
            near = index.search(vectors[asked], k)
            known = self._store.phrasings(np.unique(near.ids).tolist())
            short = []
            for i, ids, scores in zip(asked, near.ids.tolist(), near.scores.tolist(), strict=True):
                best: dict[str, FaqAnswer] = {}
                for number, score in zip(ids, scores, strict=True):
                    if number in known:
                        id_, answer, question = known[number]
                        best.setdefault(id_, FaqAnswer(id_, answer, question, score))
                found[i] = list(best.values())[:top]
                if len(best) < top:
                    short.append(i)
            if k >= len(index):
                break
            asked, k = short, 4 * k
        return found

    # -- changed ----------------------------------------------------------------------------

    def add(self, entries: Sequence[FaqEntry], advance: Advance | None = None) -> int:
        """Add answers, or phrasings to answers that are there; the number of new phrasings.

        Args:
            entries: answers with their questions.
            advance: told of every lot of new questions.

        Raises:
            DataError: a question has no direction, or an id has another answer.
        """
        return len(self._index.change(lambda: self._put(entries, advance), added)[0])

    def remove(self, ids: Iterable[str]) -> int:
        """Take answers away, all or none; the number of phrasings that went with them.

        Raises:
            DataError: an id is not there.
        """
        gone = self._index.change(lambda: self._drop(ids), removed, less=True)
        return len(gone)

    def _drop(self, ids: Iterable[str]) -> list[int]:
        """Take answers away, inside a transaction; the numbers of their phrasings."""
        gone: list[int] = []
        for id_ in dict.fromkeys(ids):
            dropped = self._store.drop(id_)
            if dropped is None:
                raise DataError(f"{self.path}: no answer '{id_}'; see them with: quern faq show")
            gone += dropped
        return gone

    def _put(self, entries: Sequence[FaqEntry], advance: Advance | None) -> tuple[Ids, Vectors]:
        """Write what is new of entries, inside a transaction; its numbers and vectors."""
        new = self._new(entries)
        questions = [question for entry in new for question in entry.questions]
        lines = [entry.line for entry in new for _ in entry.questions]
        vectors = self._encoded(questions, lines, advance)
        numbers: list[int] = []
        for entry in new:
            at, count = len(numbers), len(entry.questions)
            numbers += self._store.put(entry, entry.questions, vectors[at : at + count])
        return np.array(numbers, dtype=np.int64), vectors

    def _new(self, entries: Sequence[FaqEntry]) -> list[FaqEntry]:
        """Entries with those of their phrasings that are not there, if there are any.

        Who gave no id means the answer with the same words.
        """
        words = {
            e.answer: e.id for e in entries if e.id != content_id(e.answer)
        } | self._store.words()
        known: dict[str, tuple[str, set[str]]] = {}
        new = []
        for entry in entries:
            given = entry.id != content_id(entry.answer)
            id_ = entry.id if given else words.get(entry.answer, entry.id)
            if id_ not in known:
                there = self._store.entry(id_) or FaqEntry(id_, entry.answer, ())
                known[id_] = there.answer, set(there.questions)
            answer, have = known[id_]
            if answer != entry.answer:
                raise DataError(
                    f"{self.path}: answer '{id_}' is there with other words; remove it first "
                    f"(quern faq remove {self.path} {id_}), or give the new one another id"
                )
            questions = tuple(q for q in dict.fromkeys(entry.questions) if q not in have)
            have.update(questions)
            if questions:
                new.append(FaqEntry(id_, answer, questions, entry.line))
        return new

    # -- tuned, and looked at ---------------------------------------------------------------

    def tune(
        self, examples: Sequence[FaqExample], precision: float | None = None, *, keep: bool = True
    ) -> Tuned:
        """Choose from which score on an answer is given, and what scores mean.

        Args:
            examples: questions, some of them out of scope.
            precision: see ``tuning.tune``.
            keep: whether the FAQ goes by it from now on.

        Raises:
            DataError: an example names an answer that is not there, or no threshold reaches
                ``precision``.
        """
        ids = set(self._store.ids())
        for each in examples:
            if each.id is not None and each.id not in ids:
                where = f"{each.file}:{each.line}" if each.file else f"line {each.line}"
                raise DataError(f"{where}: no answer '{each.id}'; see them with: quern faq show")
        replies = self.ask([each.question for each in examples], top=1)
        judged = [judge(each, reply) for each, reply in zip(examples, replies, strict=True)]
        before = self.threshold
        tuned = tune(judged, -1.0 if before is None else before, precision)
        if keep:
            with self._store.transaction(told=False):
                self._store.say("threshold", repr(tuned.after.threshold))
                scaling = tuned.calibration
                said = None if scaling is None else msgspec.json.encode(scaling).decode()
                self._store.say("calibration", said)
        return tuned

    def entry(self, id_: str) -> FaqEntry | None:
        """An answer with its phrasings."""
        return self._store.entry(id_)

    @property
    def ids(self) -> list[str]:
        """Of all answers, in the order in which they came."""
        return self._store.ids()

    @property
    def phrasings(self) -> int:
        """How many questions are answered word for word."""
        return self._store.count()
