"""Tables on standard output, wide characters counted as wide."""

from __future__ import annotations

import re
import shutil
import sys
import unicodedata
from collections.abc import Iterator, Sequence

import click

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_GAP = "   "
_ELSEWHERE = 110  # columns where standard output is no terminal


def columns(rows: Sequence[Sequence[str]], heads: Sequence[str]) -> None:
    """Print a table; where it is wider than the terminal, the widest cells go over several lines.

    Args:
        rows: cells of every row.
        heads: above the columns; a row of nothing but empty ones is left out.
    """
    # A line end or an escape code in a cell would take the table, or the terminal, apart.
    shown = [[_CONTROL.sub(" ", cell) for cell in cells] for cells in rows]
    lines = [*([heads] if any(heads) else []), *shown]
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else _ELSEWHERE
    natural = [max(map(width, column)) for column in zip(*lines, strict=True)]
    widths = fitted(natural, room - 1 - len(_GAP) * (len(heads) - 1))
    click.echo()
    for number, cells in enumerate(lines):
        head = number == 0 and any(heads)
        for line in _laid_out(cells, widths):
            click.echo(f" {click.style(line, bold=True) if head else line}")
        if head:
            click.echo(f" {'─' * (sum(widths) + len(_GAP) * (len(widths) - 1))}")
    click.echo()


def numbers(rows: Sequence[Sequence[str]], heads: Sequence[str]) -> None:
    """A table whose first column is text and whose others are numbers, set to the right."""
    first, *others = zip(heads, *rows, strict=True)
    set_right = [[cell.rjust(max(map(len, column))) for cell in column] for column in others]
    lines = list(zip(first, *set_right, strict=True))
    columns(lines[1:], lines[0])


def width(text: str) -> int:
    """Columns that a text takes on a terminal."""
    return sum(_columns_of(character) for character in text)


def _columns_of(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fitted(natural: Sequence[int], room: int) -> list[int]:
    """Widths that fit into ``room`` together: the widest columns give way, none below 8."""
    least = min(max(natural, default=0), 8)
    limit = next(
        (most for most in range(max(natural, default=0), least, -1) if _sum(natural, most) <= room),
        least,
    )
    return [min(own, limit) for own in natural]


def _sum(natural: Sequence[int], most: int) -> int:
    return sum(min(own, most) for own in natural)


def _laid_out(cells: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    folded = [list(fold(cell, most)) for cell, most in zip(cells, widths, strict=True)]
    for number in range(max(map(len, folded))):
        parts = (lines[number] if number < len(lines) else "" for lines in folded)
        padded = (
            part + " " * (wide - width(part)) for part, wide in zip(parts, widths, strict=True)
        )
        yield _GAP.join(padded).rstrip()


def fold(text: str, most: int) -> Iterator[str]:
    """Lines of at most ``most`` columns, broken at spaces where there are any; one at least."""
    line, taken, space = "", 0, -1
    for character in text:
        if taken + _columns_of(character) > most and line:
            cut = space if space > 0 and character != " " else len(line)
            yield line[:cut].rstrip(" ")
            line = line[cut:].lstrip(" ")
            taken, space = width(line), -1
            if not line and character == " ":
                continue
        line += character
        taken += _columns_of(character)
        if character == " ":
            space = len(line) - 1
    yield line
