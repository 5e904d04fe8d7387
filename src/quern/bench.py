"""A model's speed on given texts: passes in alternation, figures with intervals, a verdict."""

from __future__ import annotations

import math
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import numpy as np

LOSS = 0.003  # points of F1, of 1, that an int8 folder may lose
LEAST_ROUNDS = 3  # fewer say nothing about their spread
_ROUNDS = 10  # aimed at where the texts allow
_PROBE = 64  # texts by which the speed is guessed
_HELD = 100_000  # texts, more than are read in an hour
_CHUNK = 256  # texts handed to a worker at a time, as `quern extract` does
_STATUS = Path("/proc/self/status")

# Student's t at 97.5 % for 1, 2, … 30 degrees of freedom.
_T = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)

Reader = Callable[[Sequence[str]], object]
T = TypeVar("T")


class Interval(msgspec.Struct, frozen=True):
    """A figure and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


class Latency(msgspec.Struct, frozen=True):
    """Milliseconds that single texts took: percentiles over ``count`` readings."""

    p50: float
    p95: float
    p99: float
    count: int


class Speed(msgspec.Struct, frozen=True):
    """Texts per second in batches and one by one, and how long one text takes."""

    batched: Interval
    single: Interval
    latency_ms: Latency


class Ratio(msgspec.Struct, frozen=True):
    """How many times as fast as the other, from passes made side by side."""

    batched: Interval
    single: Interval


class Contender(NamedTuple):
    """Something that reads texts.

    Attributes:
        name: what it is called in the figures.
        read: is given texts; what it answers does not matter here.
        workers: threads that call ``read`` at the same time.
    """

    name: str
    read: Reader
    workers: int = 1


class Pass(NamedTuple):
    """All texts read once in batches, and once one by one.

    Attributes:
        batched: texts per second.
        single: texts per second, one by one on each worker.
        latencies: seconds of every single text.
    """

    batched: float
    single: float
    latencies: list[float]


# -- passes ---------------------------------------------------------------------------


def sample(contenders: Sequence[Contender], texts: Sequence[str], seconds: float) -> list[str]:
    """As many texts, evenly spread, as leave time for several rounds; warms up on the way."""
    began, per_text = time.perf_counter(), 0.0
    for number, contender in enumerate(contenders, 1):
        times: list[float] = []
        for text in spread(texts, _PROBE):
            start = time.perf_counter()
            contender.read([text])
            times.append(time.perf_counter() - start)
            if time.perf_counter() - began > seconds / 10 * number / len(contenders):
                break
        # The first text pays for what is made only once.
        per_text += statistics.fmean(times[1:] or times)
    affordable = seconds / _ROUNDS / max(2 * per_text, 1e-9)
    return spread(texts, max(1, int(affordable)))


def spread(texts: Sequence[str], count: int) -> list[str]:
    """At most ``count`` of the texts, evenly spread over all of them."""
    count = min(count, len(texts))
    return [texts[i * len(texts) // count] for i in range(count)]


def thinned(texts: Iterable[str], most: int = _HELD) -> tuple[list[str], int]:
    """At most ``most`` of the texts, evenly spread over all of them, and how many there are.

    They are gone through once, and however many there are, no more are held.
    """
    kept: list[str] = []
    every, count = 1, 0
    for count, text in enumerate(texts, 1):
        if (count - 1) % every == 0:
            kept.append(text)
        if len(kept) > most:
            kept, every = kept[::2], 2 * every
    return kept, count


def alternate(contenders: Sequence[Contender], texts: Sequence[str]) -> Iterator[list[Pass]]:
    """Rounds without end, one pass of each contender in turn; the caller stops.

    What slows the machine for a while slows all contenders, and their ratio hardly moves.
    """
    for contender in contenders:
        contender.read(texts[:_CHUNK])  # warm up
    while True:
        yield [_pass(contender, texts) for contender in contenders]


def within(rounds: Iterator[T], seconds: float, clock: Callable[[], float]) -> Iterator[T]:
    """Rounds until the next would likely end after ``seconds``, but ``LEAST_ROUNDS`` of them."""
    began = clock()
    for number, done in enumerate(rounds, 1):
        yield done
        spent = clock() - began
        if number >= LEAST_ROUNDS and spent * (number + 1) / number > seconds:
            return


def _pass(contender: Contender, texts: Sequence[str]) -> Pass:
    workers = contender.workers
    size = min(_CHUNK, -(-len(texts) // workers))
    chunks = [texts[at : at + size] for at in range(0, len(texts), size)]
    batched, _ = _timed(contender.read, chunks, workers)
    single, latencies = _timed(
        lambda share: [_seconds(contender.read, [text]) for text in share],
        [texts[worker::workers] for worker in range(workers)],
        workers,
    )
    every = [seconds for share in latencies for seconds in share]
    return Pass(len(texts) / batched, len(texts) / single, every)


def _timed(work: Callable[[Any], Any], parts: Sequence[Any], workers: int) -> tuple[float, list]:  # type: ignore[type-arg]
    """Seconds that ``workers`` threads take over ``parts``, and the results."""
    if workers == 1:
        start = time.perf_counter()
        results = [work(part) for part in parts]
        return time.perf_counter() - start, results
    with ThreadPoolExecutor(workers) as pool:
        start = time.perf_counter()
        results = list(pool.map(work, parts))
        return time.perf_counter() - start, results


def _seconds(read: Reader, texts: Sequence[str]) -> float:
    start = time.perf_counter()
    read(texts)
    return time.perf_counter() - start


# -- figures --------------------------------------------------------------------------


def interval(samples: Sequence[float]) -> Interval:
    """Geometric mean of positive samples and its 95 % interval, by Student's t on logarithms.

    Raises:
        ValueError: fewer than two samples.
    """
    if len(samples) < 2:
        raise ValueError("an interval needs two samples or more")
    logs = [math.log(value) for value in samples]
    middle = statistics.fmean(logs)
    half = _t(len(logs) - 1) * statistics.stdev(logs) / math.sqrt(len(logs))
    return Interval(math.exp(middle), math.exp(middle - half), math.exp(middle + half))


def _t(freedom: int) -> float:
    return _T[freedom - 1] if freedom <= len(_T) else 1.96 + 2.46 / freedom


def speed(passes: Sequence[Pass]) -> Speed:
    """The figures of one contender's passes."""
    latencies = [seconds * 1000 for done in passes for seconds in done.latencies]
    p50, p95, p99 = np.percentile(latencies, (50, 95, 99)).tolist()
    return Speed(
        interval([done.batched for done in passes]),
        interval([done.single for done in passes]),
        Latency(p50, p95, p99, len(latencies)),
    )


