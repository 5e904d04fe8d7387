"""What every training goes through once it is built: refuse, run, go on, write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import msgspec

from quern.alignment import Problem
from quern.errors import DataError
from quern.train.checkpoint import Checkpoint
from quern.train.loop import Epoch, Step
from quern.train.training import Training, without_about

_SHOWN = 5


class Journey:
    """A training on its way to a folder.

    Attributes:
        training: what is run.
        data: SHA-256 of what it learns from, None where that was no file.
    """

    def __init__(
        self,
        training: Training,
        data: str | None,
        identity: dict[str, Any],
        allow: Collection[str],
    ) -> None:
        """Refuse what would be lost.

        Args:
            training: what is run.
            data: SHA-256 of what it learns from.
            identity: what else than data and plan must be the same to go on from a checkpoint.
            allow: kinds of loss to accept.

        Raises:
            DataError: labels would be lost that ``allow`` does not name.
        """
        self.training, self.data = training, data
        self._identity = identity
        lost = [p for p in training.problems if p.lost and p.kind not in allow]
        if lost:
            kinds = sorted({problem.kind for problem in lost})
            raise DataError(
                f"{len(lost)} label(s) would be lost:\n{listing(lost)}\n"
                f"Mend them (quern check {training.task} names every one), or go on without them: "
                + " ".join(f"--allow {kind}" for kind in kinds)
            )

    def checkpoint(self, out: Path) -> Checkpoint:
        """Where this training keeps its state while it runs: a folder beside ``out``."""
        plan = without_about(self.training.plan)
        identity = {
            "data": self.data,
            "plan": msgspec.to_builtins(plan),
            **self.training.identity,
            **self._identity,
        }
        return Checkpoint(work_folder(out), identity)

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
        metrics = self._write(out, overwrite=overwrite)
        checkpoint.remove()
        return metrics

    def _write(self, out: Path, *, overwrite: bool) -> dict[str, Any]:
        return self.training.write(out, data=self.data, overwrite=overwrite)


def work_folder(out: Path) -> Path:
    """Where what is kept while ``out`` is being made lies."""
    return out.with_name(out.name + ".training")


def listing(problems: Sequence[Problem]) -> str:
    """The first problems with their lines, and how many of each kind there are."""
    shown = [f"  line {p.line}: {p.detail}" for p in problems[:_SHOWN]]
    counts = Counter(problem.kind for problem in problems)
    total = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    return "\n".join([*shown, f"  in all: {total}"])
