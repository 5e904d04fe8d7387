"""``quern extract``: facts out of texts."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, NamedTuple

import click
import msgspec

from quern.cli import options
from quern.cli.console import note, progress
from quern.cli.rules import read_schema, schema_options, tell_counts, tell_unknown
from quern.cli.table import columns
from quern.data import Document, TextForm, documents, form_of, open_bytes
from quern.errors import DataError
from quern.records import Triple
from quern.schema import Rule
from quern.shipped import Reading, TripleReader

_STDIN = Path("-")
_CHUNK = 256  # texts read before their results are written

Form = Literal["table", "jsonl"]


class _Source(NamedTuple):
    """A text to read and the file it stands in."""

    file: str
    document: Document


_Read = tuple[_Source, Reading]


@click.command("extract")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--model", help="A model folder, or the name of a model that ships with quern.")
@click.option(
    "--preset",
    type=click.Choice(["full", "fast"]),
    default="full",
    show_default=True,
    help="Which of the shipped models to take where --model is not given (fast: Chinese only).",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "jsonl"]),
    help="A table to look at, or one JSON object for each text. "
    "[default: table on a terminal, else jsonl]",
)
@click.option(
    "--input",
    "kind",
    type=click.Choice(["txt", "jsonl"]),
    help='How to read the input: a text a line, or JSON lines with a "text". '
    "[default: by each file's name; txt for standard input]",
)
@click.option(
    "--min-score",
    type=click.FloatRange(0, 1),
    default=0.0,
    help="Leave out facts that score lower.",
)
@click.option(
    "--uncertain",
    type=click.FloatRange(0, 1),
    metavar="SCORE",
    help="Give facts that would be left out, too, if they score at least this much; they are "
    'marked "uncertain" (in a table by a "?").',
)
@schema_options
@options.threads
def command(
    files: tuple[Path, ...],
    model: str | None,
    preset: Literal["full", "fast"],
    form: Form | None,
    kind: TextForm | None,
    min_score: float,
    uncertain: float | None,
    schema_file: Path | None,
    without: tuple[Rule, ...],
    threads: int,
) -> None:
    """Read facts out of FILES, or out of standard input.

    A .txt file holds a text on each line, a .jsonl file an object with a "text" (and perhaps
    an "id"); either may be gzipped. Every text gets one line of JSON, in the order of the
    input, whether facts were found or not, with offsets into the text as it was given. Texts
    of any length are read whole. Without --model, each text is read by the model that ships
    for its script.

    \b
    Examples:
      quern extract notes.txt
      quern extract --model my-model --format jsonl < notes.txt > facts.jsonl
      zcat notes.jsonl.gz | quern extract --input jsonl --min-score 0.7
      quern extract notes.txt --min-score 0.7 --uncertain 0.3
    """
    if uncertain is not None and 0 < min_score <= uncertain:
        raise click.BadParameter(
            f"{uncertain:g} is not below --min-score {min_score:g}", param_hint="--uncertain"
        )
    schema = read_schema(schema_file, without)
    reader = TripleReader(model, preset, schema)
    if schema is not None:
        tell_unknown(schema, reader.predicates())
    write = _write_jsonl if _form(form) == "jsonl" else _write_table

    def read(chunk: list[_Source]) -> list[_Read]:
        readings = reader([source.document.text for source in chunk], min_score, uncertain)
        return list(zip(chunk, readings, strict=True))

    texts = facts = doubtful = 0
    with progress("reading", None, "texts") as advance, ThreadPoolExecutor(threads) as pool:
        for chunk in _in_order(pool, read, _chunks(_sources(files, kind)), threads):
            write(chunk)
            texts += len(chunk)
            facts += sum(len(reading.triples) for _, reading in chunk)
            doubtful += sum(bool(t.uncertain) for _, reading in chunk for t in reading.triples)
            advance(len(chunk))
    of_these = "" if uncertain is None else f", {doubtful:,} of them uncertain"
    note(f"{texts:,} texts, {facts:,} facts{of_these}")
    tell_counts(schema)


def _form(form: Form | None) -> Form:
    return form or ("table" if sys.stdout.isatty() else "jsonl")


def _sources(files: tuple[Path, ...], kind: TextForm | None) -> Iterator[_Source]:
    for file in files or (_STDIN,):
        if file == _STDIN:
            for document in documents(sys.stdin.buffer, kind or "txt", "standard input"):
                yield _Source("-", document)
            continue
        with open_bytes(file) as stream:
            for document in documents(stream, kind or form_of(file), str(file)):
                yield _Source(str(file), document)


def _chunks(sources: Iterator[_Source]) -> Iterator[list[_Source]]:
    chunk: list[_Source] = []
    try:
        for source in sources:
            chunk.append(source)
            if len(chunk) == _CHUNK:
                yield chunk
                chunk = []
    except DataError:
        yield chunk  # what stands before the bad line is answered before it is reported
        raise
    yield chunk


def _in_order(
    pool: ThreadPoolExecutor,
    work: Callable[[list[_Source]], list[_Read]],
    chunks: Iterable[list[_Source]],
    ahead: int,
) -> Iterator[list[_Read]]:
    """Results of ``work`` in the order of ``chunks``, at most ``ahead`` under way."""
    waiting: deque[Future[list[_Read]]] = deque()
    try:
        for chunk in chunks:
            waiting.append(pool.submit(work, chunk))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
    except DataError:
        yield from (future.result() for future in waiting)
        raise
    yield from (future.result() for future in waiting)


def _write_jsonl(chunk: list[_Read]) -> None:
    encode = msgspec.json.Encoder().encode
    out = sys.stdout.buffer
    for (file, document), (model, triples) in chunk:
        head: dict[str, Any] = {"file": file, "line": document.line}
        if document.id is not None:
            head["id"] = document.id
        row = {**head, "text": document.text, "model": model, "triples": triples}
        out.write(encode(row) + b"\n")
    out.flush()


def _write_table(chunk: list[_Read]) -> None:
    rows = [
        [f"{file}:{document.line}", t.subject.text, t.predicate, t.object.text, _score(t)]
        for (file, document), (_, triples) in chunk
        for t in triples
    ]
    columns(rows, ["where", "subject", "predicate", "object", "score"])


def _score(triple: Triple) -> str:
    return f"{triple.score:.2f}{' ?' if triple.uncertain else ''}"
