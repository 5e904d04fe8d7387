"""How long an ensemble of 16 models takes for 100,000 texts, on two workers.

The article (Su, 2019) predicted 100,000 texts with 16 models in 4 hours.
"""

from __future__ import annotations

from benchmarks import sets
from benchmarks.options import CACHE, Options, Outcome
from quern import bench, shipped
from quern.ensemble import write_ensemble
from quern.folder import ModelFolder

MEMBERS = 16
_MODEL = "zh-triples"
_TEXTS = 100_000
_TUNED_ON = 100  # texts; the thresholds decide how many subjects get objects
_WORKERS = 2


def cases(options: Options) -> list[str]:
    """One: the given ensemble, or sixteen times the shipped model."""
    return [f"{MEMBERS}-members"]


def run(case: str, options: Options) -> Outcome:
    """Read the dev texts once a round; what 100,000 would take follows from the rate.

    Copies of one model cost as much as that many different ones: each runs all its graphs.
    """
    path = sets.triples_path(options.data, sets.TEXTS["zh"], "dev")
    examples = sets.examples(path)
    if options.models:
        folder = shipped.find(options.models[0])
    else:
        folder = CACHE / "models" / "sixteen"
        source = shipped.find(_MODEL)
        write_ensemble([source] * MEMBERS, folder, examples[:_TUNED_ON], overwrite=True)
    texts = bench.spread([example.text for example in examples], options.texts)
    contender = bench.Contender("ensemble", shipped.load(folder), _WORKERS)
    passes = []
    for (done,) in bench.alternate([contender], texts):
        passes.append(done)
        if len(passes) == options.rounds:
            break
    speed = bench.speed(passes).batched
    return Outcome(
        {
            "members": ModelFolder(folder).manifest.members,
            "precision": ModelFolder(folder).manifest.precision,
            "workers": _WORKERS,
            "texts": len(texts),
            "characters_per_text": sum(map(len, texts)) / len(texts),
            "texts_per_second": [speed.value, speed.low, speed.high],
            f"hours_for_{_TEXTS}_texts": _TEXTS / speed.value / 3600,
        },
        [path],
    )
