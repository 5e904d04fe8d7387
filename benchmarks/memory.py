"""Whether memory stays flat while verbs read raw text: anonymous memory beside what was read.

Pages of files that the system maps or keeps are left out: it takes them back when it needs them.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count, groupby
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from benchmarks import sets
from benchmarks.options import CACHE, Options, Outcome
from quern import shipped
from quern.data import Document, documents, open_bytes, writing
from quern.ensemble import write_ensemble, write_union
from quern.errors import DataError

_SECONDS = 0.5  # between samples
_FEWEST = 12  # samples after the first quarter of a stage that has a slope
_MINUTE = 60  # at least of a stage whose slope goes by time, so that starting has none
_TUNED_ON = 100  # labelled texts
_WORDS = "words.txt"  # what vectors reads again and again

_EXTRACT = {
    "extract-txt": (),
    "extract-jsonl": (),
    "extract-stdin": (),
    "extract-uncertain": ("--uncertain", "0.1"),
    "extract-two-threads": ("--threads", "2"),
    "extract-ensemble": (),
    "extract-union": (),
}


class Sample(NamedTuple):
    """A process and its children at one moment.

    Attributes:
        seconds: since the beginning.
        file: the file that is being read, empty where it is none of those asked for.
        place: bytes of it that were read.
        anonymous: MB that are nowhere on disk.
        mapped: MB of files.
    """

    seconds: float
    file: str
    place: int
    anonymous: float
    mapped: float


class Verb(NamedTuple):
    """A command, and the file that stands before its standard input."""

    words: Sequence[str]
    stdin: Path | None = None


def cases(options: Options) -> list[str]:
    """One for each way in which a verb reads raw text."""
    return [*_EXTRACT, "pretrain", "vectors", "distill", "bench"]


def run(case: str, options: Options) -> Outcome:
    """Run one verb until it ends or its minutes are over."""
    sources = sets.pages(options.data)
    form = "jsonl" if case == "extract-jsonl" else "txt"
    raw = raw_text(sources, options.megabytes, form)
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="memory-", dir=CACHE) as folder:
        work = Path(folder)
        verb = _verb(case, raw, work, options)
        samples, ended = watch(verb, (raw.name, _WORDS), work, 60 * options.minutes)
    figures = {
        "megabytes": options.megabytes,
        "minutes": options.minutes,
        "ended": ended,
        "set": list(options.words),
        "peak_megabytes": max(sample.anonymous for sample in samples),
        "stages": [figures_of(stage) for stage in stages(samples)],
    }
    return Outcome(figures, sources)


def _verb(case: str, raw: Path, work: Path, options: Options) -> Verb:
    """The command of a case."""
    settings = [part for word in options.words for part in ("--set", word)]
    out = ["--out", str(work / "out"), *settings]
    if case == "pretrain":  # it trains until it is stopped
        return Verb(["pretrain", str(raw), "--hours", "1000", *out])
    if case == "vectors":
        return Verb(["vectors", str(raw), *out])
    if case == "bench":
        return Verb(["bench", "zh-triples", str(raw)])
    dev = sets.triples_path(options.data, "duie", "dev")
    if case == "distill":
        given = ["--raw", str(raw), "--dev", str(dev), "--preset", "fast"]
        return Verb(["distill", "zh-triples", *given, *out])
    words = ["extract", "--format", "jsonl", *_EXTRACT[case]]
    if case == "extract-stdin":
        return Verb(words, raw)
    if case in _JOINED:
        _JOINED[case](work / "model", dev)
        words += ["--model", str(work / "model")]
    return Verb([*words, str(raw)])


def _ensemble(path: Path, dev: Path) -> None:
    model = shipped.find("zh-triples")
    write_ensemble([model, model], path, sets.examples(dev)[:_TUNED_ON])


def _union(path: Path, dev: Path) -> None:
    models = [shipped.find("zh-triples"), shipped.find("zh-triples-fast")]
    write_union(models, path, sets.examples(dev)[:_TUNED_ON])


_JOINED: Mapping[str, Callable[[Path, Path], None]] = {
    "extract-ensemble": _ensemble,
    "extract-union": _union,
}


# -- the text ---------------------------------------------------------------------------


def raw_text(sources: Sequence[Path], megabytes: int, form: str) -> Path:
    """A file of so much text, written once: paragraphs (``txt``) or articles (``jsonl``).

    The articles are repeated as often as it takes, and every text ends in a number of its own.
    """
    path = CACHE / "raw" / f"zhwiki-{megabytes}.{form}"
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    number, written = count(), 0
    with writing(path) as stream:
        for page in _for_ever(sources):
            texts = [page.text] if form == "jsonl" else filter(str.strip, page.text.split("\n"))
            for text in texts:
                line = f"{text} {next(number)}".encode()
                line = msgspec.json.encode({"text": line.decode()}) if form == "jsonl" else line
                written += stream.write(line + b"\n")
            if written >= megabytes * 1e6:
                break
    return path


def _for_ever(sources: Sequence[Path]) -> Iterator[Document]:
    while True:
        for source in sources:
            with open_bytes(source) as stream:
                yield from documents(stream, "jsonl", str(source))


# -- watching ---------------------------------------------------------------------------


def watch(
    verb: Verb, files: Sequence[str], work: Path, seconds: float
) -> tuple[list[Sample], bool]:
    """Run a verb and sample it.

    Args:
        verb: what to run.
        files: names of the files whose reading is followed.
        work: a folder for what it says on standard error.
        seconds: after which it is stopped.

    Returns:
        The samples, and whether it came to its end by itself.

    Raises:
        DataError: it failed, or ended before it could be sampled.
    """
    log = work / "log.txt"
    samples: list[Sample] = []
    with contextlib.ExitStack() as opened:
        stdin = opened.enter_context((verb.stdin or Path("/dev/null")).open("rb"))
        stderr = opened.enter_context(log.open("wb"))
        command = [sys.executable, "-m", "quern.cli", *verb.words]
        process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.DEVNULL, stderr=stderr)
        began = time.monotonic()
        while process.poll() is None and time.monotonic() - began < seconds:
            with contextlib.suppress(OSError):  # it ends while it is looked at
                samples.append(sample(process.pid, files, time.monotonic() - began))
            time.sleep(_SECONDS)
        ended = process.poll() is not None
        if not ended:
            process.send_signal(signal.SIGKILL)
        status = process.wait()
    if not samples or (ended and status):
        raise DataError(f"quern {verb.words[0]} failed: {log.read_text(encoding='utf-8').strip()}")
    return samples, ended


def sample(process: int, files: Sequence[str], seconds: float) -> Sample:
    """What a process and its children hold now, and how far it has read.

    Raises:
        OSError: the process is gone.
    """
    status = [_status(number) for number in _family(process)]
    file, place = _reading(process, files)
    return Sample(
        seconds, file, place, sum(s["RssAnon"] for s in status), sum(s["RssFile"] for s in status)
    )


def _family(process: int) -> Iterator[int]:
    yield process
    for task in Path(f"/proc/{process}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from _family(int(child))


def _status(process: int) -> dict[str, float]:
    """MB by kind."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    split = (line.split() for line in lines if line.startswith("Rss"))
    return {kind.rstrip(":"): int(number) * 1024 / 1e6 for kind, number, _ in split}


