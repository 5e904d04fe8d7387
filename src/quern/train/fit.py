"""The journey from labelled lines to a model folder, in one call."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from quern.data import data_hash, read_facts, read_triples
from quern.records import (
    LabelledTriple,
    LinkExample,
    RankExample,
    SentenceExample,
    TripleExample,
)
from quern.train.encoders import Pretrained
from quern.train.journey import Journey
from quern.train.triple_training import Plan, TripleTraining
from quern.train.word_vectors import WordVectors

_P = TypeVar("_P", bound=Plan)
_E = TypeVar("_E", TripleExample, LinkExample, SentenceExample, RankExample)


class Fold(NamedTuple):
    """One of several parts that texts fall into by their hash."""

    number: int
    parts: int

    def holds(self, text: str) -> bool:
        """Whether a text falls into this part, however often and wherever it stands."""
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:4]) % self.parts == self.number


HELD_OUT = Fold(0, 10)  # without dev data


class Start(NamedTuple):
    """What is known before a training begins.

    Attributes:
        encoder: folder of a pre-trained encoder to start from.
        vectors: file of word vectors to read beside the units.
        facts: triples known from elsewhere; they turn the setting ``priors`` on.
    """

    encoder: Path | None = None
    vectors: Path | None = None
    facts: Path | Sequence[LabelledTriple] | None = None

    def planned(self, plan: _P) -> _P:
        """A plan, with priors where there are facts."""
        if self.facts is None:
            return plan
        settings = msgspec.structs.replace(plan.settings, priors=True)
        return msgspec.structs.replace(plan, settings=settings)

    def opened(self) -> Opened:
        """Read all of it.

        Raises:
            DataError: the vectors or the facts cannot be read.
            FolderError: the encoder cannot be read.
        """
        facts = self.facts
        return Opened(
            None if self.encoder is None else Pretrained(self.encoder),
            None if self.vectors is None else WordVectors.load(self.vectors),
            read_facts(facts) if isinstance(facts, Path) else list(facts or ()),
        )


class Opened(NamedTuple):
    """What a ``Start`` names, once it was read."""

    encoder: Pretrained | None
    vectors: WordVectors | None
    facts: list[LabelledTriple]

    @property
    def identity(self) -> dict[str, str | None]:
        """What tells encoder and vectors from any others."""
        return {
            "init": None if self.encoder is None else self.encoder.identity,
            "vectors": None if self.vectors is None else self.vectors.identity,
        }


class Fit(Journey):
    """A training from files (or examples) to a folder: read, check, run, write."""

    def __init__(
        self,
        train: Path | Sequence[TripleExample],
        dev: Path | Sequence[TripleExample] | None,
        plan: Plan | None = None,
        *,
        allow: Collection[str] = (),
        start: Start | None = None,
        fold: Fold | None = None,
    ) -> None:
        """Read and check the data, and build what will be trained.

        Args:
            train: labelled lines.
            dev: labelled lines to choose by; without them every tenth text, by its hash, is
                held out of the training data.
            plan: settings.
            allow: kinds of loss to accept: "absent", "border", "window".
            start: an encoder, word vectors and facts to start from.
            fold: leave out this part of the training data (and choose by it, without dev).

        Raises:
            DataError: the data or the facts cannot be read, or labels would be lost that
                ``allow`` does not name.
        """
        start = start or Start()
        plan, begun = start.planned(plan or Plan()), start.opened()
        known = read_triples(train) if isinstance(train, Path) else list(train)
        examples, held = split_by_hash(known, fold or HELD_OUT)
        if dev is not None:
            examples = examples if fold else known
            held = read_triples(dev) if isinstance(dev, Path) else list(dev)
        training = TripleTraining(
            examples, held, plan, begun.encoder, known, begun.vectors, begun.facts
        )
        super().__init__(
            training,
            data_hash(train) if isinstance(train, Path) else None,
            {**begun.identity, "fold": fold},
            allow,
        )


def fit(
    train: str | Path | Sequence[TripleExample],
    out: str | Path,
    dev: str | Path | Sequence[TripleExample] | None = None,
    plan: Plan | None = None,
    *,
    allow: Collection[str] = (),
    resume: bool = False,
    overwrite: bool = False,
    start: Start | None = None,
) -> dict[str, Any]:
    """Train a triple model; see ``Fit`` for the arguments and errors.

    Returns:
        What was measured on the written folder, as in its ``metrics.json``.
    """
    held = None if dev is None else _source(dev)
    journey = Fit(_source(train), held, plan, allow=allow, start=start)
    return journey.run(Path(out), resume=resume, overwrite=overwrite)


def split_by_hash(examples: Sequence[_E], held: Fold = HELD_OUT) -> tuple[list[_E], list[_E]]:
    """Split examples into those to train on and those held out.

    A text falls on one side however often it stands, and stays there when lines are added.
    """
    out = [held.holds(example.text) for example in examples]
    return (
        [example for example, is_out in zip(examples, out, strict=True) if not is_out],
        [example for example, is_out in zip(examples, out, strict=True) if is_out],
    )


def read_both(
    train: Path | Sequence[_E], dev: Path | Sequence[_E] | None, read: Callable[[Path], list[_E]]
) -> tuple[list[_E], list[_E]]:
    """What to train on and what to choose by, which is held out where it is not given."""
    known = read(train) if isinstance(train, Path) else list(train)
    if dev is None:
        return split_by_hash(known)
    return known, read(dev) if isinstance(dev, Path) else list(dev)


def _source(
    data: str | Path | Sequence[TripleExample],
) -> Path | Sequence[TripleExample]:
    return Path(data) if isinstance(data, str) else data
