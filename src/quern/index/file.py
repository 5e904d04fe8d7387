"""The file of an index: a line that says what it holds, and arrays. No code, no pickle.

The arrays are mapped into memory, so that several processes that open one file share it. They are
checked as vectors from elsewhere are; a file made by others can be wrong, but do no harm.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from quern.data import writing
from quern.errors import StoreError, VectorError
from quern.index.vectors import Ids, Vectors, checked, checked_ids

FORMAT = 1
_MAGIC = b"quern vectors "
_HEADER = 256  # bytes; what follows is aligned
_ALIGN = 64


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line.

    Attributes:
        format: version of the layout.
        kind: of the index.
        dim: of a vector.
        count: of vectors.
        cells: into which an approximate index sorts them, 0 for none.
    """

    format: int
    kind: Literal["exact", "approximate"]
    dim: int
    count: int
    cells: int = 0


class Content(msgspec.Struct, frozen=True):
    """What a file holds.

    Attributes:
        kind: of the index.
        ids: (count,).
        vectors: (count, dim).
        centroids: (cells, dim).
        cells: (count,), the cell of each vector; (0,) where there are no cells.
    """

    kind: Literal["exact", "approximate"]
    ids: Ids
    vectors: Vectors
    centroids: Vectors
    cells: Ids


def write(path: Path, content: Content) -> None:
    """Write an index whole or not at all.

    Raises:
        DataError: the folder is not there, or the disk refuses.
    """
    count, dim = content.vectors.shape
    header = Header(
        format=FORMAT, kind=content.kind, dim=dim, count=count, cells=len(content.centroids)
    )
    first = _MAGIC + msgspec.json.encode(header)
    with writing(path) as stream:
        stream.write(first.ljust(_HEADER - 1) + b"\n")
        for array, (kind, shape) in zip(_arrays(content), _layout(header), strict=True):
            data = np.ascontiguousarray(array.reshape(shape), dtype=kind)
            stream.write(data.data)
            stream.write(bytes(-data.nbytes % _ALIGN))


def read(path: Path) -> Content:
    """Open a file that ``write`` has written.

    The arrays are those of the file until they are written to; the file never changes by it.

    Raises:
        StoreError: it is not there, not such a file, of another version, or damaged.
    """
    try:
        if not path.is_file():
            raise StoreError(f"{path}: no such file; make an index and save it there first")
        with path.open("rb") as stream:
            header = _header(path, stream.read(_HEADER))
        size = path.stat().st_size
        if size != _size(header):
            raise StoreError(f"{path}: damaged: {size} bytes, it should have {_size(header)}")
        whole = np.asarray(np.memmap(path, np.uint8, mode="c"))
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror}") from error
    at, parts = _HEADER, []
    for kind, shape in _layout(header):
        bytes_ = kind.itemsize * math.prod(shape)
        parts.append(whole[at : at + bytes_].view(kind).reshape(shape))
        at += bytes_ + -bytes_ % _ALIGN
    ids, vectors, centroids, cells = parts
    try:
        content = Content(
            header.kind,
            checked_ids(ids),
            checked(vectors, header.dim),
            checked(centroids, header.dim),
            cells.astype(np.int64),
        )
    except VectorError as error:
        raise StoreError(f"{path}: damaged: {error}") from error
    if ((cells < 0) | (cells >= header.cells)).any():
        raise StoreError(f"{path}: damaged: a vector is in none of the {header.cells} cells")
    return content


def _header(path: Path, first: bytes) -> Header:
    line = first.removeprefix(_MAGIC)
    if len(first) != _HEADER or line == first:
        raise StoreError(f"{path}: not an index of vectors")
    try:
        raw = msgspec.json.decode(line)
        known = raw.get("format") if isinstance(raw, dict) else None
        if known != FORMAT:
            raise StoreError(
                f"{path}: format {known!r}, this quern reads {FORMAT}; "
                "use the version of quern that wrote it, or build the index again"
            )
        header = msgspec.convert(raw, Header)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreError(f"{path}: damaged: {error}") from error
    if header.dim < 1 or header.count < 0 or header.cells < 0:
        raise StoreError(f"{path}: damaged: its first line counts below zero")
    return header


def _arrays(content: Content) -> list[Ids | Vectors]:
    return [content.ids, content.vectors, content.centroids, content.cells]


def _layout(header: Header) -> list[tuple[np.dtype[Any], tuple[int, ...]]]:
    """Types and shapes of the arrays, in the order in which they are written."""
    number, real, cell = np.dtype("<i8"), np.dtype("<f4"), np.dtype("<i4")
    return [
        (number, (header.count,)),
        (real, (header.count, header.dim)),
        (real, (header.cells, header.dim)),
        (cell, (header.count if header.cells else 0,)),
    ]


def _size(header: Header) -> int:
    arrays = (kind.itemsize * math.prod(shape) for kind, shape in _layout(header))
    return _HEADER + sum(bytes_ + -bytes_ % _ALIGN for bytes_ in arrays)
