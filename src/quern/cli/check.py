"""``quern check``: is my data fit for training?"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
import msgspec

from quern.cli.console import counted
from quern.cli.table import columns
from quern.data import BadLine, open_bytes, scan_triples
from quern.records import TripleExample
from quern.text import CodecRules

if TYPE_CHECKING:
    from quern.doctor import FileReport, Finding, Lengths, Predicate, Report


_SHOWN = 10  # cases of each finding, unless all are asked for
_PREDICATES = 25  # rows of the table, unless all are asked for
_BAR = 40  # widest bar of the histogram, in characters
_EIGHTHS = " ▏▎▍▌▋▊▉"
_RULES = CodecRules()


@click.group("check")
def command() -> None:
    """Look at labelled data before training: what fits, what is lost, what is odd."""


@command.command("triples")
@click.argument("train", type=click.Path(path_type=Path))
@click.option("--dev", type=click.Path(path_type=Path), help="Labelled data to choose by.")
@click.option(
    "--window",
    type=click.IntRange(1),
    default=_RULES.window,
    show_default=True,
    help="Units of a window; longer texts are read in several.",
)
@click.option(
    "--overlap",
    type=click.IntRange(0),
    default=_RULES.overlap,
    show_default=True,
    help="Units that neighbouring windows share.",
)
@click.option(
    "--few",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    help="Call out predicates with fewer examples in TRAIN.",
)
@click.option("--all", "whole", is_flag=True, help="List every case, not the first ten of a kind.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="A report to read, or one JSON object.",
)
def triples(
    train: Path,
    dev: Path | None,
    window: int,
    overlap: int,
    few: int,
    whole: bool,
    form: Literal["text", "json"],
) -> None:
    """Say what triple data holds, what training would lose of it, and what to do about it.

    TRAIN has lines of {"text": …, "triples": [[s, p, o], …]}; docs/data.md shows all forms and
    explains every finding. Exit status: 0 where training takes the data as it is, 1 where lines
    cannot be read or labels of TRAIN would be lost, 2 called wrongly.

    \b
    Examples:
      quern check triples train.jsonl --dev dev.jsonl
      quern check triples train.jsonl --format json --all > report.json
    """
    from quern.doctor import examine

    if overlap >= window:
        raise click.BadParameter(
            f"{overlap} is not less than --window ({window})", param_hint="'--overlap'"
        )
    rules = CodecRules(window=window, overlap=overlap)
    report = examine(_rows(train), None if dev is None else _rows(dev), rules, few)
    if form == "json":
        shown = report if whole else report.first(_SHOWN)
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(shown)) + b"\n")
    else:
        _Page(report, {"train": str(train), "dev": str(dev)}, whole).show()
    if not report.accepted:
        click.get_current_context().exit(1)


def _rows(path: Path) -> Iterator[TripleExample | BadLine]:
    """The rows of a file, on a progress bar where there is a terminal to show it."""
    total = None
    if sys.stderr.isatty():
        with open_bytes(path) as stream:
            total = sum(not line.isspace() for line in stream)
    yield from counted(scan_triples(path), f"checking {path.name}", total, "lines")


class _Page:
    """A report as a page of text on standard output."""

    def __init__(self, report: Report, names: dict[str, str], whole: bool) -> None:
        self._report = report
        self._names = names
        self._whole = whole
        self._files = [(n, f) for n, f in (("train", report.train), ("dev", report.dev)) if f]

    def show(self) -> None:
        """Print it all."""
        self._overview()
        for name, file in self._files:
            self._lengths(name, file.lengths)
        self._predicates()
        self._types()
        for finding in self._report.findings:
            self._finding(finding)
        self._verdict()

    def _overview(self) -> None:
        for name, _ in self._files:
            click.echo(f"{name + ':':<6} {self._names[name]}")
        click.echo()
        cells = [_figures(file) for _, file in self._files]
        rows = [[what, *(of[what] for of in cells)] for what in cells[0]]
        _table(rows, ["", *(name for name, _ in self._files)])
        shared = self._report.shared
        if shared is not None:
            click.echo(
                f"of dev in train as well: {shared.texts:,} text(s), "
                f"{shared.triples:,} triple(s) ({_percent(shared.share)})\n"
            )

    def _lengths(self, name: str, lengths: Lengths) -> None:
        if not lengths.bins:
            return
        click.echo(f"{name}: units of a text (a window holds {self._report.window:,})\n")
        most = max(bin.texts for bin in lengths.bins)
        ranges = [
            f"{bin.least:,}–{bin.most:,}" if bin.most else f"{bin.most}" for bin in lengths.bins
        ]
        wide = max(map(len, ranges))
        for text, bin in zip(ranges, lengths.bins, strict=True):
            click.echo(f"  {text:>{wide}}  {_bar(bin.texts / most)} {bin.texts:,}".rstrip())
        click.echo()

    def _predicates(self) -> None:
        every = self._report.predicates
        shown = every if self._whole else every[:_PREDICATES]
        names = [name for name, _ in self._files]
        rows = [
            [p.name, *(f"{getattr(p, name):,}" for name in names), self._remark(p)] for p in shown
        ]
        if rows:
            _table(rows, ["predicate", *names, ""])
        if len(every) > len(shown):
            click.echo(f"… and {len(every) - len(shown):,} predicates more (--all lists them)\n")

    def _remark(self, predicate: Predicate) -> str:
        if not predicate.train:
            return "not in train"
        remarks = ["few"] if predicate.train < self._report.few else []
        if self._report.dev is not None and not predicate.dev:
            remarks.append("not in dev")
        return ", ".join(remarks)

    def _types(self) -> None:
        """The pairs of types of those predicates that have several."""
        names = [name for name, _ in self._files]
        rows = [
            [p.name, pair.subject_type or "–", pair.object_type or "–"]
            + [f"{getattr(pair, name):,}" for name in names]
            for p in self._report.predicates
            if len(p.types) > 1
            for pair in p.types
        ]
        shown = rows if self._whole else rows[:_PREDICATES]
        if rows:
            _table(shown, ["predicate", "subject type", "object type", *names])
        if len(rows) > len(shown):
            click.echo(f"… and {len(rows) - len(shown):,} pairs more (--all lists them)\n")

    def _finding(self, finding: Finding) -> None:
        name = self._names[finding.file]
        mark = "STOP" if finding.stops else "note"
        click.echo(f"{mark} {name}: {finding.what}: {finding.count:,}")
        shown = finding.places if self._whole else finding.places[:_SHOWN]
        for place in shown:
            where = f"{name}:{place.line}: " if place.line else ""
            click.echo(f"  {where}{place.detail}")
        if finding.count > len(shown):
            click.echo(f"  … and {finding.count - len(shown):,} more (--all lists them)")
        click.echo(f"  → {finding.next_step}\n")

    def _verdict(self) -> None:
        stops = [finding for finding in self._report.findings if finding.stops]
        if not stops:
            click.echo("Training would take this data as it is.")
            return
        reasons = "; ".join(f"{f.file}: {f.what}: {f.count:,}" for f in stops)
        click.echo(f"Training would refuse this data. {reasons}")


def _figures(file: FileReport) -> dict[str, str]:
    """The overview of one file, by the names of its rows."""
    lengths, best = file.lengths, file.best
    several = f"{lengths.several:,} ({_percent(lengths.several / max(1, file.texts))})"
    return {
        "lines": f"{file.lines:,}",
        "lines that cannot be read": f"{file.bad:,}",
        "texts": f"{file.texts:,}",
        "texts without triples": f"{file.bare:,}",
        "texts with incomplete labels": f"{file.incomplete:,}",
        "texts with some predicates only": f"{file.partial:,}",
        "triples": f"{file.triples:,}",
        "labels lost": f"{file.lost:,}",
        "labels placed by guess": f"{file.guessed:,}",
        "units of a text, median": f"{lengths.median:,}",
        "units of a text, most": f"{lengths.longest:,}",
        "texts in several windows": several,
        "units behind a first window": _percent(lengths.beyond),
        "best F1 within reach": _percent(best.f1),
        "best precision": _percent(best.precision),
        "best recall": _percent(best.recall),
        "best F1 with pairing=nearest": _percent(file.best_with_nearest.f1),
    }


def _percent(share: float) -> str:
    """A share that is neither none nor all is never shown as 0 or 100 %."""
    shown = f"{100 * share:.1f} %"
    if 0 < share < 1 and shown in ("0.0 %", "100.0 %"):
        return "< 0.1 %" if share < 0.5 else "> 99.9 %"
    return shown


def _bar(share: float) -> str:
    eighths = round(share * _BAR * 8)
    if share and not eighths:
        eighths = 1
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).rstrip()


def _table(rows: Sequence[Sequence[str]], heads: Sequence[str]) -> None:
    """A table in which columns of figures are flush right."""
    flush = []
    for head, cells in zip(heads, zip(*rows, strict=True), strict=True):
        wide = max(map(len, (head, *cells)))
        right = head in ("train", "dev")
        flush.append([f"{cell:>{wide}}" if right else cell for cell in (head, *cells)])
    lines = list(zip(*flush, strict=True))
    columns(lines[1:], lines[0])
