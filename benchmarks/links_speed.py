"""How fast texts are linked end to end: mentions found, and entities of zhwiki chosen.

Two models are given: one that finds mentions (of ccks2019), and one that chooses entities (of
zhwiki-namesakes). The first pass meets every entity for the first time, and encodes its
description; later ones find it kept in the base, as every later run does.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks import sets
from benchmarks.bases import base_of
from benchmarks.options import CACHE, Options, Outcome
from quern.bench import peak_memory
from quern.data import read_links
from quern.errors import DataError
from quern.folder import ModelFolder
from quern.kb import KnowledgeBase
from quern.links import Linker
from quern.records import Link
from quern.shipped import find
from quern.tasks import load_entities, load_links

WORKERS = {"one-worker": 1, "two-workers": 2}
_CHUNK = 256  # texts that a worker reads at a time, as ``quern link`` does


def cases(options: Options) -> list[str]:
    """One worker, and two."""
    return list(WORKERS)


def run(case: str, options: Options) -> Outcome:
    """Link the dev texts of ccks2019, once a round."""
    if len(options.models) != 2:
        raise DataError("give two models: --model MENTIONS --model ENTITIES")
    folders = [ModelFolder(find(model)) for model in options.models]
    path = sets.links_path(options.data, "ccks2019", "dev")
    texts = [example.text for example in read_links(path)]
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        fresh = Path(folder) / "base.kb"
        shutil.copyfile(base_of(options.data, "zhwiki"), fresh)
        with KnowledgeBase.open(fresh) as base:
            finder = load_links(folders[0].path, kb=base.names)
            linker = Linker(finder, load_entities(folders[1].path), base)
            seconds, links = zip(
                *(_pass(linker, texts, WORKERS[case]) for _ in range(1 + options.rounds)),
                strict=True,
            )
    found = [link for of_text in links[0] for link in of_text]
    later = [len(texts) / each for each in seconds[1:]]
    return Outcome(
        {
            "models": [Path(each).name for each in options.models],
            "precision": [folder.manifest.precision for folder in folders],
            "workers": WORKERS[case],
            "texts": len(texts),
            "characters_per_text": sum(map(len, texts)) / len(texts),
            "mentions_per_text": len(found) / len(texts),
            "with_candidates": sum(bool(link.choices) for link in found) / len(texts),
            "first_pass_texts_per_second": len(texts) / seconds[0],
            "texts_per_second": [statistics.median(later), min(later), max(later)],
            "peak_megabytes": peak_memory() / 1e6,
        },
        [path],
    )


def _pass(linker: Linker, texts: Sequence[str], workers: int) -> tuple[float, list[list[Link]]]:
    start = time.perf_counter()
    chunks = [texts[at : at + _CHUNK] for at in range(0, len(texts), _CHUNK)]
    with ThreadPoolExecutor(workers) as pool:
        found = [links for of_chunk in pool.map(linker, chunks) for links in of_chunk]
    return time.perf_counter() - start, found
