"""``quern evaluate`` for models of triples."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from quern.cli.console import counted
from quern.cli.evaluate_tables import (
    Asked,
    hash_of,
    refuse_unreached,
    write_calibration,
    write_intervals,
    write_json,
    write_page,
    write_scores,
)
from quern.cli.rules import tell_counts, tell_unknown
from quern.cli.table import numbers
from quern.data import read_triples
from quern.evaluation import Evaluation, comparable, judge, report, summarise
from quern.evaluation.wording import HEADS, figures_row, remarks
from quern.folder import ModelFolder
from quern.schema import Rule, Schema
from quern.shipped import find, load_triples
from quern.triples import ReadsTriples


class Ruled(msgspec.Struct, frozen=True):
    """Rules for the answers, where they came from, and those left out."""

    schema: Schema
    file: Path
    without: tuple[Rule, ...]


def evaluate_triples(model: str, asked: Asked, strict: bool, ruled: Ruled | None) -> None:
    """Score a model of triples.

    Args:
        model: its folder, or the name of one that ships with quern.
        asked: what was asked for.
        strict: whether places and types must agree.
        ruled: rules for its answers.

    Raises:
        DataError: no least score reaches the precision that was asked for.
    """
    data, schema = asked.data, ruled.schema if ruled else None
    reader, trained_on = _open(model)
    known = frozenset(label.predicate for label in reader.labels)
    if schema is not None:
        tell_unknown(schema, known)
    examples = read_triples(data)
    how, some = comparable(reader, examples, strict)
    answers = judge(reader, some, how, asked.threads, schema)
    judged = list(counted(answers, "evaluating", total=len(some), unit="texts"))
    tell_counts(schema)
    left_out = len(examples) - len(some)
    evaluation = summarise(judged, how, known, left_out, reader.calibration, asked.target)
    digest = hash_of(data, trained_on)
    if asked.page is not None:
        what = model + (f" with {ruled.file.name}" if ruled else "")
        title = f"{what} on {data.name}"
        write_page(asked.page, report(evaluation, judged, title, asked.errors))
    if asked.form == "json":
        head: dict[str, object] = {"model": model, "data": str(data), "data_sha256": digest}
        told = {"schema": str(ruled.file), "without": ruled.without} if ruled else {}
        write_json({**head, **told}, evaluation)
    else:
        _write_tables(evaluation)
    refuse_unreached(data, evaluation.target, [f for text in judged for f in text.facts])


def _open(model: str) -> tuple[ReadsTriples, str | None]:
    """The model, and the SHA-256 of the data that it was trained on."""
    path = find(model)
    return load_triples(path), ModelFolder(path).manifest.data


def _write_tables(evaluation: Evaluation) -> None:
    for line in remarks(evaluation):
        click.echo(line)
    rows = [figures_row("all", evaluation.overall)]
    rows += [figures_row("complete", evaluation.complete)] if evaluation.complete else []
    rows += [figures_row("incomplete", evaluation.incomplete)] if evaluation.incomplete else []
    numbers(rows, ("lines", *HEADS))
    write_intervals(evaluation.interval)
    names = [row.predicate + ("" if row.known else " (unknown)") for row in evaluation.predicates]
    numbers(
        [figures_row(n, row.figures) for n, row in zip(names, evaluation.predicates, strict=True)],
        ("predicate", *HEADS),
    )
    write_scores(evaluation.curve, evaluation.at_recall, evaluation.target)
    write_calibration(evaluation.calibration)
