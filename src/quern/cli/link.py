"""``quern link``: what is named in texts, and which entities are meant."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import click
import msgspec

from quern.cli import options
from quern.cli.console import note, progress
from quern.cli.streaming import Source, chunks, in_order, sources
from quern.cli.table import columns
from quern.data import TextForm
from quern.records import NIL, Link, Mention

_Answers = Sequence[Sequence[Mention | Link]]
_Reads = Callable[[list[Source]], _Answers]
_Found = tuple[Source, Sequence[Mention | Link]]


@click.command("link")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--model",
    help="A model folder that finds mentions (quern train links). [default: the mentions are "
    'given, as "mentions" in JSON lines]',
)
@click.option(
    "--entities", help="A model folder that says which entity each means (quern train entities)."
)
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
    model: str | None,
    entities: str | None,
    kb: Path | None,
    form: options.Form | None,
    kind: TextForm | None,
    min_score: float,
    threads: int,
) -> None:
    """Find what is named in FILES, or in standard input, and say which entities are meant.

    A .txt file holds a text on each line, a .jsonl file an object with a "text" (and perhaps
    an "id"); either may be gzipped. Every text gets one line of JSON, in the order of the
    input, whether anything is named in it or not, with offsets into the text as it was given.
    Texts of any length are read whole.

    With --entities each mention has the id of an entity of the base (null for none of them),
    and other candidates with their scores. Without --model the lines of the input must have
    "mentions", as labelled data has; what they are labelled with is not read.

    \b
    Examples:
      quern link --model my-links notes.txt
      quern link --model my-links --entities my-entities --kb films.kb notes.txt
      quern link --entities my-entities --kb films.kb mentions.jsonl > links.jsonl
    """
    if model is None and entities is None:
        raise click.UsageError("give --model, which finds mentions, --entities, or both")
    if model is None:
        if kind == "txt":
            raise click.UsageError("without --model mentions must be given, in JSON lines")
        kind = "mentions"
    write = _write_jsonl if options.form_of_output(form) == "jsonl" else _write_table
    texts = mentions = 0
    with ExitStack() as stack:
        answers = _reader(model, entities, kb, min_score, stack)

        def read(chunk: list[Source]) -> list[_Found]:
            return list(zip(chunk, answers(chunk), strict=True))

        advance = stack.enter_context(progress("reading", None, "texts"))
        pool = stack.enter_context(ThreadPoolExecutor(threads))
        for chunk in in_order(pool, read, chunks(sources(files, kind)), threads):
            write(chunk)
            texts += len(chunk)
            mentions += sum(len(found) for _, found in chunk)
            advance(len(chunk))
    note(f"{texts:,} texts, {mentions:,} mentions")


def _reader(
    model: str | None, entities: str | None, kb: Path | None, min_score: float, stack: ExitStack
) -> _Reads:
    """What answers chunks of texts."""
    from quern.shipped import find
    from quern.tasks import load_entities, load_links

    if entities is None:
        finder = load_links(find(cast("str", model)), kb=options.names_of(kb, stack))
        return lambda chunk: finder(_texts(chunk), min_score)
    base = stack.enter_context(options.opened(kb))
    chooser = load_entities(find(entities))
    if model is None:
        return lambda chunk: chooser.link(
            _texts(chunk), [source.document.mentions for source in chunk], base
        )
    from quern.links import Linker

    linker = Linker(load_links(find(model), kb=base.names), chooser, base)
    return lambda chunk: linker(_texts(chunk), min_score)


def _texts(chunk: Sequence[Source]) -> list[str]:
    return [source.document.text for source in chunk]


def _write_jsonl(chunk: Sequence[_Found]) -> None:
    encode = msgspec.json.Encoder().encode
    out = sys.stdout.buffer
    for (file, document), mentions in chunk:
        head: dict[str, Any] = {"file": file, "line": document.line}
        if document.id is not None:
            head["id"] = document.id
        out.write(encode({**head, "text": document.text, "mentions": mentions}) + b"\n")
    out.flush()


def _write_table(chunk: Sequence[_Found]) -> None:
    rows, heads = [], ["where", "characters", "mention", "score"]
    for (file, document), mentions in chunk:
        for m in mentions:
            row = [f"{file}:{document.line}", f"{m.start}–{m.end}", m.text, f"{m.score:.2f}"]
            rows.append(row + (_chosen(m) if isinstance(m, Link) else []))
    if rows and len(rows[0]) > len(heads):
        heads += ["entity", "name", "score of the choice"]
    columns(rows, heads)


def _chosen(link: Link) -> list[str]:
    """The entity, its name and how sure that is."""
    names = {choice.id: choice.name for choice in link.choices}
    return [link.id or NIL, names.get(link.id or "", ""), f"{link.link_score:.2f}"]
