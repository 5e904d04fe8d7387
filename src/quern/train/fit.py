"""The journey from labelled lines to a model folder, in one call."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from quern.alignment import Problem
from quern.data import data_hash, read_facts, read_triples
from quern.errors import DataError
from quern.records import LabelledTriple, TripleExample
from quern.train.checkpoint import Checkpoint
from quern.train.encoders import Pretrained
from quern.train.loop import Epoch, Step
from quern.train.triple_training import Plan, TripleTraining
from quern.train.word_vectors import WordVectors

_SHOWN = 5


class Fold(NamedTuple):
    """One of several parts that texts fall into by their hash."""

    number: int
    parts: int

    def holds(self, text: str) -> bool:
        """Whether a text falls into this part, however often and wherever it stands."""
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:4]) % self.parts == self.number


_HELD_OUT = Fold(0, 10)  # without dev data


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


class Fit:
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
        self.plan, start = plan or Plan(), start or Start()
        facts = start.facts
        if facts is not None:
            settings = msgspec.structs.replace(self.plan.settings, priors=True)
            self.plan = msgspec.structs.replace(self.plan, settings=settings)
        self.facts = read_facts(facts) if isinstance(facts, Path) else list(facts or ())
        known = read_triples(train) if isinstance(train, Path) else list(train)
        examples, held = split_by_hash(known, fold or _HELD_OUT)
        if dev is not None:
            examples = examples if fold else known
            held = read_triples(dev) if isinstance(dev, Path) else list(dev)
        self.data = data_hash(train) if isinstance(train, Path) else None
        self._init = None if start.encoder is None else Pretrained(start.encoder)
        self._vectors = None if start.vectors is None else WordVectors.load(start.vectors)
        self._fold = fold
        self.training = TripleTraining(
            examples, held, self.plan, self._init, known, self._vectors, self.facts
        )
        self._refuse(allow)

    def checkpoint(self, out: Path) -> Checkpoint:
        """Where this training keeps its state while it runs: a folder beside ``out``."""
        plan = msgspec.structs.replace(self.plan, about=Plan().about)
        identity = {
            "data": self.data,
            "plan": msgspec.to_builtins(plan),
            "init": self._init and self._init.identity,
            "vectors": self._vectors and self._vectors.identity,
            "fold": self._fold,
            "priors": self.training.known,
        }
        return Checkpoint(out.with_name(out.name + ".training"), identity)

    def run(
        self,
        out: Path,
        *,
        resume: bool = False,
        overwrite: bool = False,
        report: Callable[[Step | Epoch], None] | None = None,
    ) -> dict[str, Any]:
        """Train to the end and write ``out``.

        Args:
            out: the model folder to write.
            resume: go on from where an earlier run was stopped, if one was.
            overwrite: replace a model folder that is there.
            report: called with every fact of the training.

        Returns:
            What was measured on the written folder.

        Raises:
            TrainingError: a loss is not finite, or an unfinished training is in the way.
            FolderError: ``out`` exists, or cannot be written.
        """
        checkpoint = self.checkpoint(out)
        if checkpoint.resumes(resume=resume, overwrite=overwrite):
            self.training.trainer.restore(checkpoint)
        for fact in self.training.run(checkpoint):
            if report is not None:
                report(fact)
        metrics = self.training.write(out, data=self.data, overwrite=overwrite)
        checkpoint.remove()
        return metrics

    def _refuse(self, allow: Collection[str]) -> None:
        lost = [p for p in self.training.problems if p.lost and p.kind not in allow]
        if lost:
            kinds = sorted({problem.kind for problem in lost})
            raise DataError(
                f"{len(lost)} label(s) would be lost:\n{listing(lost)}\n"
                "Mend them (quern check triples names every one), or go on without them: "
                + " ".join(f"--allow {kind}" for kind in kinds)
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


def split_by_hash(
    examples: Sequence[TripleExample], held: Fold = _HELD_OUT
) -> tuple[list[TripleExample], list[TripleExample]]:
    """Split examples into those to train on and those held out.

    A text falls on one side however often it stands, and stays there when lines are added.
    """
    out = [held.holds(example.text) for example in examples]
    return (
        [example for example, is_out in zip(examples, out, strict=True) if not is_out],
        [example for example, is_out in zip(examples, out, strict=True) if is_out],
    )


def listing(problems: Sequence[Problem]) -> str:
    """The first problems with their lines, and how many of each kind there are."""
    shown = [f"  line {p.line}: {p.detail}" for p in problems[:_SHOWN]]
    counts = Counter(problem.kind for problem in problems)
    total = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    return "\n".join([*shown, f"  in all: {total}"])


def _source(
    data: str | Path | Sequence[TripleExample],
) -> Path | Sequence[TripleExample]:
    return Path(data) if isinstance(data, str) else data
