"""How long a model takes for texts, by workers that read them in lots as the verbs do."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

_CHUNK = 256  # texts that a worker reads at a time


def seconds_for(
    model: Callable[[Sequence[str]], object], texts: Sequence[str], workers: int
) -> float:
    """Seconds for all texts; the first pass is by a codec that does not remember their units."""
    lots = [texts[at : at + _CHUNK] for at in range(0, len(texts), _CHUNK)]
    start = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(model, lots):
            pass
    return time.perf_counter() - start
