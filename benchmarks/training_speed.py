"""How fast models train, and how soon a small set of labels gives a usable one."""

from __future__ import annotations

import sys
from itertools import islice
from typing import Any

import msgspec
import numpy as np

from benchmarks import sets, training
from benchmarks.options import CACHE, Options, Outcome
from quern import bench
from quern.errors import DataError
from quern.records import LabelledTriple, TripleExample
from quern.train.loop import Step
from quern.train.settings import plan
from quern.train.triple_training import TripleTraining

UNITS = 64  # of every generated text
WARM_UP, STEPS = 5, 40
LINES = 2000
QUICK = ("fast", ("epochs=25", "patience=4", "augment=0.3"))
_PREDICATES = 50
_CHARACTERS = 3000


def cases(options: Options) -> list[str]:
    """Presets by precisions, and the journey from labels to a usable model."""
    return ["full-fp32", "full-bf16", "fast-fp32", "fast-bf16", "usable-model"]


def run(case: str, options: Options) -> Outcome:
    """Measure one."""
    if case == "usable-model":
        return usable_model(options)
    preset, _, precision = case.partition("-")
    return Outcome(steps(preset, precision, options.seed))


def steps(preset: str, precision: str, seed: int, count: int = STEPS) -> dict[str, Any]:
    """Examples per second over training steps, the first few left out."""
    chosen = plan(preset, [f"precision={precision}", f"seed={seed}"])
    batch = chosen.schedule.batch_size
    examples = generated((WARM_UP + count) * batch, seed)
    running = TripleTraining(examples, examples[:1], chosen)
    facts = (fact for fact in running.run() if isinstance(fact, Step))
    taken = list(islice(facts, WARM_UP, WARM_UP + count))
    rate = bench.interval([fact.items / fact.seconds for fact in taken])
    auto = plan(preset, ["precision=auto"]).schedule
    return {
        "units": UNITS,
        "batch_size": batch,
        "threads": chosen.schedule.threads,
        "steps": len(taken),
        "examples_per_second": msgspec.to_builtins(rate),
        "parameters": sum(p.numel() for p in running.net.parameters()),
        "peak_megabytes": bench.peak_memory() / 1e6,
        "processor_has_bf16": auto.bf16(),
    }


def usable_model(options: Options) -> Outcome:
    """Train on the first complete lines of duie by a quick plan."""
    paths = [sets.triples_path(options.data, "duie", part) for part in ("train", "dev")]
    examples, dev = map(sets.examples, paths)
    first = [example for example in examples if example.complete][:LINES]
    if len(first) < LINES:
        raise DataError(f"{paths[0]}: {len(first)} complete lines, {LINES} are needed")
    preset, words = QUICK
    chosen = plan(preset, [*words, f"seed={options.seed}"])
    print(f"  training on {len(first):,} lines", file=sys.stderr)
    figures = training.train(first, dev, chosen, CACHE / "models" / f"usable-{options.seed}")
    return Outcome({"preset": preset, "set": words, **figures}, paths)


def generated(count: int, seed: int) -> list[TripleExample]:
    """Texts of ``UNITS`` Han characters, each with one to three triples at known places."""
    rng = np.random.default_rng(seed)
    return [_text(rng, line) for line in range(1, count + 1)]


def _text(rng: np.random.Generator, line: int) -> TripleExample:
    # Squared, so that some characters are frequent and most are rare, as in real text.
    drawn = (rng.random(UNITS) ** 2 * _CHARACTERS).astype(int)
    text = "".join(chr(0x4E00 + code) for code in drawn)
    triples = []
    for _ in range(rng.integers(1, 4)):
        subject, other = (int(place) for place in rng.choice(UNITS // 4, 2, replace=False) * 4)
        triples.append(
            LabelledTriple(
                text[subject : subject + 3],
                f"p{rng.integers(_PREDICATES)}",
                text[other : other + 4],
                subject_start=subject,
                object_start=other,
            )
        )
    return TripleExample(text, tuple(triples), line=line)
