"""``quern train titles``: documents with titles in, a model folder out."""

from __future__ import annotations

from pathlib import Path

import click

from quern.cli import options
from quern.cli.watch import run
from quern.errors import MissingExtra, TrainingError


@click.command("titles")
@click.argument("train", type=click.Path(path_type=Path))
@options.dev
@options.out
@click.option(
    "--preset",
    type=click.Choice(["full", "fast"]),
    default="full",
    show_default=True,
    help="full: the better titles. fast: half the convolutions, narrower, one recurrent layer.",
)
@options.init
@options.vectors
@options.settings
@options.resume
@options.overwrite
def titles(
    train: Path,
    dev: Path | None,
    out: Path,
    preset: str,
    init: Path | None,
    vectors: Path | None,
    words: tuple[str, ...],
    resume: bool,
    overwrite: bool,
) -> None:
    """Learn to give titles to documents from TRAIN, lines of {"body": …, "title": …}.

    A title is written piece by piece, or takes words over from the document, so that names which
    no vocabulary holds can stand in it. Of a document the first units are read (limit); what is
    cut is counted and told. The dev score is ROUGE-L of up to 300 dev titles. The folder gives
    vectors of documents, too (quern vectors-of). A run that is stopped goes on with --resume as
    if it had not been.

    \b
    Examples:
      quern train titles train.jsonl --dev dev.jsonl --out my-titles
      quern train titles train.jsonl --out small --preset fast --set epochs=5
      quern train titles train.jsonl --out my-titles --init encoder --set limit=200
      quern train titles train.jsonl --out plain --set copy=false --set attention=false
    """
    try:
        from quern.train.fit import Start
        from quern.train.settings import title_plan
        from quern.train.title_fit import TitleFit
    except ModuleNotFoundError as error:
        raise MissingExtra("quern train", "train") from error
    chosen = title_plan(preset, words)
    if out.exists() and not overwrite:
        raise TrainingError(f"{out}: exists already; choose another name or pass --overwrite")
    fit = TitleFit(train, dev, chosen, start=Start(init, vectors))
    run(fit, out, resume=resume, overwrite=overwrite)
