"""``quern bench``: a model's speed and score on the user's own file."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import click
import msgspec
import onnxruntime

from quern import __version__, bench, evaluation, shipped
from quern.cli import options
from quern.cli.console import note
from quern.cli.table import columns
from quern.data import form_of, numbered_lines, open_bytes, read_triples, texts_of
from quern.errors import DataError
from quern.folder import ModelFolder
from quern.records import TripleExample


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What ``--format json`` prints.

    Attributes:
        texts: texts in the file.
        timed: how many of them, evenly spread, each timed pass reads.
        characters: mean length of the timed texts.
        rounds: passes of each model.
        peak_megabytes: memory of the whole process, both models where there are two.
    """

    quern: str
    onnxruntime: str
    machine: str
    threads: int
    texts: int
    timed: int
    characters: float
    rounds: int
    seconds: float
    peak_megabytes: float
    models: list[bench.Measured]
    ratio: bench.Ratio | None
    verdict: bench.Verdict | None


class _Data(NamedTuple):
    """The user's file: texts spread over it, how many it has, its examples if labelled."""

    texts: list[str]
    total: int
    examples: list[TripleExample]


@click.command("bench")
@click.argument("model")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--against", help="A second model to measure in alternation with the first.")
@click.option(
    "--seconds",
    type=click.FloatRange(1),
    default=30.0,
    show_default=True,
    help="Time for the measuring of speed. A labelled file is then read whole for its score.",
)
@options.threads
@options.table_or_json
def command(
    model: str,
    file: Path,
    against: str | None,
    seconds: float,
    threads: int,
    form: Literal["table", "json"],
) -> None:
    """Measure how fast MODEL reads the texts of FILE, and how well where they are labelled.

    MODEL is a folder, or the name of a model that ships with quern. FILE is a .txt file with a
    text on each line, or a .jsonl file with a "text" in each object; either may be gzipped.
    If its objects have "triples" too, the F1 is measured as well. Passes are repeated until
    the time is over, three at least, and every speed has its 95 % interval. If FILE is too long
    for that, the passes read texts spread evenly over it.

    With --against, the two models take turns on the same texts. If one of them is int8, it is
    not blessed (exit status 1) unless it is surely faster and loses at most 0.3 points of F1.

    \b
    Examples:
      quern bench my-model notes.txt
      quern bench model-int8 dev.jsonl --against model
    """
    names = [model] if against is None else [model, against]
    folders = [ModelFolder(shipped.find(name)) for name in names]
    data = _read(file)
    report = _measure(names, folders, data, seconds, threads)
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(report), indent=2))
    else:
        _table(report)
    if report.verdict is not None:
        _tell(report.verdict, labelled=bool(data.examples))


def _read(file: Path) -> _Data:
    if form_of(file) == "jsonl" and _labelled(file):
        examples = read_triples(file)
        return _Data([example.text for example in examples], len(examples), examples)
    texts, total = bench.thinned(texts_of([file]))
    if not texts:
        raise DataError(f"{file}: no texts to read; give a file with one text a line")
    return _Data(texts, total, [])


def _labelled(file: Path) -> bool:
    """Whether the first object of a file has triples."""
    with open_bytes(file) as stream:
        for _, line in numbered_lines(stream):
            try:
                row = msgspec.json.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                return False  # reading the texts will name the line
            return isinstance(row, dict) and "triples" in row
    return False


