"""``quern check sentences``: are my groups of sentences fit for training?"""

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
from quern.data import scan_sentences

if TYPE_CHECKING:
    from quern.doctor import SentenceFile, SentenceReport


@click.command("sentences")
@click.argument("train", type=click.Path(path_type=Path))
@check_options
def sentences(
    train: Path,
    dev: Path | None,
    window: int,
    overlap: int,
    whole: bool,
    form: Literal["text", "json"],
) -> None:
    """Say what groups of sentences hold, and what is odd about them.

    TRAIN has lines of {"text": …, "group": …}. Exit status: 0 where training takes the data, 1
    where lines cannot be read or there are too few groups, 2 called wrongly.

    \b
    Examples:
      quern check sentences train.jsonl --dev dev.jsonl
      quern check sentences train.jsonl --format json --all > report.json
    """
    from quern.doctor import examine_sentences

    rules = window_rules(window, overlap)
    of_dev = None if dev is None else rows(scan_sentences, dev)
    report = examine_sentences(rows(scan_sentences, train), of_dev, rules)
    if form == "json":
        shown = report if whole else report.first(SHOWN)
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(shown)) + b"\n")
    else:
        _show(report, {"train": str(train), "dev": str(dev)}, None if whole else SHOWN)
    if not report.accepted:
        click.get_current_context().exit(1)


def _show(report: SentenceReport, names: dict[str, str], most: int | None) -> None:
    files = [(n, f) for n, f in (("train", report.train), ("dev", report.dev)) if f]
    for name, _ in files:
        click.echo(f"{name + ':':<6} {names[name]}")
    click.echo()
    cells = [_figures(file) for _, file in files]
    lines = [[what, *(of[what] for of in cells)] for what in cells[0]]
    table([line for line in lines if any(line[1:])], ["", *(n for n, _ in files)])
    for name, file in files:
        histogram(name, file.lengths, report.window)
    findings(report.findings, names, most)


def _figures(file: SentenceFile) -> dict[str, str]:
    """The overview of one file, by the names of its rows."""
    lengths = file.lengths
    several = f"{lengths.several:,} ({percent(lengths.several / max(1, file.sentences))})"
    return {
        "lines": f"{file.lines:,}",
        "lines that cannot be read": f"{file.bad:,}",
        "sentences": f"{file.sentences:,}",
        "groups": f"{file.groups:,}",
        "groups of a single sentence": f"{file.alone:,}",
        "groups that train has as well": "" if file.known is None else f"{file.known:,}",
        "groups are taken for": "classes" if file.classes else "meanings",
        "sentences of a group, in a tenth no more than": f"{file.tenth:,}",
        "sentences of a group, median": f"{file.median:,}",
        "sentences of a group, in nine tenths no more than": f"{file.ninetieth:,}",
        "sentences of a group, most": f"{file.largest:,}",
        "units of a sentence, median": f"{lengths.median:,}",
        "units of a sentence, most": f"{lengths.longest:,}",
        "sentences in several windows": several,
    }
