"""Texts in, answers out, in the order of the input and in constant memory."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from quern.data import Document, TextForm, documents, form_of, open_bytes
from quern.errors import DataError

STDIN = Path("-")
_CHUNK = 256  # texts read before their results are written

_L = TypeVar("_L")
_T = TypeVar("_T")


class Source(NamedTuple):
    """A text to read and the file it stands in."""

    file: str
    document: Document


def sources(files: tuple[Path, ...], kind: TextForm | None) -> Iterator[Source]:
    """The texts of files, or of standard input.

    Args:
        files: none for standard input, which is also ``-``.
        kind: how they are written; by each file's name, where not given.

    Raises:
        DataError: a file or a line cannot be read.
    """
    for file in files or (STDIN,):
        if file == STDIN:
            for document in documents(sys.stdin.buffer, kind or "txt", "standard input"):
                yield Source("-", document)
            continue
        with open_bytes(file) as stream:
            for document in documents(stream, kind or form_of(file), str(file)):
                yield Source(str(file), document)


def chunks(texts: Iterator[Source]) -> Iterator[list[Source]]:
    """Texts that are read together."""
    chunk: list[Source] = []
    try:
        for source in texts:
            chunk.append(source)
            if len(chunk) == _CHUNK:
                yield chunk
                chunk = []
    except DataError:
        yield chunk  # what stands before the bad line is answered before it is reported
        raise
    yield chunk


def lots(
    texts: tuple[str, ...], files: tuple[Path, ...], kind: TextForm | None
) -> Iterator[list[Source]]:
    """Texts of the command line, whose file is empty, then those of files, if any are given."""
    if texts:
        yield [Source("", Document(text)) for text in texts]
    if files:
        yield from chunks(sources(files, kind))


def origin(source: Source) -> dict[str, Any]:
    """Where a text comes from, as the beginning of what is said of it."""
    file, document = source
    head: dict[str, Any] = {"file": file, "line": document.line} if file else {}
    return head if document.id is None else {**head, "id": document.id}


def in_order(
    pool: Executor,
    work: Callable[[_L], _T],
    lots: Iterable[_L],
    ahead: int,
) -> Iterator[_T]:
    """Results of ``work`` in the order of ``lots``, at most ``ahead`` under way."""
    waiting: deque[Future[_T]] = deque()
    try:
        for lot in lots:
            waiting.append(pool.submit(work, lot))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
    except DataError:
        yield from (future.result() for future in waiting)
        raise
    yield from (future.result() for future in waiting)
