"""How many titles are written in a second: greedily and by beams, by one worker and by two."""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks import sets
from benchmarks.options import Options, Outcome
from benchmarks.passes import seconds_for
from quern.bench import peak_memory
from quern.data import read_titles
from quern.errors import DataError
from quern.folder import ModelFolder
from quern.shipped import find

_BEAMS = {"greedy": 1, "beam-4": 4}
_WORKERS = {"one-worker": 1, "two-workers": 2}
_READ = 1024  # documents of a pass


def cases(options: Options) -> list[str]:
    """Each way with each number of workers, on the documents of each set."""
    return [f"{of}-{way}-{by}" for of in sets.TITLES for way in _BEAMS for by in _WORKERS]


def run(case: str, options: Options) -> Outcome:
    """Measure one part."""
    if not options.models:
        raise DataError("give a model of titles: --model MODEL")
    from quern.tasks import load_titles
    from quern.titles import Decoding

    of = next(name for name in sets.TITLES if case.startswith(name))
    way = next(name for name in _BEAMS if name in case)
    workers = next(count for name, count in _WORKERS.items() if name in case)
    _, path, _ = sets.titles(options.data, of)
    texts = [example.body for example in read_titles(path)][:_READ]
    figures: dict[str, Any] = {
        "workers": workers,
        "beam": _BEAMS[way],
        "documents": len(texts),
        "characters": statistics.fmean(map(len, texts)),
    }
    decoding = Decoding(beam=_BEAMS[way])
    for name in options.models:
        folder = ModelFolder(find(name))
        model = load_titles(folder.path)
        passes = [
            seconds_for(lambda lot, model=model: model(lot, decoding=decoding), texts, workers)
            for _ in range(1 + options.rounds)
        ][1:]
        speeds = [len(texts) / seconds for seconds in passes]
        figures[folder.path.name] = {
            "precision": folder.manifest.precision,
            "titles_per_second": [statistics.median(speeds), min(speeds), max(speeds)],
        }
    return Outcome({**figures, "peak_megabytes": peak_memory() / 1e6}, [path])