def _reading(process: int, files: Sequence[str]) -> tuple[str, int]:
    """The first of ``files`` that is open, and how much of it was read."""
    opened = {}
    for link in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(OSError):
            opened[link.readlink().name] = link.name
    for file in files:
        if file in opened:
            with contextlib.suppress(OSError):
                info = Path(f"/proc/{process}/fdinfo/{opened[file]}").read_text()
                return file, int(info.split()[1])  # "pos:\t…"
    return "", 0


# -- figures ----------------------------------------------------------------------------


def stages(samples: Sequence[Sample]) -> list[list[Sample]]:
    """Runs of samples in which the same file is read, from its beginning each time."""
    found: list[list[Sample]] = []
    for _, run in groupby(samples, key=lambda one: one.file):
        stage: list[Sample] = []
        for one in run:
            if stage and one.place < stage[-1].place:
                found.append(stage)
                stage = []
            stage.append(one)
        found.append(stage)
    return found


def figures_of(stage: Sequence[Sample]) -> dict[str, Any]:
    """What a stage held: its peak, the peak of each quarter, and how it rose after the first.

    Quarters and slope go by what was read; where nothing is read from files, by time.
    """
    held = np.array([one.anonymous for one in stage])
    read = np.array([one.place for one in stage]) / 1e6
    seconds = np.array([one.seconds for one in stage])
    by_time = not stage[0].file
    work = seconds if by_time else read
    share = (work - work[0]) / max(work[-1] - work[0], 1e-9)
    quarters = np.minimum((4 * share).astype(int), 3)
    peaks = [held[quarters == q] for q in range(4)]
    figures = {
        "stage": stage[0].file or "at work",
        "seconds": float(seconds[-1] - seconds[0]),
        "megabytes_read": float(read[-1]),
        "peak_megabytes": float(held.max()),
        "peak_by_quarter": [float(part.max()) if len(part) else None for part in peaks],
        "peak_of_mapped_files": max(one.mapped for one in stage),
    }
    late = quarters > 0
    if late.sum() >= _FEWEST and not (by_time and figures["seconds"] < _MINUTE):
        slope = float(np.polyfit(work[late], held[late], 1)[0])
        unit, per = ("minute", _MINUTE) if by_time else ("100_megabytes", 100)
        figures[f"slope_per_{unit}"] = slope * per
    return figures


def table(lines: Sequence[dict[str, Any]]) -> str:
    """The newest result of every case, in Markdown."""
    head = ["case", "stage", "MB read", "peak, MB", "peak by quarter, MB", "slope, MB"]
    rows = [head, ["---"] * len(head)]
    for case, figures in {line["case"]: line["figures"] for line in lines}.items():
        rows += [[case, *_row(stage)] for stage in figures["stages"]]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(stage: Mapping[str, Any]) -> list[str]:
    quarters = ["–" if peak is None else f"{peak:,.0f}" for peak in stage["peak_by_quarter"]]
    slopes = {key: stage[key] for key in stage if key.startswith("slope_per_")}
    per = [f"{n:+z.2f} per {key[10:].replace('_', ' ')}" for key, n in slopes.items()]
    return [
        stage["stage"],
        f"{stage['megabytes_read']:,.0f}",
        f"{stage['peak_megabytes']:,.0f}",
        " ".join(quarters),
        *(per or ["–"]),
    ]
