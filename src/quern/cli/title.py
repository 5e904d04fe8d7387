"""``quern title``: documents in, titles for them out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
import msgspec

from quern.cli import options
from quern.cli.console import note, progress
from quern.cli.streaming import Source, chunks, in_order, sources
from quern.cli.table import columns

if TYPE_CHECKING:
    from quern.titles import Titled

_Found = tuple[Source, "Titled"]


@click.command("title")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--model", required=True, help="A model folder (quern train titles).")
@click.option(
    "--n", "count", type=click.IntRange(1), default=1, show_default=True,
    help="Titles for each document, at most.",
)  # fmt: skip
@click.option(
    "--beam", type=click.IntRange(1), default=4, show_default=True,
    help="Titles followed at the same time; 1 takes the next best piece (greedy), and is faster.",
)  # fmt: skip
@click.option(
    "--block", type=click.IntRange(0), default=3, show_default=True,
    help="So many pieces in a row stand once in a title at most; 0 allows any.",
)  # fmt: skip
@click.option(
    "--alpha", type=click.FloatRange(0), default=1.0, show_default=True,
    help="Titles are compared by log probability / length ** alpha: more favours longer ones.",
)  # fmt: skip
@click.option(
    "--sample", type=click.FloatRange(0, min_open=True),
    help="Draw pieces at this temperature rather than search, such as 0.8.",
)  # fmt: skip
@click.option(
    "--top-k", type=click.IntRange(1), default=40, show_default=True,
    help="With --sample: draw from so many pieces at each step.",
)  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="With --sample: of what is drawn.")
@options.form
@options.text_input
@options.threads
def command(
    files: tuple[Path, ...],
    model: str,
    count: int,
    beam: int,
    block: int,
    alpha: float,
    sample: float | None,
    top_k: int,
    seed: int,
    form: options.Form | None,
    kind: Literal["txt", "jsonl"] | None,
    threads: int,
) -> None:
    """Propose titles for the documents in FILES, or in standard input.

    A .txt file holds a document on each line, a .jsonl file an object with a "body" or a "text"
    (and perhaps an "id"); either may be gzipped. Every document gets one line of JSON, in the
    order of the input: its titles, the best first, each with its score (the mean of the log
    probabilities of its steps; 0 would be certain), and the share of it that was read.

    \b
    Examples:
      quern title --model my-titles issues.jsonl --n 3
      quern title --model my-titles issues.jsonl --beam 1 --threads 2 > titles.jsonl
      quern title --model my-titles --sample 0.8 --n 5 --format table < notes.txt
    """
    from quern.shipped import find
    from quern.tasks import load_titles
    from quern.titles import Decoding

    titles = load_titles(find(model))
    decoding = Decoding(
        beam=beam, block=block, alpha=alpha, temperature=sample, top_k=top_k, seed=seed
    )
    write = _write_jsonl if options.form_of_output(form) == "jsonl" else _write_table
    texts, cut, shares = 0, 0, 0.0
    with ExitStack() as stack:
        advance = stack.enter_context(progress("reading", None, "texts"))
        pool = stack.enter_context(ThreadPoolExecutor(threads))

        def read(lot: list[Source]) -> list[_Found]:
            found = titles.titled([s.document.text for s in lot], count, decoding)
            return list(zip(lot, found, strict=True))

        for lot in in_order(pool, read, chunks(sources(files, kind)), threads):
            write(lot)
            texts += len(lot)
            cut += sum(titled.read < 1 for _, titled in lot)
            shares += sum(titled.read for _, titled in lot)
            advance(len(lot))
    limit = titles.settings.limit
    behind = f"; {cut:,} go on behind the {limit} units that are read" if cut else ""
    note(f"{texts:,} texts, {shares / max(1, texts):.0%} of a text read on average{behind}")


def _write_jsonl(lot: Sequence[_Found]) -> None:
    encode = msgspec.json.Encoder().encode
    out = sys.stdout.buffer
    for (file, document), titled in lot:
        head: dict[str, Any] = {"file": file, "line": document.line}
        if document.id is not None:
            head["id"] = document.id
        told = {"titles": titled.titles, "read": round(titled.read, 4)}
        out.write(encode({**head, **told}) + b"\n")
    out.flush()


def _write_table(lot: Sequence[_Found]) -> None:
    rows = [
        [f"{file}:{document.line}", title.text, f"{title.score:.3f}", f"{titled.read:.0%}"]
        for (file, document), titled in lot
        for title in titled.titles
    ]
    columns(rows, ["where", "title", "score", "read"])
