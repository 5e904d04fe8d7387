"""Texts with the items that they are about, and catalogues of items, one a line."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from quern.data.lines import BadLine, bad_lines, scan, whole
from quern.errors import DataError
from quern.records import Item, RankExample


class _RankLine(msgspec.Struct):
    text: str
    item: str | int | None = None
    items: list[str | int] | None = None
    negatives: list[str | int] = []
    id: str | int | None = None


class _ItemLine(msgspec.Struct):
    id: str | int
    text: str | None = None
    popularity: float | None = None


_RANK_LINE = msgspec.json.Decoder(_RankLine)
_ITEM_LINE = msgspec.json.Decoder(_ItemLine)


def scan_ranks(path: Path) -> Iterator[RankExample | BadLine]:
    """Read rank data line by line, bad lines as values rather than errors.

    Raises:
        DataError: the file is missing or cannot be read to its end.
    """
    return scan(path, lambda line, number: _example(_RANK_LINE.decode(line), number))


def read_ranks(path: Path) -> list[RankExample]:
    """Read rank data whole.

    Raises:
        DataError: lines that cannot be read (the first few named), or no line at all.
    """
    return whole(path, scan_ranks(path), "ranks")


def scan_catalogue(path: Path) -> Iterator[Item | BadLine]:
    """Read a catalogue line by line, bad lines as values rather than errors.

    Raises:
        DataError: the file is missing or cannot be read to its end.
    """
    return scan(path, lambda line, number: _item(_ITEM_LINE.decode(line), number))


def read_catalogue(path: Path) -> list[Item]:
    """Read a catalogue whole: {"id": …, "text": …, "popularity": …} a line, the last two perhaps.

    Raises:
        DataError: lines that cannot be read, an id that stands twice, or no line at all.
    """
    seen: dict[str, int] = {}
    bad: list[BadLine] = []
    items: list[Item] = []
    for row in scan_catalogue(path):
        if isinstance(row, BadLine):
            bad.append(row)
        elif row.id in seen:
            bad.append(BadLine(row.line, f"id '{row.id}' stands in line {seen[row.id]} as well"))
        else:
            seen[row.id] = row.line
            items.append(row)
    if bad:
        raise DataError(bad_lines(path, bad, 'Mend them; a line is {"id": …, "text": …}'))
    if not items:
        raise DataError(f'{path}: no lines; expected {{"id": …, "text": …}} on each')
    return items


def read_table(path: Path) -> NDArray[np.floating]:
    """A table of vectors, (rows, dim), as numpy writes it; it stays on the disk until it is read.

    Raises:
        DataError: it cannot be read, or is no table of floating numbers.
    """
    try:
        table = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: cannot be read as .npy: {error}") from error
    if not isinstance(table, np.ndarray) or table.ndim != 2 or table.dtype.kind != "f":
        raise DataError(f"{path}: expected a table of floating numbers, a row for each vector")
    return table


def _example(row: _RankLine, number: int) -> RankExample:
    if not row.text.strip():
        raise ValueError('"text" is empty')
    if (row.item is None) == (row.items is None):
        raise ValueError('a line has one of "item" and "items"')
    given = [row.item] if row.item is not None else row.items or []
    items = tuple(dict.fromkeys(str(each) for each in given))
    negatives = tuple(dict.fromkeys(str(each) for each in row.negatives))
    if not items or "" in items or "" in negatives:
        raise ValueError("an item is empty")
    if both := set(items) & set(negatives):
        raise ValueError(f"'{min(both)}' is an item and a negative at once")
    return RankExample(row.text, items, negatives, None if row.id is None else str(row.id), number)


def _item(row: _ItemLine, number: int) -> Item:
    if not str(row.id):
        raise ValueError('"id" is empty')
    if row.popularity is not None and not 0 <= row.popularity < math.inf:
        raise ValueError('"popularity" is no number from 0 on')
    return Item(str(row.id), row.text or "", row.popularity, number)
