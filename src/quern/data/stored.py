"""Documents that are to be found by others alike, one a line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from quern.data.lines import BadLine, bad_lines, content_id, scan, whole
from quern.errors import DataError
from quern.text import wordless


class StoredDocument(msgspec.Struct, frozen=True):
    """A document that is to be found by others alike.

    Attributes:
        id: its name.
        text: what it says.
        title: what it is called, read before its text; empty where it has none.
        line: its line in its file, 0 where it came from elsewhere.
    """

    id: str
    text: str
    title: str = ""
    line: int = 0

    @property
    def read(self) -> str:
        """All of it."""
        return f"{self.title}\n{self.text}" if self.title else self.text


class Collection(NamedTuple):
    """Documents, each id once.

    Attributes:
        documents: in the order of their lines.
        repeated: lines that say what another line said, and were left out.
        wordless: documents without a letter, which nothing is like, and were left out.
    """

    documents: list[StoredDocument]
    repeated: int
    wordless: int


class _Line(msgspec.Struct):
    text: str | None = None
    body: str | None = None
    title: str = ""
    id: str | int | None = None


_LINE = msgspec.json.Decoder(_Line)


def read_collection(path: Path, *, allow_wordless: bool = False) -> Collection:
    """Read lines of ``{"text", "title"?, "id"?}``; ``"body"`` may stand for ``"text"``.

    A document without an id gets one by its words, so that one that comes again is known.

    Args:
        path: JSONL.
        allow_wordless: whether documents without a letter are left out rather than refused.

    Raises:
        DataError: lines that cannot be read, an id with two documents, documents without a
            letter, or no line at all.
    """
    found: dict[str, StoredDocument] = {}
    bad: list[BadLine] = []
    repeated = empty = 0
    for document in whole(path, _scan(path), None):
        if wordless(document.read):
            empty += 1
            if not allow_wordless:
                bad.append(BadLine(document.line, "no letter in it, so nothing is like it"))
            continue
        known = found.setdefault(document.id, document)
        if (known.title, known.text) != (document.title, document.text):
            why = f"id '{document.id}' has another document in line {known.line}"
            bad.append(BadLine(document.line, why))
        repeated += known is not document
    if bad:
        see = "Mend them" + (", or leave such out with: --allow wordless" if empty else "")
        raise DataError(bad_lines(path, bad, see))
    return Collection(list(found.values()), repeated, empty)


def _scan(path: Path) -> Iterator[StoredDocument | BadLine]:
    return scan(path, lambda line, number: _document(_LINE.decode(line), number))


def _document(row: _Line, number: int) -> StoredDocument:
    if (row.text is None) == (row.body is None):
        raise ValueError('a line has one of "text" and "body"')
    text = row.text if row.text is not None else row.body or ""
    id_ = content_id(f"{row.title}\n{text}") if row.id is None else str(row.id)
    return StoredDocument(id_, text, row.title, number)
