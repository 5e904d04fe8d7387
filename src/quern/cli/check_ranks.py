"""``quern check ranks``: are my texts with items of a catalogue fit for training?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
import msgspec

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
from quern.data import read_table, scan_catalogue, scan_ranks

if TYPE_CHECKING:
    from quern.doctor import CatalogueFile, RankFile, RankReport


@click.command("ranks")
@click.argument("train", type=click.Path(path_type=Path))
@click.option(
    "--catalogue",
    type=click.Path(path_type=Path),
    required=True,
    help='All items: lines of {"id": …, "text": …, "popularity": …}, the last two perhaps.',
)
@click.option(
    "--vectors",
    type=click.Path(path_type=Path),
    help="A table of vectors (.npy), of the items or of words: look for rows that are zero, not "
    "finite, or alike.",
)
@check_options
def ranks(
    train: Path,
    catalogue: Path,
    vectors: Path | None,
    dev: Path | None,
    window: int,
    overlap: int,
    whole: bool,
    form: Literal["text", "json"],
) -> None:
    """Say what texts with items of a catalogue hold, and what is odd about them.

    TRAIN has lines of {"text": …, "item": …} or {"text": …, "items": […]}; docs/ranks.md explains
    every finding. Exit status: 0 where training takes the data, 1 where lines cannot be read,
    labels would be lost, or a table has numbers that are not finite, 2 called wrongly.

    \b
    Examples:
      quern check ranks train.jsonl --catalogue tags.jsonl --dev dev.jsonl
      quern check ranks train.jsonl --catalogue tags.jsonl --vectors table.npy
    """
    from quern.doctor import examine_ranks

    rules = window_rules(window, overlap)
    report = examine_ranks(
        rows(scan_ranks, train),
        rows(scan_catalogue, catalogue),
        None if dev is None else rows(scan_ranks, dev),
        None if vectors is None else read_table(vectors),
        rules,
    )
    names = {"train": train, "dev": dev, "catalogue": catalogue, "vectors": vectors}
    if form == "json":
        shown = report if whole else report.first(SHOWN)
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(shown)) + b"\n")
    else:
        _show(report, {k: str(v) for k, v in names.items() if v}, None if whole else SHOWN)
    if not report.accepted:
        click.get_current_context().exit(1)


def _show(report: RankReport, names: dict[str, str], most: int | None) -> None:
    wide = max(map(len, names)) + 1
    for name, path in names.items():
        click.echo(f"{name + ':':<{wide}} {path}")
    click.echo()
    files = [(n, f) for n, f in (("train", report.train), ("dev", report.dev)) if f]
    cells = [_figures(file) for _, file in files]
    table([[what, *(of[what] for of in cells)] for what in cells[0]], ["", *(n for n, _ in files)])
    table([[*row] for row in _of_catalogue(report.catalogue).items()], ["", "catalogue"])
    for name, file in files:
        histogram(name, file.lengths, report.window)
    histogram("catalogue", report.catalogue.lengths, report.window)
    findings(report.findings, names, most)


def _figures(file: RankFile) -> dict[str, str]:
    """The overview of one file, by the names of its rows."""
    lengths = file.lengths
    several = f"{lengths.several:,} ({percent(lengths.several / max(1, file.texts))})"
    return {
        "lines": f"{file.lines:,}",
        "lines that cannot be read": f"{file.bad:,}",
        "texts": f"{file.texts:,}",
        "texts with several items": f"{file.several:,}",
        "texts with negatives": f"{file.negatives:,}",
        "labels": f"{file.labels:,}",
        "labels that the catalogue lacks": f"{file.unknown:,}",
        "items that are named": f"{file.items:,}",
        "texts of an item, most": f"{file.most:,}",
        "units of a text, median": f"{lengths.median:,}",
        "units of a text, most": f"{lengths.longest:,}",
        "texts in several windows": several,
    }


def _of_catalogue(file: CatalogueFile) -> dict[str, str]:
    """The overview of the catalogue."""
    rows = {
        "items": f"{file.items:,}",
        "items without a text": f"{file.bare:,}",
        "items with a popularity": f"{file.popular:,}",
        "units of an item's text, median": f"{file.lengths.median:,}",
        "units of an item's text, most": f"{file.lengths.longest:,}",
    }
    return rows if file.vectors is None else rows | {"rows of vectors": f"{file.vectors:,}"}
