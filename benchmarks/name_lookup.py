"""All names of a knowledge base, found in texts: by hashes, as quern does, and by an automaton.

Both look through the same texts, written as keys are, so that only the search itself is compared.
The automaton gives every match; it need not see to it that names stand on borders of words.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import ahocorasick
import numpy as np

from benchmarks.knowledge_base import synthetic, synthetic_texts
from benchmarks.options import CACHE, Options, Outcome
from quern.bench import peak_memory
from quern.kb.hashset import HashSet
from quern.kb.names import stretches
from quern.text.keys import keyed, keys_of
from quern.text.windows import hashes_of_names

_SIZES = {"hashes-400k": 400_000, "automaton-400k": 400_000}
_SIZES |= {"hashes-10m": 10_000_000, "automaton-10m": 10_000_000}
_LOT = 20_000  # names hashed at a time
_BATCH = 256  # texts looked through together


def cases(options: Options) -> list[str]:
    """Each way with few names and with many."""
    return list(_SIZES)


def run(case: str, options: Options) -> Outcome:
    """Build, save, load, and look through texts."""
    names = _names(_SIZES[case], options.seed)
    texts = synthetic_texts(options.seed)
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        way = _hashes if case.startswith("hashes") else _automaton
        figures = way(names, texts, Path(folder) / "saved")
    return Outcome({"names": len(names), "texts": len(texts), **figures})


def _names(count: int, seed: int) -> list[str]:
    """Keys, each once; a few names have the same one."""
    entities = synthetic(count // 2, seed, aliases=True)
    keys: set[str] = set()
    while lot := list(islice(entities, _LOT)):
        keys.update(keys_of([name for entity in lot for name in entity.names]))
    return sorted(keys)


def _hashes(names: list[str], texts: list[str], path: Path) -> dict[str, Any]:
    start = time.perf_counter()
    lots = [hashes_of_names(keyed(names[at : at + _LOT])) for at in range(0, len(names), _LOT)]
    longest = max(long for _, long in lots)
    hashes = np.unique(np.concatenate([found for found, _ in lots]))
    built = time.perf_counter() - start
    hashes.tofile(path)
    del hashes, lots

    def load() -> HashSet:
        return HashSet(np.fromfile(path, dtype=np.uint64))

    seconds, _, known = _measured(load)  # what it takes may have been there before
    batches = [keyed(texts[at : at + _BATCH]) for at in range(0, len(texts), _BATCH)]
    start = time.perf_counter()
    found = sum(len(stretches(batch, known, longest)[0]) for batch in batches)
    taken = time.perf_counter() - start
    return _figures(built, seconds, known.bytes / 1e6, path, len(texts) / taken, found)


def _automaton(names: list[str], texts: list[str], path: Path) -> dict[str, Any]:
    start = time.perf_counter()
    automaton = ahocorasick.Automaton(ahocorasick.STORE_INTS)
    for number, name in enumerate(names):
        automaton.add_word(name, number)
    automaton.make_automaton()
    built = time.perf_counter() - start
    automaton.save(str(path))
    del automaton
    seconds, grown, loaded = _measured(lambda: ahocorasick.load(str(path), int))
    written = keys_of(texts)
    start = time.perf_counter()
    found = sum(1 for text in written for _ in loaded.iter(text))
    taken = time.perf_counter() - start
    return _figures(built, seconds, grown, path, len(texts) / taken, found)


def _measured(load: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds to load, megabytes it took, and what was loaded."""
    before = _resident()
    start = time.perf_counter()
    loaded = load()
    return time.perf_counter() - start, _resident() - before, loaded


def _resident() -> float:
    status = Path("/proc/self/status")
    if not status.exists():
        return peak_memory() / 1e6
    lines = status.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) * 1024 / 1e6


def _figures(
    built: float, loaded: float, grown: float, path: Path, rate: float, found: int
) -> dict[str, Any]:
    return {
        "build_seconds": built,
        "load_seconds": loaded,
        "memory_megabytes": grown,
        "file_megabytes": path.stat().st_size / 1e6,
        "texts_per_second": rate,
        "matches": found,
    }
