"""``quern check links``: are my labelled mentions fit for training?"""

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
from quern.cli.console import progress
from quern.data import scan_links
from quern.records import LinkExample

if TYPE_CHECKING:
    from quern.doctor import LinkFile, LinkReport, Reach
    from quern.doctor.proposed import Rows


@click.command("links")
@click.argument("train", type=click.Path(path_type=Path))
@check_options
@click.option(
    "--kb",
    type=click.Path(path_type=Path),
    help="Knowledge base (quern kb): look how many labelled entities are candidates.",
)
def links(
    train: Path,
    dev: Path | None,
    kb: Path | None,
    window: int,
    overlap: int,
    whole: bool,
    form: Literal["text", "json"],
) -> None:
    """Say what link data holds, what training would lose of it, and what to do about it.

    TRAIN has lines of {"text": …, "mentions": [{"mention": …, "start": …, "kb_id": …}, …]};
    docs/links.md shows all forms. Exit status: 0 where training takes the data as it is, 1 where
    lines cannot be read or labels of TRAIN would be lost, 2 called wrongly.

    With --kb it says, too, how many of the mentions have their entity among the candidates that
    the base gives for them. That is the most that any choice can score.

    \b
    Examples:
      quern check links train.jsonl --dev dev.jsonl
      quern check links train.jsonl --dev dev.jsonl --kb films.kb
      quern check links train.jsonl --format json --all > report.json
    """
    from quern.doctor import examine_links

    rules = window_rules(window, overlap)
    of_train = list(rows(scan_links, train))
    of_dev = None if dev is None else list(rows(scan_links, dev))
    report = examine_links(of_train, of_dev, rules)
    if kb is not None:
        report = _held_against(kb, report, of_train, of_dev)
    if form == "json":
        shown = report if whole else report.first(SHOWN)
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(shown)) + b"\n")
    else:
        _show(report, {"train": str(train), "dev": str(dev)}, None if whole else SHOWN)
    if not report.accepted:
        click.get_current_context().exit(1)


def _held_against(kb: Path, report: LinkReport, train: Rows, dev: Rows | None) -> LinkReport:
    from quern.doctor import examine_candidates
    from quern.kb import KnowledgeBase

    texts = sum(isinstance(row, LinkExample) for row in (*train, *(dev or ())))
    with KnowledgeBase.open(kb) as base, progress("looking up", texts, "texts") as advance:
        return examine_candidates(report, train, dev, base, advance)


def _show(report: LinkReport, names: dict[str, str], most: int | None) -> None:
    files = [(n, f) for n, f in (("train", report.train), ("dev", report.dev)) if f]
    for name, _ in files:
        click.echo(f"{name + ':':<6} {names[name]}")
    click.echo()
    cells = [_figures(file) for _, file in files]
    table([[what, *(of[what] for of in cells)] for what in cells[0]], ["", *(n for n, _ in files)])
    for name, file in files:
        histogram(name, file.lengths, report.window)
    findings(report.findings, names, most)


def _figures(file: LinkFile) -> dict[str, str]:
    """The overview of one file, by the names of its rows."""
    lengths = file.lengths
    return {
        "lines": f"{file.lines:,}",
        "lines that cannot be read": f"{file.bad:,}",
        "texts": f"{file.texts:,}",
        "texts without mentions": f"{file.bare:,}",
        "mentions": f"{file.mentions:,}",
        "mentions of no entity (NIL)": _part(file.nil, file.mentions),
        "different names": f"{file.names:,}",
        "different entities": f"{file.entities:,}",
        "names that another text of train labels": percent(file.known),
        "labels lost": f"{file.lost:,}",
        "units of a text, median": f"{lengths.median:,}",
        "units of a text, most": f"{lengths.longest:,}",
        "texts in several windows": _part(lengths.several, file.texts),
        "units behind a first window": percent(lengths.beyond),
        **({} if file.reach is None else _reach(file.reach)),
    }


def _reach(reach: Reach) -> dict[str, str]:
    """How far candidates reach, by the names of the rows."""
    share = {at.k: "-" if at.recall is None else percent(at.recall) for at in reach.candidates}
    return {
        "mentions whose entity the base has": f"{reach.linked:,}",
        "mentions whose entity it lacks": f"{reach.lacking:,}",
        **{f"recall of the candidates at {k}": shown for k, shown in share.items()},
    }


def _part(count: int, of: int) -> str:
    return f"{count:,} ({percent(count / max(1, of))})"
