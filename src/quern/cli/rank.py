"""``quern rank``: the best items of a catalogue for texts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import click
import msgspec

from quern.cli import options
from quern.cli.console import note, progress
from quern.cli.streaming import Source, chunks, in_order, sources
from quern.cli.table import columns
from quern.records import Ranked

_Found = tuple[Source, list[Ranked]]


@click.command("rank")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--model", required=True, help="A model folder (quern train ranks).")
@click.option(
    "--catalogue",
    type=click.Path(path_type=Path),
    help="Other items than those the model was trained with; new ones are known by their texts.",
)
@click.option(
    "--top", type=click.IntRange(1), default=10, show_default=True, help="Items for each text."
)
@options.form
@options.text_input
@options.threads
def command(
    files: tuple[Path, ...],
    model: str,
    catalogue: Path | None,
    top: int,
    form: options.Form | None,
    kind: Literal["txt", "jsonl"] | None,
    threads: int,
) -> None:
    """Find the best items of a catalogue for each text in FILES, or in standard input.

    Every text gets one line of JSON, in the order of the input, with the ids of the items and the
    cosines of their vectors with the text's.

    \b
    Examples:
      quern rank --model my-tags issues.jsonl --top 3
      quern rank --model my-tags --catalogue new-tags.jsonl issues.jsonl
    """
    from quern.data import read_catalogue
    from quern.shipped import find
    from quern.tasks import load_ranks

    ranks = load_ranks(find(model))
    if catalogue is not None:
        ranks = ranks.with_catalogue(read_catalogue(catalogue))
        if bare := int((~ranks.vectors.any(axis=1)).sum()):
            note(f"{bare:,} of {len(ranks.ids):,} items have no text and are never found")
    write = _write_jsonl if options.form_of_output(form) == "jsonl" else _write_table
    texts = 0
    with ExitStack() as stack:
        advance = stack.enter_context(progress("reading", None, "texts"))
        pool = stack.enter_context(ThreadPoolExecutor(threads))
        _ = ranks.index  # made once, before threads ask for it

        def read(lot: list[Source]) -> list[_Found]:
            return list(zip(lot, ranks([s.document.text for s in lot], top), strict=True))

        for lot in in_order(pool, read, chunks(sources(files, kind)), threads):
            write(lot)
            texts += len(lot)
            advance(len(lot))
    note(f"{texts:,} texts, {len(ranks.ids):,} items")


def _write_jsonl(lot: Sequence[_Found]) -> None:
    encode = msgspec.json.Encoder().encode
    out = sys.stdout.buffer
    for (file, document), items in lot:
        head: dict[str, Any] = {"file": file, "line": document.line}
        if document.id is not None:
            head["id"] = document.id
        out.write(encode({**head, "items": items}) + b"\n")
    out.flush()


def _write_table(lot: Sequence[_Found]) -> None:
    rows = [
        [f"{file}:{document.line}", str(place), item.id, f"{item.score:.3f}"]
        for (file, document), items in lot
        for place, item in enumerate(items, 1)
    ]
    columns(rows, ["where", "place", "item", "cosine"])
