"""How fast sentences are given vectors, and what very many groups cost in training."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks import sets
from benchmarks.options import Options, Outcome
from benchmarks.passes import seconds_for
from quern.bench import peak_memory
from quern.errors import DataError
from quern.folder import ModelFolder
from quern.records import SentenceExample
from quern.shipped import find
from quern.tasks import load_sentences

_WORKERS = {"one-worker": 1, "two-workers": 2}
_GROUPS = {"groups-10k": 10_000, "groups-100k": 100_000, "groups-1m": 1_000_000}
_READ = 20_000  # sentences of a pass
_STEPS, _WARM = 60, 10
_BATCH = 256


def cases(options: Options) -> list[str]:
    """One worker and two, for each model that is given; and training with so many groups."""
    return [*(_WORKERS if options.models else ()), *_GROUPS]


def run(case: str, options: Options) -> Outcome:
    """Measure one part."""
    path = sets.synonyms_path(options.data, "all")
    examples = sets.synonyms(path)
    if case in _GROUPS:
        return Outcome(_trained(examples, _GROUPS[case], options), [path])
    if not options.models:
        raise DataError("give a model of sentences: --model MODEL")
    texts = [example.text for example in examples][:_READ]
    figures: dict[str, Any] = {
        "workers": _WORKERS[case],
        "sentences": len(texts),
        "characters": statistics.fmean(map(len, texts)),
    }
    for name in options.models:
        folder = ModelFolder(find(name))
        model = load_sentences(folder.path)
        passes = [seconds_for(model, texts, _WORKERS[case]) for _ in range(1 + options.rounds)][1:]
        speeds = [len(texts) / seconds for seconds in passes]
        figures[folder.path.name] = {
            "precision": folder.manifest.precision,
            "sentences_per_second": [statistics.median(speeds), min(speeds), max(speeds)],
        }
    return Outcome({**figures, "peak_megabytes": peak_memory() / 1e6}, [path])


def _trained(examples: Sequence[SentenceExample], groups: int, options: Options) -> dict[str, Any]:
    """Steps of a training whose groups are filled up with names that no sentence has."""
    from quern.train.loop import Step
    from quern.train.row_table import RowTable
    from quern.train.sentence_training import SentenceTraining
    from quern.train.settings import sentence_plan

    words = (
        "loss=am-softmax",
        "classes=4000",
        f"batch_size={_BATCH}",
        f"seed={options.seed}",
        *options.words,
    )
    training = SentenceTraining(examples[:_READ], examples[-2000:], sentence_plan("fast", words))
    before = peak_memory() / 1e6
    missing = groups - len(training.items.names)
    training.items.names += [f"group {number}" for number in range(missing)]
    dim = training.plan.settings.vector_dim
    training.items.tables["groups"] = RowTable.drawn(groups, dim, options.seed)
    training.trainer.tables.update(training.items.tables)
    seconds = []
    for fact in training.run():
        if isinstance(fact, Step):
            seconds.append(fact.seconds)
            if len(seconds) == _STEPS:
                break
    table = sum(
        t.numel() * t.element_size() for t in training.items.tables["groups"].tensors().values()
    )
    return {
        "groups": groups,
        "set": words,
        "threads": training.plan.schedule.threads,
        "milliseconds_per_step": 1000 * float(np.median(seconds[_WARM:])),
        "sentences_per_second": _BATCH / float(np.median(seconds[_WARM:])),
        "table_megabytes": table / 1e6,
        "peak_megabytes": peak_memory() / 1e6,
        "peak_megabytes_before": before,
    }
