"""``quern vectors-of``: texts in, their vectors out."""

from __future__ import annotations

import io
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Literal, Protocol

import click
import msgspec
import numpy as np
from numpy.typing import NDArray

from quern.cli import options
from quern.cli.console import note, progress
from quern.cli.parquet import ParquetRows
from quern.cli.streaming import Source, chunks, in_order, sources
from quern.data import writing
from quern.embedding import Encodes

_DIGITS = 7  # after the point; single precision has no more
_Found = tuple[list[Source], NDArray[np.float32]]


@click.command("vectors-of")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--model",
    required=True,
    help="A model that makes vectors of texts (quern train sentences, ranks or titles).",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write all vectors to, a row for each text: NumPy (.npy), or Parquet with file, "
    "line and id (.parquet, extra 'parquet'). [default: JSON lines on standard output]",
)
@options.text_input
@options.threads
def command(
    files: tuple[Path, ...],
    model: str,
    out: Path | None,
    kind: Literal["txt", "jsonl"] | None,
    threads: int,
) -> None:
    """Give the vector of each text in FILES, or in standard input.

    A .txt file holds a text on each line, a .jsonl file an object with a "text" or a "body" (and
    perhaps an "id"); either may be gzipped. A model of titles gives the vectors that it keeps near
    those of their titles. Vectors have length 1: the product of two says how alike their
    texts are. A text without a letter, digit or mark has no vector: its numbers are 0. Rows stand
    in the order of the input; memory does not grow with it.

    \b
    Examples:
      quern vectors-of --model my-sentences questions.txt --out questions.npy
      quern vectors-of --model my-sentences issues.jsonl --out issues.parquet
      quern vectors-of --model my-sentences < questions.txt > questions.jsonl
      quern vectors-of --model my-titles issues.jsonl --out issues.npy
    """
    from quern.shipped import find
    from quern.tasks import load_encoder

    if out is not None and out.suffix not in (".npy", ".parquet"):
        why = f"{out}: write to a name that ends in .npy or .parquet"
        raise click.BadParameter(why, param_hint="--out")
    encode = load_encoder(find(model))
    count = 0
    with ExitStack() as stack:
        write: _Writes = (
            _Lines() if out is None else _file(stack.enter_context(writing(out)), out, encode)
        )
        advance = stack.enter_context(progress("reading", None, "texts"))
        pool = stack.enter_context(ThreadPoolExecutor(threads))

        def read(lot: list[Source]) -> _Found:
            return lot, encode([source.document.text for source in lot])

        for lot, vectors in in_order(pool, read, chunks(sources(files, kind)), threads):
            write(lot, vectors)
            count += len(lot)
            advance(len(lot))
        write.end((count, encode.dim))
    note(f"{count:,} texts, vectors of {encode.dim} numbers")


class _Writes(Protocol):
    """Where vectors go."""

    def __call__(self, lot: list[Source], vectors: NDArray[np.float32]) -> None:
        """Write some."""

    def end(self, shape: tuple[int, int]) -> None:
        """All are written."""


def _file(stream: IO[bytes], out: Path, encode: Encodes) -> _Writes:
    """What writes to a file of this name."""
    return _Rows(stream) if out.suffix == ".npy" else ParquetRows(stream, encode.dim)


class _Lines:
    """JSON lines on standard output."""

    def __init__(self) -> None:
        self._encode = msgspec.json.Encoder().encode

    def __call__(self, lot: list[Source], vectors: NDArray[np.float32]) -> None:
        out, rows = sys.stdout.buffer, np.round(vectors.astype(np.float64), _DIGITS).tolist()
        for (file, document), row in zip(lot, rows, strict=True):
            head: dict[str, Any] = {"file": file, "line": document.line}
            if document.id is not None:
                head["id"] = document.id
            out.write(self._encode({**head, "vector": row}) + b"\n")
        out.flush()

    def end(self, shape: tuple[int, int]) -> None:
        """Nothing is left to do."""


class _Rows:
    """A NumPy file, whose head is written last, when the number of rows is known."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._head = len(_header((0, 0)))
        stream.write(bytes(self._head))

    def __call__(self, lot: list[Source], vectors: NDArray[np.float32]) -> None:
        self._stream.write(np.ascontiguousarray(vectors, dtype="<f4").data)

    def end(self, shape: tuple[int, int]) -> None:
        self._stream.seek(0)
        head = _header(shape)
        assert len(head) == self._head  # numpy leaves room for a number of rows that grows
        self._stream.write(head)


def _header(shape: tuple[int, int]) -> bytes:
    """What a .npy file begins with."""
    head = io.BytesIO()
    described = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(head, described)
    return head.getvalue()
