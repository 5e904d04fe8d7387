"""``quern extract``: facts out of texts."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import click
import msgspec

from quern.cli import options
from quern.cli.console import note, progress
from quern.cli.rules import read_schema, schema_options, tell_counts, tell_unknown
from quern.cli.streaming import Source, chunks, in_order, sources
from quern.cli.table import columns
from quern.data import TextForm
from quern.records import Triple
from quern.schema import Rule
from quern.shipped import Reading, TripleReader

_Read = tuple[Source, Reading]


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
@options.form
@options.text_input
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
    form: options.Form | None,
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
    write = _write_jsonl if options.form_of_output(form) == "jsonl" else _write_table

    def read(chunk: list[Source]) -> list[_Read]:
        readings = reader([source.document.text for source in chunk], min_score, uncertain)
        return list(zip(chunk, readings, strict=True))

    texts = facts = doubtful = 0
    with progress("reading", None, "texts") as advance, ThreadPoolExecutor(threads) as pool:
        for chunk in in_order(pool, read, chunks(sources(files, kind)), threads):
            write(chunk)
            texts += len(chunk)
            facts += sum(len(reading.triples) for _, reading in chunk)
            doubtful += sum(bool(t.uncertain) for _, reading in chunk for t in reading.triples)
            advance(len(chunk))
    of_these = "" if uncertain is None else f", {doubtful:,} of them uncertain"
    note(f"{texts:,} texts, {facts:,} facts{of_these}")
    tell_counts(schema)


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
