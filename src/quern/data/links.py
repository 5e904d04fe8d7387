"""Labelled mentions, a text a line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from quern.data.lines import BadLine, scan, whole
from quern.records import NIL, LabelledMention, LinkExample


class _MentionRow(msgspec.Struct, forbid_unknown_fields=True):
    mention: str
    kb_id: str | int | None
    start: int | str | None = None
    offset: int | str | None = None
    end: int | None = None
    type: str | None = None


class _LinkLine(msgspec.Struct):
    text: str
    mentions: list[_MentionRow] | None = None
    mention_data: list[_MentionRow] | None = None
    id: str | int | None = None
    text_id: str | int | None = None


_LINK_LINE = msgspec.json.Decoder(_LinkLine)


def scan_links(path: Path) -> Iterator[LinkExample | BadLine]:
    """Read link data line by line, bad lines as values rather than errors.

    Raises:
        DataError: the file is missing or cannot be read to its end.
    """
    return scan(path, lambda line, number: _link_example(_LINK_LINE.decode(line), number))


def read_links(path: Path) -> list[LinkExample]:
    """Read link data whole.

    Raises:
        DataError: lines that cannot be read (the first few named), or no line at all.
    """
    return whole(path, scan_links(path), "links")


def _link_example(row: _LinkLine, number: int) -> LinkExample:
    given = [rows for rows in (row.mentions, row.mention_data) if rows is not None]
    if len(given) != 1:
        found = "both" if given else "neither"
        raise ValueError(
            f'a line has one of "mentions" and "mention_data", this one has {found}; '
            'for a text in which nothing is named, write "mentions": []'
        )
    id_ = row.text_id if row.id is None else row.id
    return LinkExample(
        text=row.text,
        mentions=tuple(map(_mention, given[0])),
        id=None if id_ is None else str(id_),
        line=number,
    )


def _mention(row: _MentionRow) -> LabelledMention:
    if not row.mention:
        raise ValueError("a mention is empty")
    start = start_of(row.mention, row.start, row.offset)
    if row.end not in (None, start + len(row.mention)):
        raise ValueError(
            f"mention '{row.mention}': has {len(row.mention)} characters, but goes from {start} "
            f"to {row.end}; the end is not included"
        )
    nil = row.kb_id in (None, NIL, "")
    return LabelledMention(row.mention, start, None if nil else str(row.kb_id))


def start_of(mention: str, start: int | str | None, offset: int | str | None) -> int:
    """Where a mention begins, which is said once, by one of two names.

    Raises:
        ValueError: it is said twice, or not at all, or is no number.
    """
    told = [value for value in (start, offset) if value is not None]
    if len(told) != 1:
        raise ValueError(
            f'mention \'{mention}\': say once where it begins, as "start" or as "offset", '
            "in characters (code points) from 0"
        )
    try:
        return int(told[0])
    except ValueError:
        raise ValueError(f"mention '{mention}': begins at '{told[0]}', not a number") from None
