"""JSONL in and out: lines read with their numbers, bad ones named."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal, TypeVar, cast

import msgspec

from quern.errors import DataError
from quern.records import (
    NIL,
    LabelledMention,
    LabelledSpan,
    LabelledTriple,
    LinkExample,
    Mention,
    TripleExample,
)

_T = TypeVar("_T")
_E = TypeVar("_E", TripleExample, LinkExample)

_SHOWN = 5  # bad lines spelled out before the rest are only counted


class BadLine(msgspec.Struct, frozen=True):
    """A line that could not be read, and why."""

    line: int
    why: str


_Triple = tuple[str, str, str] | LabelledTriple


class _TripleLine(msgspec.Struct):
    text: str
    triples: list[_Triple]
    complete: bool = True
    predicates: list[str] | None = None
    entities: list[LabelledSpan] = []
    id: str | int | None = None


_TRIPLE_LINE = msgspec.json.Decoder(_TripleLine)
_FACT_LINE: msgspec.json.Decoder[_Triple] = msgspec.json.Decoder(_Triple)


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


def scan_triples(path: Path) -> Iterator[TripleExample | BadLine]:
    """Read triple data line by line, bad lines as values rather than errors.

    Raises:
        DataError: the file is missing or cannot be read to its end.
    """
    return _scan(path, lambda line, number: _example(_TRIPLE_LINE.decode(line), number))


def _scan(path: Path, read: Callable[[bytes, int], _T]) -> Iterator[_T | BadLine]:
    """What ``read`` makes of every line and its number, or why it cannot."""
    with open_bytes(path) as stream:
        for number, line in to_the_end(numbered_lines(stream), str(path)):
            try:
                yield read(line, number)
            except (msgspec.DecodeError, ValueError) as error:
                yield BadLine(number, not_utf8(line) or str(error))


def _triple(given: _Triple) -> LabelledTriple:
    triple = given if isinstance(given, LabelledTriple) else LabelledTriple(*given)
    if not (triple.subject and triple.predicate and triple.object):
        raise ValueError(f"a triple has an empty part: {list(triple.key)}")
    return triple


def _example(row: _TripleLine, number: int) -> TripleExample:
    triples = tuple(map(_triple, row.triples))
    for triple in triples:
        if row.predicates is not None and triple.predicate not in row.predicates:
            raise ValueError(
                f"a triple's predicate '{triple.predicate}' is not in this line's \"predicates\""
            )
    return TripleExample(
        text=row.text,
        triples=triples,
        complete=row.complete,
        predicates=None if row.predicates is None else tuple(row.predicates),
        entities=tuple(row.entities),
        id=None if row.id is None else str(row.id),
        line=number,
    )


def read_triples(path: Path) -> list[TripleExample]:
    """Read triple data whole.

    Raises:
        DataError: lines that cannot be read (the first few named), or no line at all.
    """
    return _whole(path, scan_triples(path), "triples")


def _whole(path: Path, scanned: Iterable[_E | BadLine], task: str) -> list[_E]:
    rows: list[_E] = []
    bad: list[BadLine] = []
    for row in scanned:
        if isinstance(row, BadLine):
            bad.append(row)
        else:
            rows.append(row)
    if bad:
        see = f"Mend them, or see every one with: quern check {task} {path}"
        raise DataError(bad_lines(path, bad, see))
    if not rows:
        raise DataError(f"{path}: no lines; expected one JSON object a line (see docs/data.md)")
    return rows


# -- links ------------------------------------------------------------------------------


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
    return _scan(path, lambda line, number: _link_example(_LINK_LINE.decode(line), number))


def read_links(path: Path) -> list[LinkExample]:
    """Read link data whole.

    Raises:
        DataError: lines that cannot be read (the first few named), or no line at all.
    """
    return _whole(path, scan_links(path), "links")


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
    start = _start(row.mention, row.start, row.offset)
    if row.end not in (None, start + len(row.mention)):
        raise ValueError(
            f"mention '{row.mention}': has {len(row.mention)} characters, but goes from {start} "
            f"to {row.end}; the end is not included"
        )
    nil = row.kb_id in (None, NIL, "")
    return LabelledMention(row.mention, start, None if nil else str(row.kb_id))


def _start(mention: str, start: int | str | None, offset: int | str | None) -> int:
    """Where a mention begins, which is said once, by one of two names."""
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


# -- facts, and what all files share ------------------------------------------------------


def read_facts(path: Path) -> list[LabelledTriple]:
    """Read facts without texts: a triple a line, as an object or as a list of three strings.

    Raises:
        DataError: lines that cannot be read (the first few named), or no line at all.
    """
    facts, bad = [], []
    with open_bytes(path) as stream:
        for number, line in to_the_end(numbered_lines(stream), str(path)):
            try:
                facts.append(_triple(_FACT_LINE.decode(line)))
            except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
                bad.append(BadLine(number, not_utf8(line) or str(error)))
    wanted = 'a line is {"subject": …, "predicate": …, "object": …} or a list of the three'
    if bad:
        raise DataError(bad_lines(path, bad, f"Mend them: {wanted}"))
    if not facts:
        raise DataError(f"{path}: no lines; {wanted}")
    return facts


def bad_lines(path: Path, bad: Sequence[BadLine], next_step: str) -> str:
    """What to say of lines that cannot be read: the first few, and what to do."""
    shown = "\n".join(f"  {path}:{row.line}: {row.why}" for row in bad[:_SHOWN])
    more = f"\n  … and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
    return f"{path}: {len(bad)} line(s) cannot be read:\n{shown}{more}\n{next_step}"


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
    text: str
    id: str | int | None = None


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
        form: a text is a line ("txt"), or the ``text`` of a JSON line ("jsonl"), which has
            ``mentions``, too ("mentions").
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
    mentions = []
    for given in row.mentions if isinstance(row, _GivenLine) else ():
        start = _start(given.mention, given.start, given.offset)
        end = start + len(given.mention)
        if start < 0 or not given.mention.strip() or row.text[start:end] != given.mention:
            raise ValueError(f"'{given.mention}' does not stand in the text at character {start}")
        mentions.append(Mention(start, end, given.mention, 1.0))
    return Document(row.text, None if row.id is None else str(row.id), number, tuple(mentions))