def _measure(
    names: Sequence[str],
    folders: Sequence[ModelFolder],
    data: _Data,
    seconds: float,
    threads: int,
) -> Report:
    models = [shipped.load_triples(name) for name in names]
    contenders = [bench.Contender(n, m, threads) for n, m in zip(names, models, strict=True)]
    note(f"{data.total:,} texts; measuring for {seconds:.0f} s")
    began = time.perf_counter()
    texts = bench.sample(contenders, data.texts, seconds)
    left = seconds - (time.perf_counter() - began)
    rounds = []
    for done in bench.within(bench.alternate(contenders, texts), left, time.perf_counter):
        rounds.append(done)
        _progress(len(rounds), time.perf_counter() - began, seconds)
    spent = time.perf_counter() - began
    passes = list(zip(*rounds, strict=True))
    if data.examples:
        note(f"scoring on {len(data.examples):,} labelled texts")
    measured = [
        bench.Measured(
            model=name,
            precision=folder.manifest.precision,
            megabytes=folder.size() / 1e6,
            speed=bench.speed(of_model),
            score=evaluation.score(reader, data.examples).figures() if data.examples else None,
        )
        for name, folder, reader, of_model in zip(names, folders, models, passes, strict=True)
    ]
    times = bench.ratio(passes[0], passes[1]) if len(passes) == 2 else None
    return Report(
        quern=__version__,
        onnxruntime=onnxruntime.__version__,
        machine=bench.machine(),
        threads=threads,
        texts=data.total,
        timed=len(texts),
        characters=sum(map(len, texts)) / len(texts),
        rounds=len(rounds),
        seconds=spent,
        peak_megabytes=bench.peak_memory() / 1e6,
        models=measured,
        ratio=times,
        verdict=bench.verdict(measured[0], measured[1], times) if times else None,
    )


def _progress(rounds: int, spent: float, seconds: float) -> None:
    """A line on the terminal after each round; a live bar would take time from the passes."""
    if sys.stderr.isatty():
        click.echo(f"\rround {rounds}, {spent:.0f} of {seconds:.0f} s \r", nl=False, err=True)


def _table(report: Report) -> None:
    heads = ["", *(f"{model.model} ({model.precision})" for model in report.models)]
    rows = [
        ["texts/s in batches", *(_rate(m.speed.batched) for m in report.models)],
        ["texts/s one by one", *(_rate(m.speed.single) for m in report.models)],
        ["ms for one text: p50, p95, p99", *(_latency(m.speed) for m in report.models)],
        ["size on disk, MB", *(f"{m.megabytes:.1f}" for m in report.models)],
    ]
    scored = [m.score for m in report.models if m.score is not None]
    for name in scored[0] if scored else ():
        rows.append([name, *(f"{score[name]:.4f}" for score in scored)])
    if report.ratio is not None:
        heads.append("ratio")
        for row, times in zip(rows, (report.ratio.batched, report.ratio.single), strict=False):
            row.append(f"{times.value:.2f} ({times.low:.2f} to {times.high:.2f})")
        rows = [row + [""] * (len(heads) - len(row)) for row in rows]
    columns(rows, heads)
    together = ", both models" if len(report.models) > 1 else ""
    click.echo(
        f"{report.timed:,} of {report.texts:,} texts, {report.characters:.0f} characters on "
        f"average, {report.rounds} rounds; brackets hold 95 % intervals\n"
        f"peak memory {report.peak_megabytes:.0f} MB{together}; {report.threads} thread(s); "
        f"{report.machine}; onnxruntime {report.onnxruntime}"
    )


def _rate(speed: bench.Interval) -> str:
    return f"{speed.value:,.0f} ({speed.low:,.0f} to {speed.high:,.0f})"


def _latency(speed: bench.Speed) -> str:
    latency = speed.latency_ms
    return f"{latency.p50:.2f}, {latency.p95:.2f}, {latency.p99:.2f}"


def _tell(verdict: bench.Verdict, labelled: bool) -> None:
    if verdict.blessed:
        seen = "" if labelled else " for its speed; FILE has no labels to measure its score by"
        note(f"{verdict.model} is blessed{seen}")
        return
    reasons = "\n".join(f"  {reason}" for reason in verdict.reasons)
    note(f"{verdict.model} is not blessed; use the other folder on this machine:\n{reasons}")
    click.get_current_context().exit(1)
