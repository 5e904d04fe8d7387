"""Documents with their titles, one a line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from quern.data.lines import BadLine, scan, whole
from quern.records import TitleExample


class _TitleLine(msgspec.Struct):
    body: str
    title: str
    id: str | int | None = None


_TITLE_LINE = msgspec.json.Decoder(_TitleLine)


def scan_titles(path: Path) -> Iterator[TitleExample | BadLine]:
    """Read title data line by line, bad lines as values rather than errors.

    Raises:
        DataError: the file is missing or cannot be read to its end.
    """
    return scan(path, lambda line, number: _example(_TITLE_LINE.decode(line), number))


def read_titles(path: Path) -> list[TitleExample]:
    """Read title data whole.

    Raises:
        DataError: lines that cannot be read (the first few named), or no line at all.
    """
    return whole(path, scan_titles(path), "titles")


def _example(row: _TitleLine, number: int) -> TitleExample:
    for name, text in (("body", row.body), ("title", row.title)):
        if not text.strip():
            raise ValueError(f'"{name}" is empty')
    return TitleExample(row.body, row.title, None if row.id is None else str(row.id), number)