def ratio(ours: Sequence[Pass], theirs: Sequence[Pass]) -> Ratio:
    """How many times as fast the first is, round by round."""
    pairs = list(zip(ours, theirs, strict=True))
    return Ratio(
        interval([a.batched / b.batched for a, b in pairs]),
        interval([a.single / b.single for a, b in pairs]),
    )


# -- verdict ----------------------------------------------------------------------------


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A model folder with its figures; ``score`` is None where the file has no labels."""

    model: str
    precision: str
    megabytes: float
    speed: Speed
    score: dict[str, float] | None


class Verdict(msgspec.Struct, frozen=True):
    """Whether an int8 folder is worth having, and what speaks against it."""

    model: str
    blessed: bool
    reasons: list[str]


def verdict(model: Measured, other: Measured, times: Ratio) -> Verdict | None:
    """Judge the int8 folder of a pair; None where not exactly one of the two is int8.

    It must be faster in batches (the whole interval of the ratio lies above 1) and must not
    lose more than ``LOSS`` of F1 where that was measured.

    Args:
        model: the first folder.
        other: the second.
        times: how many times as fast as the second the first is.
    """
    if (model.precision == "int8") == (other.precision == "int8"):
        return None
    faster = times.batched
    if other.precision == "int8":
        model, other = other, model
        faster = Interval(1 / faster.value, 1 / faster.high, 1 / faster.low)
    reasons = []
    if not faster.low > 1:
        reasons.append(
            f"it is {faster.value:.2f} times as fast as {other.model} "
            f"(95 % interval {faster.low:.2f} to {faster.high:.2f}), which is not surely faster"
        )
    if model.score is not None and other.score is not None:
        lost = other.score["f1"] - model.score["f1"]
        if not lost <= LOSS + 1e-9:
            reasons.append(
                f"it loses {100 * lost:.2f} points of F1 ({other.score['f1']:.4f} → "
                f"{model.score['f1']:.4f}), and {100 * LOSS:.1f} are allowed"
            )
    return Verdict(model.model, not reasons, reasons)


# -- the machine ----------------------------------------------------------------------


def peak_memory(status: Path = _STATUS) -> int:
    """Bytes that this process held at most in memory so far."""
    try:
        for line in status.read_text("utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # no /proc, as on macOS
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def machine(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor and the number of cores that this process may use, in words."""
    model = platform.processor() or platform.machine()
    try:
        for line in cpuinfo.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    except OSError:
        pass  # not Linux
    allowed = getattr(os, "sched_getaffinity", None)
    cores = len(allowed(0)) if allowed else os.cpu_count() or 1
    return f"{model}, {cores} core{'s' * (cores > 1)}, {platform.system()}"
