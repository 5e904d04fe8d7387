"""A FAQ: built, asked, tuned, and changed while in use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from quern.calibration import PlattScaling
from quern.data import answer_id
from quern.errors import DataError, FolderError, StoreError
from quern.faq.phrasings import PhrasingIndex, fill, in_memory, new_collection
from quern.faq.store import Store, remove, remove_beside
from quern.faq.tuning import Tuned, judge, share_of, tune
from quern.index import Index
from quern.records import FaqAnswer, FaqEntry, FaqExample, FaqReply
from quern.shipped import find
from quern.tasks import load_sentences
from quern.text import wordless

NEARLY = 0.02  # below the best score, an answer is nearly as good
_LOT = 1024  # questions that are given vectors at once
_MORE = 4  # phrasings looked at for each answer that is asked for

Vectors = NDArray[np.float32]


class Encodes(Protocol):
    """What gives vectors of texts, as ``SentenceModel`` does."""

    dim: int
    identity: str | None

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """Unit rows, 0 for a text without direction."""


class Faq:
    """Answers that are found by questions alike to the one that is asked.

    All of it is in one SQLite file. Vectors of the phrasings are searched in memory, or in a
    database at an address; who changes the file elsewhere is followed at the next question.

    Attributes:
        path: of the file.
        model: gives vectors of questions.
    """

    def __init__(self, path: Path, store: Store, model: Encodes) -> None:
        """Take what ``open`` and ``build`` have made."""
        self.path, self.model = path, model
        self._store = store
        self._phrasings = PhrasingIndex(store, model.dim)

    # -- made and opened --------------------------------------------------------------------

    @classmethod
    def build(
        cls,
        path: Path,
        entries: Sequence[FaqEntry],
        model: str | Path,
        *,
        index: str = "auto",
        advance: Callable[[int], None] | None = None,
        overwrite: bool = False,
    ) -> Faq:
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
        if path.exists() and not overwrite:
            raise StoreError(f"{path}: exists already; choose another name, or pass --overwrite")
        folder = find(model)
        encodes = load_sentences(folder)
        # What cannot be had is told before anything is read.
        count = sum(len(entry.questions) for entry in entries)
        served = new_collection(index, encodes.dim) if "://" in index else None
        if served is None:
            in_memory(index, count, encodes.dim)
        part = path.with_name(f".{path.name}.part")
        remove(part)
        try:
            with closing(cls(part, Store(part, create=True), encodes)) as faq:
                with faq._store.transaction():
                    place = str(model) if not Path(model).exists() else str(folder.resolve())
                    faq._store.say("model", place)
                    faq._store.say("identity", encodes.identity)
                    faq._store.say("index", index)
                    faq._put(entries, advance)
                faq._store.rows("PRAGMA wal_checkpoint(TRUNCATE)")
                if served is not None:
                    fill(served, faq._store, encodes.dim)
            # What SQLite kept beside the old file would be read as part of the new one.
            remove_beside(path)
            part.replace(path)
        finally:
            remove(part)
        return cls(path, Store(path), encodes)

    @classmethod
    def open(cls, path: str | Path, model: str | Path | None = None) -> Faq:
        """Open a FAQ.

        Args:
            path: its file.
            model: the folder of its model, where that has moved.

        Raises:
            StoreError: it is not there, no FAQ, or was built with another model.
            FolderError: the model cannot be read.
        """
        path = Path(path)
        with ExitStack() as undo:
            store = undo.enter_context(closing(Store(path)))
            faq = cls.of(
                path, store, load_sentences(find(model) if model else _folder(path, store))
            )
            undo.pop_all()
        return faq

    @classmethod
    def of(cls, path: Path, store: Store, model: Encodes) -> Faq:
        """A FAQ with a model that is open.

        Raises:
            StoreError: it was built with another model.
        """
        if store.about("identity") != model.identity:
            raise StoreError(
                f"{path}: was built with another model, whose vectors are not like these; build it "
                "again with this one (quern faq build), or name that one (--model)"
            )
        return cls(path, store, model)

    def close(self) -> None:
        """Let go of the file."""
        self._store.close()

    def __enter__(self) -> Faq:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

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
        for at in range(0, len(questions), _LOT):
            lot = questions[at : at + _LOT]
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
        index, top = self._phrasings.now(), min(top, self._store.answers())
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

    def _vectors(self, questions: Sequence[str]) -> Vectors:
        """One row each, 0 where there is no word: models may give marks some direction."""
        vectors = self.model(questions)
        vectors[[wordless(question) for question in questions]] = 0
        return vectors

    # -- changed ----------------------------------------------------------------------------

    def add(self, entries: Sequence[FaqEntry], advance: Callable[[int], None] | None = None) -> int:
        """Add answers, or phrasings to answers that are there; the number of new phrasings.

        Args:
            entries: answers with their questions.
            advance: told of every lot of new questions.

        Raises:
            DataError: a question has no direction, or an id has another answer.
        """
        return len(self._phrasings.change(lambda: self._put(entries, advance), _added)[0])

    def remove(self, ids: Iterable[str]) -> int:
        """Take answers away, all or none; the number of phrasings that went with them.

        Raises:
            DataError: an id is not there.
        """
        gone = self._phrasings.change(lambda: self._drop(ids), _removed, less=True)
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

    def _put(
        self, entries: Sequence[FaqEntry], advance: Callable[[int], None] | None
    ) -> tuple[NDArray[np.int64], Vectors]:
        """Write what is new of entries, inside a transaction; its numbers and vectors."""
        new = self._new(entries)
        asked = [(question, entry.line) for entry in new for question in entry.questions]
        vectors = np.zeros((len(asked), self.model.dim), dtype=np.float32)
        for at in range(0, len(asked), _LOT):
            lot = asked[at : at + _LOT]
            vectors[at : at + len(lot)] = self._vectors([question for question, _ in lot])
            for (question, line), vector in zip(lot, vectors[at:], strict=False):
                if not vector.any():
                    where = f"line {line}: " if line else ""
                    raise DataError(f"{where}'{question}': nothing in it can be read; leave it out")
            if advance is not None:
                advance(len(lot))
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
            e.answer: e.id for e in entries if e.id != answer_id(e.answer)
        } | self._store.words()
        known: dict[str, tuple[str, set[str]]] = {}
        new = []
        for entry in entries:
            given = entry.id != answer_id(entry.answer)
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

    def about(self, key: str) -> str | None:
        """What the file says of itself: its "model", that one's "identity", its "index"."""
        return self._store.about(key)


def _folder(path: Path, store: Store) -> Path:
    """Of the model that the file names."""
    kept = store.about("model") or ""
    try:
        return find(kept)
    except FolderError as error:
        raise FolderError(
            f"{path}: its model is no longer at {kept}; say where it is now (--model)"
        ) from error


def _added(index: Index, new: tuple[NDArray[np.int64], Vectors]) -> None:
    numbers, vectors = new
    if len(numbers):
        index.add(numbers, vectors)


def _removed(index: Index, numbers: list[int]) -> None:
    if numbers:
        index.remove(numbers)
