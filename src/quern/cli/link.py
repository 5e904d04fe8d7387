"""``quern link``: what is named in texts."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import msgspec

from quern.cli import options
from quern.cli.console import note, progress
from quern.cli.streaming import Source, chunks, in_order, sources
from quern.cli.table import columns
from quern.data import TextForm
from quern.records import Mention

_Found = tuple[Source, list[Mention]]


@click.command("link")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--model", required=True, help="A model folder (quern train links).")
@options.kb
@options.form
@options.text_input
@click.option(
    "--min-score",
    type=click.FloatRange(0, 1),
    default=0.0,
    help="Leave out mentions that score lower.",
)
@options.threads
def command(
    files: tuple[Path, ...],
    model: str,
    kb: Path | None,
    form: options.Form | None,
    kind: TextForm | None,
    min_score: float,
    threads: int,
) -> None:
    """Find what is named in FILES, or in standard input.

    A .txt file holds a text on each line, a .jsonl file an object with a "text" (and perhaps
    an "id"); either may be gzipped. Every text gets one line of JSON, in the order of the
    input, whether anything is named in it or not, with offsets into the text as it was given.
    Texts of any length are read whole.

    \b
    Examples:
      quern link --model my-links notes.txt
      quern link --model my-links --kb kb.sqlite --format jsonl < notes.txt > mentions.jsonl
    """
    from quern.shipped import find
    from quern.tasks import load_links

    write = _write_jsonl if options.form_of_output(form) == "jsonl" else _write_table
    texts = mentions = 0
    with ExitStack() as stack:
        reader = load_links(find(model), kb=options.names_of(kb, stack))

        def read(chunk: list[Source]) -> list[_Found]:
            found = reader([source.document.text for source in chunk], min_score)
            return list(zip(chunk, found, strict=True))

        advance = stack.enter_context(progress("reading", None, "texts"))
        pool = stack.enter_context(ThreadPoolExecutor(threads))
        for chunk in in_order(pool, read, chunks(sources(files, kind)), threads):
            write(chunk)
            texts += len(chunk)
            mentions += sum(len(found) for _, found in chunk)
            advance(len(chunk))
    note(f"{texts:,} texts, {mentions:,} mentions")


def _write_jsonl(chunk: list[_Found]) -> None:
    encode = msgspec.json.Encoder().encode
    out = sys.stdout.buffer
    for (file, document), mentions in chunk:
        head: dict[str, Any] = {"file": file, "line": document.line}
        if document.id is not None:
            head["id"] = document.id
        out.write(encode({**head, "text": document.text, "mentions": mentions}) + b"\n")
    out.flush()


def _write_table(chunk: list[_Found]) -> None:
    rows = [
        [f"{file}:{document.line}", f"{m.start}–{m.end}", m.text, f"{m.score:.2f}"]
        for (file, document), mentions in chunk
        for m in mentions
    ]
    columns(rows, ["where", "characters", "mention", "score"])
