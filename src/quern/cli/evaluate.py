"""``quern evaluate``: the score of a model on labelled data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import click
import msgspec

from quern.cli import options
from quern.cli.console import counted, note
from quern.cli.evaluate_links import evaluate_links
from quern.cli.rules import read_schema, schema_options, tell_counts, tell_unknown
from quern.cli.table import columns
from quern.data import data_hash, read_triples
from quern.errors import DataError
from quern.evaluation import Evaluation, Judged, comparable, judge, report, summarise
from quern.evaluation.figures import Figures, cuts, most_precise
from quern.evaluation.wording import (
    GOAL_HEADS,
    calibration_error,
    goal_row,
    number,
    remarks,
    share,
)
from quern.folder import ModelFolder
from quern.schema import Rule
from quern.shipped import find, load_triples
from quern.triples import ReadsTriples

_HEADS = ("wanted", "given", "right", "precision", "recall", "F1")


@click.command("evaluate")
@click.argument("model")
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--strict",
    is_flag=True,
    help="A fact is right only if its places and types are; needs labels with offsets.",
)
@click.option(
    "--report",
    "page",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write an HTML page with figures, curves and errors to this file.",
)
@click.option(
    "--errors",
    type=click.IntRange(0),
    default=200,
    show_default=True,
    help="The largest number of texts with errors on the page.",
)
@click.option(
    "--target-precision",
    "target",
    type=click.FloatRange(0, 1, min_open=True),
    help="Name the least score that reaches this precision on DATA.",
)
@schema_options
@options.kb
@options.table_or_json
@options.threads
def command(
    model: str,
    data: Path,
    strict: bool,
    page: Path | None,
    errors: int,
    target: float | None,
    schema_file: Path | None,
    without: tuple[Rule, ...],
    kb: Path | None,
    form: Literal["table", "json"],
    threads: int,
) -> None:
    """Score MODEL, a folder or the name of a model that ships with quern, on labelled DATA.

    DATA holds one JSON object a line, with a "text" and its "triples", as for training. A fact
    is right if subject, predicate and object are those of a label, word for word.

    A model of links is scored on lines with a "text" and its "mentions"; a mention is right if
    it begins and ends where a label does. It takes --kb, --format and --threads.

    \b
    Examples:
      quern evaluate my-model test.jsonl
      quern evaluate my-model test.jsonl --report errors.html
      quern evaluate my-model test.jsonl --target-precision 0.95
      quern evaluate my-model test.jsonl --strict --format json > scores.json
    """
    if page is not None and not page.absolute().parent.is_dir():
        raise click.BadParameter(f"{page.parent}: no such folder", param_hint="--report")
    if (folder := _links(model)) is not None:
        of_facts = {"--strict": strict, "--report": page, "--target-precision": target}
        _refuse(model, of_facts | {"--schema": schema_file})
        return evaluate_links(folder, data, kb, form, threads)
    _refuse(model, {"--kb": kb})
    reader, trained_on = _open(model)
    known = frozenset(label.predicate for label in reader.labels)
    if (schema := read_schema(schema_file, without)) is not None:
        tell_unknown(schema, known)
    examples = read_triples(data)
    how, some = comparable(reader, examples, strict)
    answers = judge(reader, some, how, threads, schema)
    judged = list(counted(answers, "evaluating", total=len(some), unit="texts"))
    tell_counts(schema)
    left_out = len(examples) - len(some)
    evaluation = summarise(judged, how, known, left_out, reader.calibration, target)
    digest = data_hash(data)
    if digest == trained_on:
        note(f"{data}: the model was trained on this very file; on new texts expect less")
    if page is not None:
        what = model + (f" with {schema_file.name}" if schema_file else "")
        _write_page(page, report(evaluation, judged, f"{what} on {data.name}", errors))
    if form == "json":
        ruled = {"schema": str(schema_file), "without": without} if schema_file else {}
        head = {"model": model, "data": str(data), "data_sha256": digest, **ruled}
        _write_json(head, evaluation)
    else:
        _write_tables(evaluation)
    if evaluation.target is not None and evaluation.target.figures is None:
        raise DataError(f"{data}: {_out_of_reach(evaluation.target.goal, judged)}")


def _links(model: str) -> ModelFolder | None:
    """The folder of a model that finds mentions, None of any other."""
    folder = ModelFolder(find(model))
    return folder if folder.manifest.task == "links" else None


def _refuse(model: str, given: Mapping[str, object]) -> None:
    """Refuse options that are not for the task of a model."""
    for option, value in given.items():
        if value:
            raise click.UsageError(f"{option} is not for a model such as {model}")


def _open(model: str) -> tuple[ReadsTriples, str | None]:
    """The model, and the SHA-256 of the data that it was trained on."""
    path = find(model)
    return load_triples(path), ModelFolder(path).manifest.data


def _out_of_reach(precision: float, judged: Sequence[Judged]) -> str:
    best = most_precise(cuts([fact for text in judged for fact in text.facts]), 0.0)
    reached = share(best.figures.precision) if best else "none, as no fact was given"
    return (
        f"no least score reaches a precision of {precision:g}; the best is {reached}. "
        "Ask for less, or train on more labels"
    )


def _write_page(page: Path, html: str) -> None:
    # A lone surrogate is no text that a file can hold.
    page.write_text(html, "utf-8", errors="xmlcharrefreplace", newline="\n")
    note(f"{page}: written")


def _write_json(head: dict[str, Any], evaluation: Evaluation) -> None:
    row = msgspec.json.encode({**head, **msgspec.to_builtins(evaluation)})
    click.echo(msgspec.json.format(row, indent=2).decode())


def _write_tables(evaluation: Evaluation) -> None:
    for line in remarks(evaluation):
        click.echo(line)
    rows = [_row("all", evaluation.overall)]
    rows += [_row("complete", evaluation.complete)] if evaluation.complete else []
    rows += [_row("incomplete", evaluation.incomplete)] if evaluation.incomplete else []
    _table(rows, ("lines", *_HEADS))
    between = evaluation.interval
    spans = [
        f"{name} {share(span[0])} – {share(span[1])}"
        for name, span in (
            ("precision", between.precision),
            ("recall", between.recall),
            ("F1", between.f1),
        )
        if span is not None
    ]
    if spans:
        click.echo(f"95 % intervals over texts: {', '.join(spans)}")
    names = [row.predicate + ("" if row.known else " (unknown)") for row in evaluation.predicates]
    _table(
        [_row(n, row.figures) for n, row in zip(names, evaluation.predicates, strict=True)],
        ("predicate", *_HEADS),
    )
    curve = [_row(f"{point.min_score:.1f}", point.figures) for point in evaluation.curve[::2]]
    _table(curve, ("least score", *_HEADS))
    _table([goal_row(made) for made in evaluation.at_recall], ("recall ≥", *GOAL_HEADS))
    if evaluation.target is not None:
        _table([goal_row(evaluation.target)], ("precision ≥", *GOAL_HEADS))
    if evaluation.calibration is not None:
        _table(
            [
                [f"{b.low:.1f} – {b.high:.1f}", number(b.given), share(b.score), share(b.right)]
                for b in evaluation.calibration.bins
            ],
            ("score", "given", "mean score", "share right"),
        )
        click.echo(calibration_error(evaluation.calibration))


def _row(name: str, f: Figures) -> list[str]:
    counts = [number(value) for value in (f.wanted, f.given, f.right)]
    return [name, *counts, *(share(value) for value in (f.precision, f.recall, f.f1))]


def _table(rows: Sequence[Sequence[str]], heads: Iterable[str]) -> None:
    """A table whose first column is text and whose others are numbers, set to the right."""
    first, *others = zip(heads, *rows, strict=True)
    set_right = [[cell.rjust(max(map(len, column))) for cell in column] for column in others]
    lines = list(zip(first, *set_right, strict=True))
    columns(lines[1:], lines[0])
