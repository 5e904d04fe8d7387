"""What verbs say of their work: notes and progress, on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
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


@contextmanager
def progress(label: str, total: int | None, unit: str) -> Iterator[Advance]:
    """A progress bar on standard error with rate and time left; silent where that is no terminal.

    Yields:
        What to call after so many more items, with a note to show beside them.
    """
    if not sys.stderr.isatty():
        yield lambda count, note="": None
        return
    from tqdm import tqdm

    # With a total tqdm knows the time left; without, only how much is done.
    done = "{n_fmt}" if total is None else "{bar}| {n_fmt}/{total_fmt}"
    left = "" if total is None else ", {remaining} left"
    form = f"{{desc}} {done}{{unit}}, {{rate_noinv_fmt}}{left}{{postfix}}"
    with tqdm(
        desc=label,
        total=total,
        unit=f" {unit}",
        unit_scale=True,
        bar_format=form,
        leave=False,
        file=sys.stderr,
        dynamic_ncols=True,
    ) as bar:

        def advance(count: int, note: str = "") -> None:
            if note:
                bar.set_postfix_str(note, refresh=False)
            bar.update(count)

        yield advance


def counted(items: Iterable[Any], label: str, total: int | None, unit: str) -> Iterator[Any]:
    """Pass items through, counting them on a progress bar."""
    with progress(label, total, unit) as advance:
        for item in items:
            yield item
            advance(1)
