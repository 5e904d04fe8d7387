"""``quern check``: is my data fit for training?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
import msgspec

from quern.cli.check_links import links
from quern.cli.check_ranks import ranks
from quern.cli.check_sentences import sentences
from quern.cli.check_titles import titles
from quern.cli.checked import (
    SHOWN,
    check_options,
    findings,
    histogram,
    percent,
    rows,
    table,
    window_rules,
)
from quern.data import scan_triples

if TYPE_CHECKING:
    from quern.doctor import FileReport, Predicate, Report

_PREDICATES = 25  # rows of the table, unless all are asked for


@click.group("check")
def command() -> None:
    """Look at labelled data before training: what fits, what is lost, what is odd."""


command.add_command(links)
command.add_command(ranks)
command.add_command(sentences)
command.add_command(titles)


@command.command("triples")
@click.argument("train", type=click.Path(path_type=Path))
@click.option(
    "--few",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    help="Call out predicates with fewer examples in TRAIN.",
)
@check_options
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

    rules = window_rules(window, overlap)
    report = examine(
        rows(scan_triples, train), None if dev is None else rows(scan_triples, dev), rules, few
    )
    if form == "json":
        shown = report if whole else report.first(SHOWN)
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(shown)) + b"\n")
    else:
        _Page(report, {"train": str(train), "dev": str(dev)}, whole).show()
    if not report.accepted:
        click.get_current_context().exit(1)


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
            histogram(name, file.lengths, self._report.window)
        self._predicates()
        self._types()
        findings(self._report.findings, self._names, None if self._whole else SHOWN)

    def _overview(self) -> None:
        for name, _ in self._files:
            click.echo(f"{name + ':':<6} {self._names[name]}")
        click.echo()
        cells = [_figures(file) for _, file in self._files]
        rows = [[what, *(of[what] for of in cells)] for what in cells[0]]
        table(rows, ["", *(name for name, _ in self._files)])
        shared = self._report.shared
        if shared is not None:
            click.echo(
                f"of dev in train as well: {shared.texts:,} text(s), "
                f"{shared.triples:,} triple(s) ({percent(shared.share)})\n"
            )

    def _predicates(self) -> None:
        every = self._report.predicates
        shown = every if self._whole else every[:_PREDICATES]
        names = [name for name, _ in self._files]
        rows = [
            [p.name, *(f"{getattr(p, name):,}" for name in names), self._remark(p)] for p in shown
        ]
        if rows:
            table(rows, ["predicate", *names, ""])
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
            table(shown, ["predicate", "subject type", "object type", *names])
        if len(rows) > len(shown):
            click.echo(f"… and {len(rows) - len(shown):,} pairs more (--all lists them)\n")


def _figures(file: FileReport) -> dict[str, str]:
    """The overview of one file, by the names of its rows."""
    lengths, best = file.lengths, file.best
    several = f"{lengths.several:,} ({percent(lengths.several / max(1, file.texts))})"
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
        "units behind a first window": percent(lengths.beyond),
        "best F1 within reach": percent(best.f1),
        "best precision": percent(best.precision),
        "best recall": percent(best.recall),
        "best F1 with pairing=nearest": percent(file.best_with_nearest.f1),
    }
