"""What verbs share: progress on standard error, tables on standard output."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import click


class Advance(Protocol):
    """Moves a progress bar."""

    def __call__(self, count: int, note: str = "") -> None:
        """``count`` more items are done."""


def note(message: str) -> None:
    """Say something about the work, on standard error."""
    click.echo(message, err=True)


def columns(rows: Sequence[Sequence[str]], heads: Sequence[str], width: int | None = None) -> None:
    """Print a table to standard output, wide characters counted as wide."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console(width=width or (None if sys.stdout.isatty() else 110), soft_wrap=False)
    console.print(table)


@contextmanager
def progress(label: str, total: int | None, unit: str) -> Iterator[Advance]:
    """A progress bar on standard error with rate and time left; silent where that is no terminal.

    Yields:
        What to call after so many more items, with a note to show beside them.
    """
    if not sys.stderr.isatty():
        yield lambda count, note="": None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task(label, total=total, rate="", note="")

        def advance(count: int, note: str = "") -> None:
            bar.advance(task, count)
            speed = bar.tasks[0].finished_speed or bar.tasks[0].speed
            rate = f"{speed:,.0f} {unit}/s" if speed else ""
            bar.update(task, rate=rate, note=note)

        yield advance


def counted(items: Iterable[Any], label: str, total: int | None, unit: str) -> Iterator[Any]:
    """Pass items through, counting them on a progress bar."""
    with progress(label, total, unit) as advance:
        for item in items:
            yield item
            advance(1)
