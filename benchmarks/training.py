"""A training through the public path, with its figures."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from quern.bench import peak_memory
from quern.records import TripleExample
from quern.train.fit import Fit, Fold, Start
from quern.train.loop import Epoch, Step
from quern.train.triple_training import Plan


class Watch:
    """Keeps what a training reports: times, items, and the course of the dev score."""

    def __init__(self) -> None:
        """The clock starts here."""
        self.began = time.perf_counter()
        self.items, self.seconds = 0, 0.0
        self.course: list[tuple[float, float]] = []
        self.best: tuple[float, int] | None = None

    def __call__(self, fact: Step | Epoch) -> None:
        """Take a fact of the training; a line on standard error for each epoch."""
        if isinstance(fact, Step):
            return
        spent = time.perf_counter() - self.began
        score = next(iter(fact.scores.values()))
        self.items += fact.items
        self.seconds += fact.seconds
        self.course.append((round(spent, 1), round(score, 4)))
        if fact.best:
            self.best = (spent, fact.epoch + 1)
        mark = " *" if fact.best else ""
        print(f"  epoch {fact.epoch + 1}: {spent:.0f} s, dev {score:.4f}{mark}", file=sys.stderr)

    def figures(self) -> dict[str, Any]:
        """Times in seconds since the clock was started."""
        best = self.best or (0.0, 0)
        return {
            "examples_per_second": self.items / self.seconds if self.seconds else None,
            "epochs": len(self.course),
            "best_epoch": best[1],
            "seconds_to_best": best[0],
            "course": self.course,
        }


def train(
    examples: Sequence[TripleExample],
    dev: Sequence[TripleExample],
    plan: Plan,
    out: Path,
    data: str | None = None,
    start: Start | None = None,
    fold: Fold | None = None,
) -> dict[str, Any]:
    """Train, write ``out``, and give the figures; ``seconds`` runs from examples to folder.

    ``data`` is the hash of the file that the examples were read from, for the model's card;
    ``start`` what is known beforehand; ``fold`` the part of the examples to leave out.
    """
    watch = Watch()
    allowed = ("absent", "border", "window")
    fit = Fit(examples, dev, plan, allow=allowed, start=start, fold=fold)
    fit.data = data
    problems = Counter(problem.kind for problem in fit.training.problems)
    metrics = fit.run(out, overwrite=True, report=watch)
    return {
        "train_texts": len(examples),
        "labels_not_placed_surely": dict(problems),
        "reading": fit.training.items.reading,
        "threads": plan.schedule.threads,
        "precision": "bf16" if plan.schedule.bf16() else "fp32",
        "seconds": time.perf_counter() - watch.began,
        **watch.figures(),
        "peak_megabytes": peak_memory() / 1e6,
        "dev": metrics["dev"],
    }
