"""Nearest vectors, exactly and approximately: to build, to change, to ask, on one thread.

The vectors are clustered: unit vectors around one centre for each 200, with noise 1.2 times as long
as the centre. Queries are drawn in the same way and are not in the index.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.options import CACHE, Options, Outcome
from quern.errors import QuernError
from quern.index import ExactIndex, Index, create_index, open_index, unit

_DIM = 128
_SIZES = {"10k": 10_000, "100k": 100_000, "1m": 1_000_000}
_KINDS = ("exact", "approximate")
_CLUSTER = 200  # vectors
_NOISE = 1.2
_K = 10
_SINGLE = 500  # queries asked one by one
_BATCH = 512  # queries asked together
_CHANGES = 100  # vectors added one by one, and then removed


def cases(options: Options) -> list[str]:
    """Each kind with few, many and very many vectors."""
    return [f"{kind}-{size}" for size in _SIZES for kind in _KINDS]


def run(case: str, options: Options) -> Outcome:
    """Build, save, open, ask and change one index."""
    if os.environ.get("OMP_NUM_THREADS") != "1":
        raise QuernError("index_speed measures one thread: run it with OMP_NUM_THREADS=1")
    kind, _, size = case.partition("-")
    vectors, queries = _drawn(_SIZES[size], options.seed)
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        path = Path(folder) / "index"
        figures = _measured(kind, path, vectors, queries)
        figures["open_seconds"] = _seconds(lambda: open_index(path))
    return Outcome(figures)


def _measured(
    kind: str, path: Path, vectors: NDArray[np.float32], queries: NDArray[np.float32]
) -> dict[str, Any]:
    before = _resident()
    index = create_index("exact" if kind == "exact" else "approximate", _DIM, path)
    build = _seconds(lambda: index.add(np.arange(len(vectors)), vectors))
    figures = {"vectors": len(vectors), "dim": _DIM, "build_seconds": build}
    figures |= _asked(index, queries)
    figures |= _changed(index, queries)
    figures["megabytes_per_million"] = (_resident() - before) / len(vectors)
    figures |= _recall(index, vectors, queries)
    figures["save_seconds"] = _seconds(index.save)
    return figures | {"file_megabytes": path.stat().st_size / 1e6}


def _drawn(count: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    random = np.random.default_rng(seed)
    centres = unit(random.standard_normal((max(1, count // _CLUSTER), _DIM), dtype=np.float32))
    number = count + max(_SINGLE, _BATCH)
    drawn = centres[random.integers(len(centres), size=number)]
    for at in range(0, number, 10_000):  # in place, so that no copies are left in memory
        part = drawn[at : at + 10_000]
        part += _NOISE / _DIM**0.5 * random.standard_normal(part.shape, dtype=np.float32)
        part[:] = unit(part)
    return drawn[:count], drawn[count:]


def _asked(index: Index, queries: NDArray[np.float32]) -> dict[str, Any]:
    index.search(queries[:2], _K)  # warm up
    one = queries[:_SINGLE, None]
    taken = [1000 * _seconds(lambda query=query: index.search(query, _K)) for query in one]
    together = _seconds(lambda: index.search(queries[:_BATCH], _K))
    p50, p99 = np.percentile(taken, (50, 99)).tolist()
    return {"query_ms": {"p50": p50, "p99": p99}, "batch_queries_per_second": _BATCH / together}


def _recall(
    index: Index, vectors: NDArray[np.float32], queries: NDArray[np.float32]
) -> dict[str, float]:
    """The share of the ten nearest that is found."""
    if isinstance(index, ExactIndex):
        return {f"recall_at_{_K}": 1.0}
    truth = ExactIndex(_DIM)
    truth.add(np.arange(len(vectors)), vectors)
    asked = queries[:_SINGLE]
    pairs = zip(truth.search(asked, _K).ids, index.search(asked, _K).ids, strict=True)
    shares = [len(np.intersect1d(right, found)) / _K for right, found in pairs]
    return {f"recall_at_{_K}": float(np.mean(shares))}


def _changed(index: Index, vectors: NDArray[np.float32]) -> dict[str, float]:
    first = len(index)
    index.remove([0])  # the first change pays for what later ones use
    index.add([0], vectors[:1])
    added = [
        _seconds(lambda at=at: index.add([first + at], vectors[at : at + 1]))
        for at in range(_CHANGES)
    ]
    removed = [_seconds(lambda at=at: index.remove([first + at])) for at in range(_CHANGES)]
    return {
        "add_one_ms": 1000 * float(np.median(added)),
        "remove_one_ms": 1000 * float(np.median(removed)),
    }


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _resident() -> float:
    """Bytes that this process has in memory now."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
