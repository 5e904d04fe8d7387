"""What every benchmark is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "out" / "bench"  # models, graphs and environments; git ignores it
RESULTS = ROOT / "benchmarks" / "results"


@dataclass(frozen=True)
class Options:
    """The command line.

    Attributes:
        data: the folder of the data sets.
        models: model folders, or names of shipped models.
        cases: the parts of a benchmark to run; all, where none is named.
        seed: of everything that is drawn.
        texts: how many texts are read in a pass, where a benchmark reads a sample.
        rounds: how often passes are repeated.
        megabytes: of raw text, where memory is measured.
        minutes: after which a verb is stopped, where memory is measured.
        init: folder of the encoder that trainings start from.
        vectors: file of the word vectors that trainings read.
        preset: of the networks that are trained; the recipe's own, where None.
        words: settings that come after those of the recipe.
        results: where records are appended.
    """

    data: Path | None = None
    models: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    seed: int = 0
    texts: int = 128
    rounds: int = 5
    megabytes: int = 1000
    minutes: float = 60
    init: Path | None = None
    vectors: Path | None = None
    preset: str | None = None
    words: tuple[str, ...] = ()
    results: Path = RESULTS


@dataclass(frozen=True)
class Outcome:
    """What a case measured, and the data files that it read."""

    figures: dict[str, Any]
    data: Sequence[Path] = field(default=())


class Benchmark(Protocol):
    """What a module of this package offers."""

    def cases(self, options: Options) -> list[str]:
        """The parts that are run, each in a process of its own."""

    def run(self, case: str, options: Options) -> Outcome:
        """Measure one part."""
