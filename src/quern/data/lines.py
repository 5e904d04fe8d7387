"""Files of lines: read with their numbers, bad ones named; written whole or not at all."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeVar, cast

import msgspec

from quern.errors import DataError

_T = TypeVar("_T")

SHOWN = 5  # bad lines spelled out before the rest are only counted


class BadLine(msgspec.Struct, frozen=True):
    """A line that could not be read, and why."""

    line: int
    why: str


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file for reading, through gzip where its name ends in ``.gz``.

    Raises:
        DataError: the file is missing or cannot be opened.
    """
    try:
        if path.suffix == ".gz":
            return cast("IO[bytes]", gzip.open(path, "rb"))
        return path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def numbered_lines(stream: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """The lines of a stream that are not blank, numbered from 1, a byte order mark left out.

    Nothing else is taken from a line but its end, so that offsets count from its beginning.
    """
    for number, line in enumerate(stream, 1):
        bare = line.rstrip(b"\r\n")
        if number == 1:
            bare = bare.removeprefix(b"\xef\xbb\xbf")
        if bare.strip():
            yield number, bare


def to_the_end(lines: Iterator[tuple[int, bytes]], name: str) -> Iterator[tuple[int, bytes]]:
    """Turn what breaks off a stream midway into an error that names it."""
    try:
        yield from lines
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{name}: cannot be read to its end: {error}") from error


def not_utf8(line: bytes) -> str | None:
    """What to say of a line in another encoding, which JSON decoders refuse in many words."""
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return (
            f"not UTF-8 ({error.reason} at byte {error.start}); "
            "convert it first, for example with: iconv -f GB18030 -t UTF-8"
        )
    return None


def scan(path: Path, read: Callable[[bytes, int], _T]) -> Iterator[_T | BadLine]:
    """What ``read`` makes of every line and its number, or why it cannot."""
    with open_bytes(path) as stream:
        for number, line in to_the_end(numbered_lines(stream), str(path)):
            try:
                yield read(line, number)
            except (msgspec.DecodeError, ValueError) as error:
                yield BadLine(number, not_utf8(line) or str(error))


def whole(path: Path, scanned: Iterable[_T | BadLine], task: str | None) -> list[_T]:
    """All rows of a file, or an error that names the first lines that cannot be read.

    Args:
        path: the file.
        scanned: what its lines hold.
        task: what ``quern check`` calls it, None for what it does not look at.

    Raises:
        DataError: lines that cannot be read, or no line at all.
    """
    rows: list[_T] = []
    bad: list[BadLine] = []
    for row in scanned:
        if isinstance(row, BadLine):
            bad.append(row)
        else:
            rows.append(row)
    if bad:
        see = "Mend them" + (f", or see every one with: quern check {task} {path}" if task else "")
        raise DataError(bad_lines(path, bad, see))
    if not rows:
        raise DataError(f"{path}: no lines; expected one JSON object a line (see docs/data.md)")
    return rows


def decoded(stream: Iterable[bytes], name: str) -> Iterator[str]:
    """Lines as text, with their ends, which may stand inside the quotes of a table.

    Raises:
        DataError: one is not UTF-8, or the stream breaks off.
    """
    for number, line in to_the_end(iter(enumerate(stream, 1)), name):
        fault = not_utf8(line)
        if fault:
            raise DataError(f"{name}:{number}: {fault}")
        yield (line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line).decode()


def bad_lines(path: Path, bad: Sequence[BadLine], next_step: str, count: int | None = None) -> str:
    """What to say of lines that cannot be read: the first few, and what to do.

    Args:
        path: the file.
        bad: the lines, or the first ``SHOWN`` of them.
        next_step: what to do.
        count: how many there are, where not all are given.
    """
    count = len(bad) if count is None else count
    shown = "\n".join(f"  {path}:{row.line}: {row.why}" for row in bad[:SHOWN])
    more = f"\n  … and {count - SHOWN} more" if count > SHOWN else ""
    return f"{path}: {count} line(s) cannot be read:\n{shown}{more}\n{next_step}"


@contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    """Write a file whole or not at all.

    Raises:
        DataError: the folder is not there, or the disk refuses.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as stream:
            yield stream
        part.replace(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def data_hash(*paths: Path) -> str:
    """SHA-256 over the bytes of files in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def content_id(words: str) -> str:
    """The id of what is given none: by its words, the same when they come again."""
    return hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()[:12]
