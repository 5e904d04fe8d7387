"""Texts to be read, with or without mentions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from quern.data.lines import not_utf8, numbered_lines, open_bytes, to_the_end
from quern.data.links import start_of
from quern.errors import DataError
from quern.records import Mention


class Document(msgspec.Struct, frozen=True):
    """A text to be read, and where it came from."""

    text: str
    id: str | None = None
    line: int = 0
    mentions: tuple[Mention, ...] = ()  # where they are given


TextForm = Literal["txt", "jsonl", "mentions"]


def form_of(path: Path) -> TextForm:
    """How a file of texts is written, by its name: JSONL, perhaps gzipped, or a text a line."""
    return "jsonl" if ".jsonl" in path.suffixes[-2:] else "txt"


def texts_of(files: Iterable[Path]) -> Iterator[str]:
    """The texts of files, one by one, in constant memory.

    Raises:
        DataError: see ``documents``.
    """
    for file in files:
        with open_bytes(file) as stream:
            for document in documents(stream, form_of(file), str(file)):
                yield document.text


class _TextLine(msgspec.Struct):
    text: str | None = None
    body: str | None = None  # what documents that have titles call it
    id: str | int | None = None

    def of(self) -> str:
        found = self.body if self.text is None else self.text
        if found is None:
            raise ValueError("Object missing required field `text`")
        return found


class _GivenMention(msgspec.Struct):
    mention: str
    start: int | str | None = None
    offset: int | str | None = None


class _GivenLine(_TextLine, kw_only=True):
    mentions: list[_GivenMention]


_TEXT_LINE = msgspec.json.Decoder(_TextLine)
_GIVEN_LINE = msgspec.json.Decoder(_GivenLine)


def documents(stream: Iterable[bytes], form: TextForm, name: str) -> Iterator[Document]:
    """Read texts one by one, in constant memory.

    Args:
        stream: lines.
        form: a text is a line ("txt"), or the ``text`` of a JSON line ("jsonl"; the ``body``
            where it has no text), which has ``mentions``, too ("mentions").
        name: of the stream, for errors.

    Raises:
        DataError: a line is not UTF-8, or not a JSON object with a ``text``, or a mention does
            not stand where it says, or the stream breaks off.
    """
    for number, line in to_the_end(numbered_lines(stream), name):
        try:
            yield _document(line, form, number)
        except (msgspec.DecodeError, ValueError) as error:
            wanted = '"text" and its "mentions"' if form == "mentions" else '"text"'
            why = not_utf8(line) or f"{error}; expected one JSON object a line with a {wanted}"
            raise DataError(f"{name}:{number}: {why}") from error


def _document(line: bytes, form: TextForm, number: int) -> Document:
    if form == "txt":
        return Document(line.decode(), None, number)
    row = (_GIVEN_LINE if form == "mentions" else _TEXT_LINE).decode(line)
    text = row.of()
    mentions = []
    for given in row.mentions if isinstance(row, _GivenLine) else ():
        start = start_of(given.mention, given.start, given.offset)
        end = start + len(given.mention)
        if start < 0 or not given.mention.strip() or text[start:end] != given.mention:
            raise ValueError(f"'{given.mention}' does not stand in the text at character {start}")
        mentions.append(Mention(start, end, given.mention, 1.0))
    return Document(text, None if row.id is None else str(row.id), number, tuple(mentions))
