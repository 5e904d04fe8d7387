"""``quern check titles``: are my documents with titles fit for training?"""

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
from quern.cli.table import columns
from quern.data import scan_titles

if TYPE_CHECKING:
    from quern.doctor import TitleFile, TitleReport


@click.command("titles")
@click.argument("train", type=click.Path(path_type=Path))
@check_options
def titles(
    train: Path,
    dev: Path | None,
    window: int,
    overlap: int,
    whole: bool,
    form: Literal["text", "json"],
) -> None:
    """Say what documents with titles hold, what limits would lose of them, and what is odd.

    TRAIN has lines of {"body": …, "title": …}; docs/data.md explains every finding. Exit status:
    0 where training takes the data, 1 where lines cannot be read or there are none, 2 called
    wrongly.

    \b
    Examples:
      quern check titles train.jsonl --dev dev.jsonl
      quern check titles train.jsonl.gz --format json --all > report.json
    """
    from quern.doctor import examine_titles

    rules = window_rules(window, overlap)
    of_dev = None if dev is None else rows(scan_titles, dev)
    report = examine_titles(rows(scan_titles, train), of_dev, rules)
    if form == "json":
        shown = report if whole else report.first(SHOWN)
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(shown)) + b"\n")
    else:
        _show(report, {"train": str(train), "dev": str(dev)}, None if whole else SHOWN)
    if not report.accepted:
        click.get_current_context().exit(1)


def _show(report: TitleReport, names: dict[str, str], most: int | None) -> None:
    files = [(n, f) for n, f in (("train", report.train), ("dev", report.dev)) if f]
    for name, _ in files:
        click.echo(f"{name + ':':<6} {names[name]}")
    click.echo()
    cells = [_figures(file) for _, file in files]
    table([[what, *(of[what] for of in cells)] for what in cells[0]], ["", *(n for n, _ in files)])
    for name, file in files:
        histogram(f"{name}, bodies", file.bodies, report.window)
        histogram(f"{name}, titles", file.lengths, report.window)
    _limits(files)
    _vocabulary(files)
    findings(report.findings, names, most)


def _figures(file: TitleFile) -> dict[str, str]:
    """The overview of one file, by the names of its rows."""
    several = f"{file.bodies.several:,} ({percent(file.bodies.several / max(1, file.titles))})"
    first = f"{file.first_line:,} ({percent(file.first_line / max(1, file.titles))})"
    return {
        "lines": f"{file.lines:,}",
        "lines that cannot be read": f"{file.bad:,}",
        "documents with titles": f"{file.titles:,}",
        "titles that are the first line of the body": first,
        "words of titles": f"{file.words:,}",
        "words of titles that stand in the body": percent(file.copied),
        "units of a body, median": f"{file.bodies.median:,}",
        "units of a body, most": f"{file.bodies.longest:,}",
        "units of a title, median": f"{file.lengths.median:,}",
        "units of a title, most": f"{file.lengths.longest:,}",
        "bodies in several windows": several,
    }


def _limits(files: list[tuple[str, TitleFile]]) -> None:
    """What limits would lose, and which is proposed."""
    from quern.doctor import PROPOSED

    cells = [
        [
            f"{name}, {part}",
            percent(limit.share) + (" (proposed)" if limit.share == PROPOSED else ""),
            f"{limit.units:,}",
            f"{limit.cut:,}",
            percent(limit.lost),
        ]
        for name, file in files
        for part, limits in (("bodies", file.body_limits), ("titles", file.title_limits))
        for limit in limits
    ]
    if cells:
        columns(cells, ["", "left whole", "limit, units", "texts cut", "units lost"])


def _vocabulary(files: list[tuple[str, TitleFile]]) -> None:
    """What words a decoder would have to know, by how often train has them."""
    lines = []
    for at, known in enumerate(files[0][1].coverage):
        row = [f"{known.count:,}", f"{known.words:,}"]
        for _, file in files:
            row += [percent(file.coverage[at].covered), percent(file.coverage[at].copied)]
        lines.append(row)
    heads = ["titles' words met", "words"]
    for name, _ in files:
        heads += [f"of {name}", "or in the body"]
    columns(lines, heads)
