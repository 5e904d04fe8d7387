"""``quern read``: texts in, linked facts out."""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import click
import msgspec

from quern import __version__
from quern.cli import options
from quern.cli.console import note, progress
from quern.cli.streaming import Source, chunks, sources
from quern.data import TextForm
from quern.errors import DataError
from quern.folder import METRICS
from quern.graphs.records import DocumentGraph
from quern.graphs.store import GraphStore
from quern.reader import Reader
from quern.shipped import find


@click.command("read")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--model", help="What reads facts: a model folder. [default: those that ship]")
@click.option("--links", help="What finds names besides: a model folder (quern train links).")
@click.option(
    "--entities",
    help="What says which entity of --kb each name means: a model folder (quern train entities).",
)
@options.kb
@click.option(
    "--into",
    type=click.Path(path_type=Path),
    help="A file to keep the graph in, which may be a knowledge base. [default: one JSON object "
    "for each document, on standard output]",
)
@options.text_input
@click.option(
    "--min-score",
    type=click.FloatRange(0, 1),
    default=0.0,
    help="Leave out facts and names that score lower.",
)
@click.option("--profile", is_flag=True, help="Say how the time was spent.")
def command(
    files: tuple[Path, ...],
    model: str | None,
    links: str | None,
    entities: str | None,
    kb: Path | None,
    into: Path | None,
    kind: TextForm | None,
    min_score: float,
    profile: bool,
) -> None:
    """Read FILES, or standard input, into a graph: facts between things, each thing once.

    Every text is a document; its id is the "id" of its JSON line, or its file and line. Without
    --entities things are told apart by their names. With --into, documents that are there
    already with the same text, read by the same models, are not read again, so a run that was
    stopped goes on when it is called once more; others are written anew.

    \b
    Examples:
      quern read notes.txt > graph.jsonl
      quern read notes.jsonl --into town.kb
      quern read notes.jsonl --links my-links --entities my-entities --kb town.kb --into town.kb
    """
    if (links is not None or kb is not None) and entities is None:
        raise click.UsageError("--links and --kb are for linking; give --entities, too")
    counts: Counter[str] = Counter()
    with ExitStack() as stack:
        reader = _reader(model, links, entities, kb, stack)
        store = None if into is None else stack.enter_context(GraphStore(into, create=True))
        advance = stack.enter_context(progress("reading", None, "documents"))
        by = identity([model, links, entities], min_score)
        for lot in chunks(_named(sources(files, kind))):
            new = lot if store is None else _new(lot, store, by)
            texts = [source.document.text for source in new]
            graphs = reader(texts, [_id(source) for source in new], min_score)
            if store is None:
                _write(graphs)
            elif graphs:
                store.add(graphs, {_id(source): _hash(source, by) for source in new})
            counts["documents"] += len(new)
            counts["there already"] += len(lot) - len(new)
            counts["facts"] += sum(len(graph.facts) for graph in graphs)
            counts["names"] += sum(len(graph.mentions) for graph in graphs)
            advance(len(lot))
    there = f" ({counts['there already']:,} were there already)" if counts["there already"] else ""
    said = f"{counts['facts']:,} facts, {counts['names']:,} names"
    note(f"{counts['documents']:,} documents read{there}: {said}")
    if profile:
        whole = sum(reader.seconds.values()) or 1.0
        for stage, seconds in reader.seconds.items():
            note(f"  {stage}: {seconds:.1f} s ({seconds / whole:.0%})")


def _reader(
    model: str | None, links: str | None, entities: str | None, kb: Path | None, stack: ExitStack
) -> Reader:
    if entities is None:
        return Reader.open(model)
    base = stack.enter_context(options.opened(kb))
    return Reader.open(model, links=links, entities=entities, kb=base)


def _named(texts: Iterator[Source]) -> Iterator[Source]:
    """The same, but that an id stands twice is an error where it is seen."""
    seen: set[bytes] = set()
    for source in texts:
        mark = hashlib.blake2b(_id(source).encode("utf-8", "surrogatepass"), digest_size=8).digest()
        if mark in seen:
            where = f"{source.file}:{source.document.line}"
            raise DataError(f"{where}: the id '{_id(source)}' stands twice; ids name documents")
        seen.add(mark)
        yield source


def identity(models: Sequence[str | None], min_score: float) -> str:
    """What tells readings of a text by some models from any others.

    Args:
        models: folders or names; None for one that is not given, or those that ship.
        min_score: of facts and names.
    """
    said = [repr(min_score), *("-" if model is None else _folder_hash(model) for model in models)]
    return hashlib.sha256("\0".join([*said, __version__]).encode()).hexdigest()


def _folder_hash(model: str) -> str:
    """Of all that decides what a folder answers."""
    digest, folder = hashlib.sha256(), find(model)
    for part in sorted(folder.rglob("*")):
        if part.suffix in (".onnx", ".json", ".bin", ".npy") and part.name != METRICS:
            digest.update(f"{part.relative_to(folder)}\0".encode() + part.read_bytes())
    return digest.hexdigest()


def _new(lot: Sequence[Source], store: GraphStore, by: str) -> list[Source]:
    there = store.hashes([_id(source) for source in lot])
    return [source for source in lot if there.get(_id(source)) != _hash(source, by)]


def _id(source: Source) -> str:
    return source.document.id or f"{source.file}:{source.document.line}"


def _hash(source: Source, by: str) -> str:
    """Of a text and what reads it."""
    text = f"{by}\0{source.document.text}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()[:32]


def _write(graphs: Sequence[DocumentGraph]) -> None:
    encode = msgspec.json.Encoder().encode
    for graph in graphs:
        sys.stdout.buffer.write(encode(graph) + b"\n")
    sys.stdout.buffer.flush()
