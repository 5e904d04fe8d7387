"""What all of ``quern check`` share: options, tables, histograms, findings, a verdict."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from quern.cli.console import counted
from quern.cli.table import columns
from quern.data import open_bytes
from quern.text import CodecRules

if TYPE_CHECKING:
    from quern.doctor import Finding, Lengths

SHOWN = 10  # cases of each finding, unless all are asked for
_RULES = CodecRules()
_BAR = 40  # widest bar of the histogram, in characters
_EIGHTHS = " ▏▎▍▌▋▊▉"

_T = TypeVar("_T")


def rows(scan: Callable[[Path], Iterable[_T]], path: Path) -> Iterator[_T]:
    """The rows of a file, on a progress bar where there is a terminal to show it."""
    total = None
    if sys.stderr.isatty():
        with open_bytes(path) as stream:
            total = sum(not line.isspace() for line in stream)
    yield from counted(scan(path), f"checking {path.name}", total, "lines")


def histogram(name: str, lengths: Lengths, window: int) -> None:
    """How long the texts of a file are, as bars."""
    if not lengths.bins:
        return
    click.echo(f"{name}: units of a text (a window holds {window:,})\n")
    most = max(bin.texts for bin in lengths.bins)
    ranges = [f"{bin.least:,}–{bin.most:,}" if bin.most else f"{bin.most}" for bin in lengths.bins]
    wide = max(map(len, ranges))
    for text, bin in zip(ranges, lengths.bins, strict=True):
        click.echo(f"  {text:>{wide}}  {_bar(bin.texts / most)} {bin.texts:,}".rstrip())
    click.echo()


def findings(every: Sequence[Finding], names: Mapping[str, str], most: int | None) -> None:
    """All findings, and whether training would take the data.

    Args:
        every: what was found.
        names: of the files.
        most: cases of each that are shown; None for all.
    """
    for finding in every:
        name = names[finding.file]
        mark = "STOP" if finding.stops else "note"
        click.echo(f"{mark} {name}: {finding.what}: {finding.count:,}")
        shown = finding.places[:most]
        for place in shown:
            where = f"{name}:{place.line}: " if place.line else ""
            click.echo(f"  {where}{place.detail}")
        if finding.count > len(shown):
            click.echo(f"  … and {finding.count - len(shown):,} more (--all lists them)")
        click.echo(f"  → {finding.next_step}\n")
    stops = [finding for finding in every if finding.stops]
    if not stops:
        click.echo("Training would take this data as it is.")
        return
    reasons = "; ".join(f"{f.file}: {f.what}: {f.count:,}" for f in stops)
    click.echo(f"Training would refuse this data. {reasons}")


def percent(share: float) -> str:
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


def table(lines: Sequence[Sequence[str]], heads: Sequence[str]) -> None:
    """A table in which columns of figures are flush right."""
    flush = []
    for head, cells in zip(heads, zip(*lines, strict=True), strict=True):
        wide = max(map(len, (head, *cells)))
        right = head in ("train", "dev", "catalogue")
        flush.append([f"{cell:>{wide}}" if right else cell for cell in (head, *cells)])
    laid = list(zip(*flush, strict=True))
    columns(laid[1:], laid[0])


def check_options(verb: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every ``quern check``."""
    of_check = [
        click.option("--dev", type=click.Path(path_type=Path), help="Labelled data to choose by."),
        click.option(
            "--window",
            type=click.IntRange(1),
            default=_RULES.window,
            show_default=True,
            help="Units of a window; longer texts are read in several.",
        ),
        click.option(
            "--overlap",
            type=click.IntRange(0),
            default=_RULES.overlap,
            show_default=True,
            help="Units that neighbouring windows share.",
        ),
        click.option(
            "--all", "whole", is_flag=True, help="List every case, not the first ten of a kind."
        ),
        click.option(
            "--format",
            "form",
            type=click.Choice(["text", "json"]),
            default="text",
            show_default=True,
            help="A report to read, or one JSON object.",
        ),
    ]
    for option in reversed(of_check):
        verb = option(verb)
    return verb


def window_rules(window: int, overlap: int) -> CodecRules:
    """How texts are cut, from ``--window`` and ``--overlap``."""
    if overlap >= window:
        raise click.BadParameter(
            f"{overlap} is not less than --window ({window})", param_hint="'--overlap'"
        )
    return CodecRules(window=window, overlap=overlap)
