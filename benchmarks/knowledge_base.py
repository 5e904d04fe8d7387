"""Knowledge bases: how fast one is imported, opened, asked and changed, and what it weighs."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benchmarks import sets
from benchmarks.bases import of_pages
from benchmarks.options import CACHE, Options, Outcome
from quern.errors import DataError
from quern.kb import KnowledgeBase
from quern.records import Entity

_SIZES = {"synthetic-400k": 400_000, "synthetic-5m": 5_000_000}  # entities, of two names each
_ONE_NAME = {"synthetic-400k"}
_TEXTS = 20_000
_SINGLE = 2_000  # texts looked through one by one
_SIMILAR, _EDITS = 200, 200
_CHARACTERS = 3_000  # Han characters that synthetic names are made of
_SYLLABLES = [a + b for a in "bdfghklmnprst" for b in ("a", "e", "i", "o", "u", "an", "er", "in")]

# Seconds to open and memory at the peak, of a process of its own.
_OPENED = """
import sys, time
from pathlib import Path
from quern.errors import DataError
from quern.kb import KnowledgeBase
start = time.perf_counter()
base = KnowledgeBase.open(sys.argv[1])
opened = time.perf_counter() - start
base.names.find(sys.argv[2])
def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6
first = peak()
start = time.perf_counter()
base.candidates(sys.argv[2], least=0.5)
print(opened, first, time.perf_counter() - start, peak())
"""


def cases(options: Options) -> list[str]:
    """Chinese Wikipedia, and made-up bases of two sizes."""
    return ["zhwiki", *_SIZES]


def run(case: str, options: Options) -> Outcome:
    """Import, open, look up, edit."""
    paths: list[Path] = []
    if case == "zhwiki":
        paths = sets.pages(options.data)
        entities = list(of_pages(paths))
        texts = [entity.description for entity in entities if entity.description][:_TEXTS]
    else:
        entities = synthetic(_SIZES[case], options.seed, aliases=case not in _ONE_NAME)
        texts = synthetic_texts(options.seed)
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        file, path = Path(folder) / "base.jsonl", Path(folder) / "base.kb"
        count = _write(file, entities)
        start, worked = time.perf_counter(), time.process_time()
        with KnowledgeBase.open(path, create=True) as base:
            base.import_files([file])
        seconds, worked = time.perf_counter() - start, time.process_time() - worked
        figures: dict[str, Any] = {
            "entities": count,
            "import_seconds": seconds,
            "import_processor_seconds": worked,
            "entities_per_second": count / seconds,
            "import_peak_megabytes": _peak(),
            "megabytes": path.stat().st_size / 1e6,
            "source_megabytes": file.stat().st_size / 1e6,
        }
        with KnowledgeBase.open(path) as base:
            figures["names"] = base.stats().names
            figures |= asked(base, texts)
            figures |= edited(base)
        figures |= _opened(path, texts[0][:40])
    return Outcome(figures, paths)


def asked(base: KnowledgeBase, texts: Sequence[str]) -> dict[str, Any]:
    """How many texts and names are looked up in a second."""
    single = texts[:_SINGLE]
    start = time.perf_counter()
    for text in single:
        base.names.find(text)
    one_by_one = len(single) / (time.perf_counter() - start)
    start = time.perf_counter()
    found = [match for matches in base.names.find_many(texts) for match in matches]
    batched = len(texts) / (time.perf_counter() - start)
    keys = [match.key for match in found][:_TEXTS]
    start = time.perf_counter()
    base.named(keys)
    exact = len(keys) / (time.perf_counter() - start)
    names = [entity.name for entity in islice(base, 100 * _SIMILAR)][::100]
    typos = [name[: len(name) // 2] + name[len(name) // 2 + 1 :] for name in names]
    base.candidates(typos[0])  # loads the n-grams
    return {
        "characters_per_text": sum(map(len, texts)) / len(texts),
        "matches_per_text": len(found) / len(texts),
        "texts_per_second": batched,
        "texts_per_second_one_by_one": one_by_one,
        "names_per_second": exact,
        "similar_names_milliseconds": _milliseconds(base.candidates, typos),
    }


def edited(base: KnowledgeBase) -> dict[str, Any]:
    """Milliseconds from a change to the first question that sees it, of an open base."""
    added = [Entity(f"new-{n}", f"某新名字{n}") for n in range(_EDITS)]

    def add(entity: Entity) -> None:
        base.add(entity)
        if not base.names.find(entity.name):
            raise DataError(f"{entity.name} was added and is not found")

    def rename(entity: Entity) -> None:
        base.replace(msgspec.structs.replace(entity, name=f"改{entity.name}"))
        base.names.find(entity.name)

    def remove(entity: Entity) -> None:
        base.remove(entity.id)
        name = f"改{entity.name}"
        if any(match.text == name for match in base.names.find(name)):
            raise DataError(f"{name} was removed and is found still")

    return {
        "add_milliseconds": _milliseconds(add, added),
        "replace_milliseconds": _milliseconds(rename, added),
        "remove_milliseconds": _milliseconds(remove, added),
    }


def _milliseconds(do: Callable[[Any], object], items: Sequence[Any]) -> dict[str, float]:
    taken = []
    for item in items:
        start = time.perf_counter()
        do(item)
        taken.append(1000 * (time.perf_counter() - start))
    return {"median": statistics.median(taken), "p95": float(np.percentile(taken, 95))}


def _opened(path: Path, text: str) -> dict[str, Any]:
    """In a process of its own, once to warm up the disk and once to measure."""
    command = [sys.executable, "-c", _OPENED, str(path), text]
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    opened, peak, similar, peak_similar = map(float, done.stdout.split())
    return {
        "open_seconds": opened,
        "peak_megabytes": peak,
        "first_similar_seconds": similar,
        "peak_megabytes_similar": peak_similar,
    }


def _peak() -> float:
    from quern.bench import peak_memory

    return peak_memory() / 1e6


# -- what goes in -----------------------------------------------------------------------------


def synthetic(count: int, seed: int, *, aliases: bool) -> Iterator[Entity]:
    """Made-up entities: a Chinese name for every second one, and perhaps an English alias."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        if number % 10_000 == 0:
            lots = [_han_names(rng, 10_000), _english_names(rng, 10_000)]
        han, english = lots[0][number % 10_000], lots[1][number % 10_000]
        if not aliases:
            yield Entity(f"Q{number}", (han, english)[number % 2])
        else:
            yield Entity(f"Q{number}", han, (english,), f"第{number}个。")


def _han_names(rng: np.random.Generator, count: int) -> list[str]:
    lengths = rng.integers(2, 8, count)
    return [_han(rng, length) for length in lengths]


def _han(rng: np.random.Generator, length: int) -> str:
    # Squared, so that some characters are frequent and most are rare, as in real names.
    drawn = (rng.random(length) ** 2 * _CHARACTERS).astype(int)
    return "".join(chr(0x4E00 + code) for code in drawn)


def _english_names(rng: np.random.Generator, count: int) -> list[str]:
    names = []
    for _ in range(count):
        words = [rng.integers(0, len(_SYLLABLES), rng.integers(2, 4)) for _ in range(2)]
        names.append(" ".join("".join(_SYLLABLES[n] for n in word).title() for word in words))
    return names


def synthetic_texts(seed: int) -> list[str]:
    """Sixty characters each, drawn as those of the names."""
    rng = np.random.default_rng(seed + 1)
    return [_han(rng, 60) for _ in range(_TEXTS)]


def _write(path: Path, entities: Iterator[Entity] | Sequence[Entity]) -> int:
    count = 0
    with path.open("wb") as stream:
        for entity in entities:
            stream.write(msgspec.json.encode(entity) + b"\n")
            count += 1
    return count
