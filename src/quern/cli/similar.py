"""``quern similar``: documents kept in one file, and found by texts like them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from quern.cli import options
from quern.cli.console import note, progress
from quern.cli.streaming import Source, lots, origin
from quern.cli.table import columns
from quern.data import Document, TextForm
from quern.errors import DataError

if TYPE_CHECKING:
    from quern.data import Collection
    from quern.similar import Similar, SimilarDocument

_SHOWN = 80  # characters of a text that a table shows

_INDEX = click.option(
    "--index",
    "path",
    type=click.Path(path_type=Path),
    required=True,
    help="File of documents (quern similar build).",
)
_MODEL = click.option("--model", help="Folder of its model, where that has moved.")
_ALLOW = click.option(
    "--allow",
    type=click.Choice(["wordless"]),
    help="Leave out documents without a letter, which nothing is like, rather than stop.",
)


@click.group("similar")
def command() -> None:
    """Keep documents in one file, and find those that are like a text, or like one of them."""


@command.command("build")
@click.argument("documents", type=click.Path(path_type=Path))
@click.option(
    "--model",
    required=True,
    help="A model that makes vectors of texts (quern train sentences, ranks or titles).",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="File to write.")
@options.kind_of_index("--search")
@_ALLOW
@click.option("--overwrite", is_flag=True, help="Replace a file that is there.")
def build(
    documents: Path, model: str, out: Path, index: str, allow: str | None, overwrite: bool
) -> None:
    """Make a file of DOCUMENTS.

    These are JSON lines of {"text": …}, perhaps with a "title", which is read before the text, and
    an "id". "body" may stand for "text", so that the lines of a training of titles can be given.

    \b
    Example:
      quern similar build issues.jsonl --model my-sentences --out issues.similar
    """
    from quern.errors import StoreError
    from quern.similar import Similar

    if out.exists() and not overwrite:
        raise StoreError(f"{out}: exists already; choose another name, or pass --overwrite")
    given = _read(documents, allow)
    with progress("reading", len(given.documents), "documents") as advance:
        similar = Similar.build(
            out, given.documents, model, index=index, advance=advance, overwrite=overwrite
        )
    with similar:
        note(f"wrote {out}: {len(similar):,} documents{_left_out(given, 0)}")


@command.command("ask")
@_INDEX
@click.argument("texts", nargs=-1)
@options.ask_input
@click.option("--like", "ids", multiple=True, help="Id of a document that is there; repeatable.")
@click.option(
    "--least",
    type=click.FloatRange(-1, 1),
    help="The least cosine of a document that is shown. [default: any]",
)
@click.option(
    "--top", type=click.IntRange(1), default=10, show_default=True, help="Documents to show."
)
@_MODEL
@options.form
@options.ask_input_form
def ask(
    path: Path,
    texts: tuple[str, ...],
    files: tuple[Path, ...],
    ids: tuple[str, ...],
    least: float | None,
    top: int,
    model: str | None,
    form: options.Form | None,
    kind: TextForm | None,
) -> None:
    """Look for the documents that are most like TEXTS, the nearest first.

    What a cosine means depends on the model: look at a few answers before you choose --least.

    \b
    Examples:
      quern similar ask --index issues.similar "it panics on an empty file" --least 0.6
      quern similar ask --index issues.similar --input new.jsonl --format jsonl > found.jsonl
      quern similar ask --index issues.similar --like 1042
    """
    if not texts and not files and not ids:
        raise click.UsageError("no text is given; name some, a file (--input), or ids (--like)")
    write = _write_jsonl if options.form_of_output(form) == "jsonl" else _write_table
    asked = some = 0
    with _opened(path, model) as opened, progress("asking", None, "texts") as advance:
        for lot, found in _asked(opened, ids, lots(texts, files, kind), top, least):
            write(lot, found)
            asked, some = asked + len(found), some + sum(map(bool, found))
            advance(len(lot))
    note(f"{asked:,} texts, {some:,} of them like some document")


def _asked(
    opened: Similar,
    ids: Sequence[str],
    given: Iterable[list[Source]],
    top: int,
    least: float | None,
) -> Iterator[tuple[list[Source], list[list[SimilarDocument]]]]:
    """What is like documents that are there, then what is like texts, lot by lot."""
    if ids:
        yield [Source("", Document(id_, id_)) for id_ in ids], opened.like(ids, top, least)
    for lot in given:
        yield lot, opened.ask([source.document.text for source in lot], top, least)


def _write_jsonl(lot: Sequence[Source], found: Sequence[Sequence[SimilarDocument]]) -> None:
    encode = msgspec.json.Encoder().encode
    for source, documents in zip(lot, found, strict=True):
        head = origin(source) or {"text": source.document.text}
        sys.stdout.buffer.write(encode({**head, "documents": documents}) + b"\n")
    sys.stdout.buffer.flush()


def _write_table(lot: Sequence[Source], found: Sequence[Sequence[SimilarDocument]]) -> None:
    for source, documents in zip(lot, found, strict=True):
        click.echo(_short(source.document.text) + ("" if documents else ": nothing is like it"))
        rows = [[f"{d.score:.3f}", d.id, _short(d.title or d.text)] for d in documents]
        if rows:
            columns(rows, ["cosine", "id", "document"])
        click.echo()


def _short(text: str) -> str:
    """A text on one line, as far as there is room."""
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"


@command.command("add")
@_INDEX
@click.argument("documents", type=click.Path(path_type=Path))
@_ALLOW
@_MODEL
def add(path: Path, documents: Path, allow: str | None, model: str | None) -> None:
    """Add DOCUMENTS, which are written as for build; those that are there already stay."""
    given = _read(documents, allow)
    with _opened(path, model) as opened, progress("reading", None, "documents") as advance:
        new = opened.add(given.documents, advance)
    note(f"{new:,} documents added{_left_out(given, len(given.documents) - new)}")


@command.command("remove")
@_INDEX
@click.argument("ids", nargs=-1, required=True)
@_MODEL
def remove(path: Path, ids: tuple[str, ...], model: str | None) -> None:
    """Take the documents with these IDS away, all or none."""
    with _opened(path, model) as opened:
        note(f"{opened.remove(ids):,} documents removed")


@command.command("show")
@_INDEX
@click.argument("ids", nargs=-1)
@_MODEL
def show(path: Path, ids: tuple[str, ...], model: str | None) -> None:
    """Say what there is: all documents, or those with these IDS, as JSON lines."""
    with _opened(path, model) as opened:
        for id_ in ids or opened.ids:
            document = opened.document(id_)
            if document is None:
                raise DataError(f"{path}: no document '{id_}'; see all without an id")
            row = {"id": document.id, "title": document.title, "text": document.text}
            sys.stdout.buffer.write(msgspec.json.encode(row) + b"\n")
        note(f"{len(opened):,} documents; model {opened.about('model')}, "
             f"search {opened.about('index')}")  # fmt: skip


def _read(documents: Path, allow: str | None) -> Collection:
    from quern.data import read_collection

    return read_collection(documents, allow_wordless=allow == "wordless")


def _left_out(given: Collection, there: int) -> str:
    """What of a file is not among the documents, in words."""
    counts = ((given.repeated, "lines said the same again"), (there, "were there already"),
              (given.wordless, "without a letter left out"))  # fmt: skip
    return "".join(f"; {count:,} {what}" for count, what in counts if count)


@contextmanager
def _opened(path: Path, model: str | None) -> Iterator[Similar]:
    from quern.similar import Similar

    with Similar.open(path, model) as similar:
        yield similar
