"""``quern evaluate``: the score of a model on labelled data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import click

from quern.cli import options
from quern.cli.evaluate_links import evaluate_choices, evaluate_linking, evaluate_mentions
from quern.cli.evaluate_ranks import evaluate_ranks
from quern.cli.evaluate_sentences import evaluate_sentences
from quern.cli.evaluate_tables import Asked
from quern.cli.evaluate_titles import evaluate_titles
from quern.cli.evaluate_triples import Ruled, evaluate_triples
from quern.cli.rules import read_schema, schema_options
from quern.folder import ModelFolder
from quern.schema import Rule
from quern.shipped import find
from quern.tasks import load_titles


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
    help="The largest number of texts on the page: those with errors; of titles, some by chance.",
)
@click.option(
    "--target-precision",
    "target",
    type=click.FloatRange(0, 1, min_open=True),
    help="Name the least score that reaches this precision on DATA.",
)
@schema_options
@options.kb
@click.option(
    "--entities",
    help="A model that chooses entities (quern train entities), to be scored together with MODEL, "
    "which finds the mentions.",
)
@click.option(
    "--known",
    type=click.Path(path_type=Path),
    help="For a model of sentences: the sentences among which those of DATA are looked for. "
    "[default: DATA itself]",
)
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
    entities: str | None,
    known: Path | None,
    form: Literal["table", "json"],
    threads: int,
) -> None:
    """Score MODEL, a folder or the name of a model that ships with quern, on labelled DATA.

    DATA holds one JSON object a line, with a "text" and its "triples", as for training. A fact
    is right if subject, predicate and object are those of a label, word for word.

    Models of links are scored on lines with a "text" and its "mentions". A mention is right if
    it begins and ends where a label does. A model that chooses entities is given the labelled
    mentions, and wants --kb. A model that finds mentions and --entities are scored from end to
    end: a link is right if its place and its entity are. None of them takes --strict or --schema.

    Models of sentences are scored on lines of {"text", "group"}: each is looked for among all
    others, or among those of --known. On lines of {"text", "other", "score"} the cosines of
    the pairs are compared with their scores. Models of ranks are scored on lines of {"text",
    "item"}: how far up their items come; with --kb on lines with "mentions". Models of titles are
    scored on lines of {"body", "title"}: how near the titles that they propose come, with figures
    that want the extra 'evaluate'.

    \b
    Examples:
      quern evaluate my-model test.jsonl
      quern evaluate my-model test.jsonl --report errors.html
      quern evaluate my-model test.jsonl --target-precision 0.95
      quern evaluate my-model test.jsonl --strict --format json > scores.json
      quern evaluate my-entities test.jsonl --kb kb.sqlite --report errors.html
      quern evaluate my-links test.jsonl --entities my-entities --kb kb.sqlite
      quern evaluate my-sentences test.jsonl --known train.jsonl
      quern evaluate my-titles test.jsonl --report samples.html
    """
    if page is not None and not page.absolute().parent.is_dir():
        raise click.BadParameter(f"{page.parent}: no such folder", param_hint="--report")
    asked = Asked(data, kb, page, errors, target, form, threads)
    ruled_out = {"--strict": strict, "--schema": schema_file, "--without": without}
    if (folder := _of_other_task(model)) is None:
        _refuse(model, {"--kb": kb, "--entities": entities, "--known": known})
    else:
        _refuse(model, ruled_out)
        return _evaluate_other(folder, asked, entities, known)
    schema = read_schema(schema_file, without)
    ruled = None if schema is None or schema_file is None else Ruled(schema, schema_file, without)
    evaluate_triples(model, asked, strict, ruled)


def _of_other_task(model: str) -> ModelFolder | None:
    """The folder of a model that does not read triples, None of one that does."""
    folder = ModelFolder(find(model))
    return None if folder.manifest.task == "triples" else folder


def _evaluate_other(
    folder: ModelFolder, asked: Asked, entities: str | None, known: Path | None
) -> None:
    """Score a model that does not read triples."""
    task, model = folder.manifest.task, str(folder.path)
    if task not in ("sentences", "ranks", "titles"):
        _refuse(model, {"--known": known})
        return _evaluate_links(folder, entities, asked)
    _refuse(model, {"--entities": entities, "--target-precision": asked.target})
    if task == "titles":
        _refuse(model, {"--kb": asked.kb, "--known": known})
        return evaluate_titles(folder, load_titles(folder.path, threads=asked.threads), asked)
    _refuse(model, {"--report": asked.page})
    if task == "sentences":
        _refuse(model, {"--kb": asked.kb})
        return evaluate_sentences(folder, asked, known)
    _refuse(model, {"--known": known})
    return evaluate_ranks(folder, asked)


def _evaluate_links(folder: ModelFolder, entities: str | None, asked: Asked) -> None:
    if entities is None and folder.manifest.task == "links":
        return evaluate_mentions(folder, asked)
    _refuse(str(folder.path), {"--target-precision": asked.target})
    if folder.manifest.task == "links" and entities is not None:
        return evaluate_linking(folder, ModelFolder(find(entities)), asked)
    _refuse(str(folder.path), {"--entities": entities})
    return evaluate_choices(folder, asked)


def _refuse(model: str, given: Mapping[str, object]) -> None:
    """Refuse options that are not for the task of a model."""
    for option, value in given.items():
        if value:
            raise click.UsageError(f"{option} is not for a model such as {model}")
