"""``quern store``: graphs that were read, asked and changed."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal

import click
import msgspec

from quern.cli import options
from quern.cli.console import note
from quern.cli.table import columns, numbers
from quern.errors import DataError, StoreError
from quern.graphs.exports import FORMS, Form, export
from quern.graphs.records import Fact, Node
from quern.graphs.store import Asked, GraphStore
from quern.schema import Schema

_FILE = click.argument("store", type=click.Path(path_type=Path))
_AT_ONCE = 1000  # facts whose nodes are looked up together


@click.group("store")
def command() -> None:
    """Graphs: what documents say, kept by quern read --into.

    \b
    Examples:
      quern store stats town.kb
      quern store query town.kb --node "Mara Holt" --min-score 0.8
      quern store why town.kb "Mara Holt" "born in" Quay
      quern store export town.kb town.ttl
      quern store forget town.kb notes.txt:17
    """


@command.command("stats")
@_FILE
@options.table_or_json
def stats(store: Path, form: Literal["table", "json"]) -> None:
    """Say how much STORE holds."""
    with GraphStore(store) as opened:
        found = opened.stats()._asdict()
    if form == "json":
        sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")
    else:
        numbers([[name, f"{count:,}"] for name, count in found.items()], ("", ""))


@command.command("query")
@_FILE
@click.option("--node", help="Subject or object: an id, or a name.")
@click.option("--predicate", help="What is said.")
@click.option("--document", help="Id of a document that says it.")
@click.option(
    "--min-score",
    type=click.FloatRange(0, 1),
    default=0.0,
    help="Leave out facts whose surest evidence scores lower.",
)
@click.option("--limit", type=click.IntRange(1), help="Facts at most. [default: all]")
@options.form
def query(
    store: Path,
    node: str | None,
    predicate: str | None,
    document: str | None,
    min_score: float,
    limit: int | None,
    form: options.Form | None,
) -> None:
    """Give the facts of STORE of which all holds that is said, in the order of their ids.

    A name may be that of several things; the facts of all of them are given.
    """
    with GraphStore(store) as opened:
        ids: Sequence[str | None] = [None] if node is None else _nodes(opened, node)
        asked = (Asked(id_, predicate, document, min_score) for id_ in ids)
        facts = (fact for each in asked for fact in opened.facts(each))
        _show(opened, islice(facts, limit), form)


@command.command("why")
@_FILE
@click.argument("subject")
@click.argument("predicate")
@click.argument("object_", metavar="OBJECT")
def why(store: Path, subject: str, predicate: str, object_: str) -> None:
    """Show the sentences that say a fact, with both ends marked.

    SUBJECT and OBJECT are ids, or names.
    """
    shown = 0
    with GraphStore(store) as opened:
        objects = set(_nodes(opened, object_))
        for id_ in _nodes(opened, subject):
            for fact in opened.facts(Asked(id_, predicate)):
                if fact.subject != id_ or fact.object not in objects:
                    continue
                for evidence in fact.evidence:
                    passage = opened.why(evidence)
                    marked = _marked(passage.text, passage.start, evidence.subject, evidence.object)
                    click.echo(f"{evidence.document}   {evidence.score:.2f}\n  {marked}")
                    shown += 1
    if not shown:
        raise StoreError(f"{store}: nothing says that; see what is said with: quern store query")


@command.command("conflicts")
@_FILE
@click.option(
    "--schema",
    "schema_file",
    type=click.Path(path_type=Path),
    required=True,
    help='Rules; predicates with "single" have one object at most.',
)
@options.form
def conflicts(store: Path, schema_file: Path, form: options.Form | None) -> None:
    """Give facts that cannot all be true: several objects where there is one at most."""
    rules = Schema.load(schema_file).predicates
    single = [name for name, of in rules.items() if of.single]
    if not single:
        raise DataError(f'{schema_file}: no predicate is "single", so nothing can contradict')
    with GraphStore(store) as opened:
        _show(opened, (fact for same in opened.conflicts(single) for fact in same), form)


@command.command("forget")
@_FILE
@click.argument("documents", nargs=-1, required=True)
def forget(store: Path, documents: tuple[str, ...]) -> None:
    """Remove DOCUMENTS, by their ids, and what only they said."""
    with GraphStore(store) as opened:
        there = opened.hashes(documents)
        lacking = [id_ for id_ in documents if id_ not in there]
        if lacking:
            raise StoreError(f"{store}: no document '{lacking[0]}'; nothing was forgotten")
        note(f"{opened.forget(documents):,} documents forgotten")


@command.command("export")
@_FILE
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice([*FORMS, "neo4j"]),
    help="By the name of OUT (.nt, .ttl, .jsonld, .graphml), where not given; neo4j writes two CSV "
    "files into the folder OUT.",
)
def export_(store: Path, out: Path, form: Form | None) -> None:
    """Write the graph of STORE to OUT, in a form that other programs read.

    \b
    Examples:
      quern store export town.kb town.ttl
      quern store export town.kb import/ --format neo4j
    """
    with GraphStore(store) as opened, opened.snapshot():
        stats = opened.stats()
        written = export(opened, out, form)
    note(f"{stats.nodes:,} nodes and {stats.facts:,} facts written to {out} ({written})")


def _nodes(store: GraphStore, said: str) -> list[str]:
    found = store.find(said)
    if not found:
        raise StoreError(f"no node has the id or the name '{said}'")
    return found


def _show(store: GraphStore, facts: Iterable[Fact], form: options.Form | None) -> None:
    rows = iter(facts)
    as_lines = options.form_of_output(form) == "jsonl"
    table = []
    while lot := list(islice(rows, _AT_ONCE)):
        ids = {end for fact in lot for end in (fact.subject, fact.object)}
        nodes = {node.id: node for node in store.nodes(ids)}
        for fact in lot:
            if as_lines:
                sys.stdout.buffer.write(_line(fact, nodes))
            else:
                table.append(_row(fact, nodes))
    if table:
        columns(table, ["subject", "predicate", "object", "score", "documents"])


def _line(fact: Fact, nodes: dict[str, Node]) -> bytes:
    ends = {"subject": nodes[fact.subject], "object": nodes[fact.object]}
    return msgspec.json.encode({**msgspec.structs.asdict(fact), **ends}) + b"\n"


def _row(fact: Fact, nodes: dict[str, Node]) -> list[str]:
    documents = len({place.document for place in fact.evidence})
    ends = nodes[fact.subject].name, nodes[fact.object].name
    return [ends[0], fact.predicate, ends[1], f"{fact.score:.2f}", f"{documents:,}"]


def _marked(text: str, start: int, subject: tuple[int, int], object_: tuple[int, int]) -> str:
    """A passage with [the subject] and {the object} in brackets."""
    marks: list[tuple[int, str]] = []
    for (a, b), (left, right) in ((subject, "[]"), (object_, "{}")):
        marks += [(a - start, left), (b - start, right)]
    out, at = [], 0
    for place, mark in sorted(marks, key=lambda each: (each[0], each[1] in "[{")):
        out += [text[at:place], mark]
        at = place
    return "".join(_joined([*out, text[at:]]))


def _joined(parts: Iterable[str]) -> Iterator[str]:
    """One line, whatever the passage holds."""
    return (" ".join(part.splitlines()) if "\n" in part else part for part in parts)
