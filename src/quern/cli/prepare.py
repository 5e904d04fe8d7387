"""``quern prepare``: files of texts, cleaned for training and reading."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import click

from quern.cli import options
from quern.cli.console import note, progress
from quern.cli.streaming import STDIN, in_order
from quern.data import (
    SHOWN,
    BadLine,
    Lot,
    Prepared,
    Preparing,
    bad_lines,
    form_of,
    lots,
    numbered_lines,
    open_bytes,
    prepare,
    to_the_end,
    writing,
)
from quern.errors import DataError
from quern.settings import with_words
from quern.text.cleaning import STEPS, CleaningSettings

_AHEAD = 2  # lots under way for each worker


@click.command("prepare")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="File of JSON lines to write; gzipped where its name ends in .gz.",
)
@click.option(
    "--field",
    "fields",
    multiple=True,
    metavar="KEY",
    help="A key whose text is cleaned, repeatable. [default: text, body and title, where there]",
)
@click.option(
    "--set",
    "words",
    multiple=True,
    metavar="STEP=VALUE",
    help="What a step does, such as code=drop, numbers=mark, html=false (docs/preparing.md).",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Processes that clean at the same time.",
)
@click.option("--skip-bad", is_flag=True, help="Leave out lines that cannot be read.")
@click.option("--drop-empty", is_flag=True, help="Leave out lines of which a text is empty.")
@options.text_input
def command(
    files: tuple[Path, ...],
    out: Path,
    fields: tuple[str, ...],
    words: tuple[str, ...],
    workers: int,
    skip_bad: bool,
    drop_empty: bool,
    kind: Literal["txt", "jsonl"] | None,
) -> None:
    """Clean the texts of FILES, or of standard input: HTML, Markdown, code, addresses, white space.

    A .jsonl file has an object on each line, of which texts are cleaned and all else is kept; a
    .txt file has a text on each line, which becomes a "text". Lines stay in their order; memory
    does not grow with them. Each step can be switched: docs/preparing.md lists them.

    \b
    Examples:
      quern prepare issues.jsonl.gz --out clean.jsonl.gz --workers 2
      quern prepare posts.jsonl --field question --set code=mark --out clean.jsonl
    """
    settings = with_words(CleaningSettings(), words)
    preparing = Preparing(settings, fields, drop_empty, packed=out.suffix == ".gz")
    tally = _Tally()
    with ExitStack() as stack:
        write = stack.enter_context(writing(out)).write
        advance = stack.enter_context(progress("preparing", None, "lines"))
        pool = stack.enter_context(_pool(workers))
        work = partial(prepare, preparing)
        try:
            for done in in_order(pool, work, _read(files, kind), _AHEAD * workers):
                write(done.written)
                tally.add(done)
                advance(done.counts["lines"])
        except BrokenProcessPool as error:
            raise DataError("a worker was ended from outside; try fewer --workers") from error
        tally.refuse_bad(skip_bad)
    tally.tell()


def _pool(workers: int) -> Executor:
    """One worker needs no process of its own. New ones are started afresh, on every system."""
    if workers == 1:
        return ThreadPoolExecutor(1)
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"))


def _read(files: tuple[Path, ...], kind: Literal["txt", "jsonl"] | None) -> Iterator[Lot]:
    for file in files or (STDIN,):
        if file == STDIN:
            lines = to_the_end(numbered_lines(sys.stdin.buffer), "standard input")
            yield from lots("standard input", kind or "txt", lines)
            continue
        with open_bytes(file) as stream:
            lines = to_the_end(numbered_lines(stream), str(file))
            yield from lots(str(file), kind or form_of(file), lines)


class _Tally:
    """What was done to all lots."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._changed: Counter[str] = Counter()
        self._emptied: Counter[str] = Counter()
        self._empty: Counter[str] = Counter()
        self._bad: Counter[str] = Counter()  # by file
        self._named: dict[str, list[BadLine]] = defaultdict(list)  # the first of them

    def add(self, done: Prepared) -> None:
        """Count a lot."""
        self._counts += done.counts
        self._changed += done.changed
        self._emptied += done.emptied
        self._empty += done.empty
        self._bad[done.file] += len(done.bad)
        named = self._named[done.file]
        named += done.bad[: SHOWN - len(named)]

    def refuse_bad(self, skip: bool) -> None:
        """Name the lines that could not be read.

        Raises:
            DataError: there are some, and they are not to be left out.
        """
        step = "They are left out." if skip else "Mend them, or leave them out: --skip-bad"
        said = [
            bad_lines(Path(file), self._named[file], step, count)
            for file, count in self._bad.items()
            if count
        ]
        if said and not skip:
            raise DataError("\n".join(said))
        for message in said:
            note(message)

    def tell(self) -> None:
        """Say what was done."""
        counts, bad = self._counts, self._bad.total()
        written = counts["lines"] - bad - counts["dropped"]
        without = f", {bad:,} that cannot be read left out" if bad else ""
        note(f"{counts['lines']:,} lines read{without}; {written:,} written")
        share = counts["left"] / max(1, counts["characters"])
        note(f"{counts['texts']:,} texts; {100 * share:.1f} % of their characters are left")
        for step in STEPS:
            if self._changed[step]:
                note(f"  {step:<9} changed {self._changed[step]:,} texts")
        for field, count in self._emptied.items():
            note(f"  nothing is left of {count:,} {field!r}")
        for field, count in self._empty.items():
            note(f"  {count:,} {field!r} were empty before")
        if counts["dropped"]:
            note(f"  {counts['dropped']:,} lines left out for it (--drop-empty)")
        if counts["unsettled"]:
            note(f"  {counts['unsettled']:,} texts nest marks too deeply to be cleaned whole")
