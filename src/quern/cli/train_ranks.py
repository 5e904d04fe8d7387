"""``quern train ranks``: texts with their items in, a model folder out."""

from __future__ import annotations

from pathlib import Path

import click

from quern.cli import options
from quern.cli.watch import run
from quern.errors import MissingExtra, TrainingError


@click.command("ranks")
@click.argument("train", type=click.Path(path_type=Path))
@click.option(
    "--catalogue",
    type=click.Path(path_type=Path),
    required=True,
    help='All items: lines of {"id": …, "text": …, "popularity": …}, the last two perhaps.',
)
@options.dev
@options.out
@click.option(
    "--preset",
    type=click.Choice(["full", "fast", "wide"]),
    default="full",
    show_default=True,
    help="full: convolutions beside a bag of units and phrases. fast: the bag alone. wide: one "
    "wide convolution with max pooling, and a free vector for each item.",
)
@options.init
@options.vectors
@options.settings
@click.option(
    "--allow",
    multiple=True,
    type=click.Choice(["unknown"]),
    help="Go on without labels that name an item the catalogue lacks.",
)
@options.resume
@options.overwrite
def ranks(
    train: Path,
    catalogue: Path,
    dev: Path | None,
    out: Path,
    preset: str,
    init: Path | None,
    vectors: Path | None,
    words: tuple[str, ...],
    allow: tuple[str, ...],
    resume: bool,
    overwrite: bool,
) -> None:
    """Learn from TRAIN which items of a catalogue a text is about.

    Its lines are {"text": …, "item": …}, or with several "items", and perhaps "negatives". Items
    are tags, products, entities, or other texts. The dev score is the mean of 1 / rank of the
    right item among all. A run that is stopped goes on with --resume as if it had not been.

    \b
    Examples:
      quern train ranks train.jsonl --catalogue tags.jsonl --out my-tags --preset fast
      quern train ranks train.jsonl --catalogue tags.jsonl --out my-tags --set loss=warp
    """
    try:
        from quern.train.fit import Start
        from quern.train.rank_fit import RankFit
        from quern.train.settings import rank_plan
    except ModuleNotFoundError as error:
        raise MissingExtra("quern train", "train") from error
    chosen = rank_plan(preset, words)
    if out.exists() and not overwrite:
        raise TrainingError(f"{out}: exists already; choose another name or pass --overwrite")
    fit = RankFit(train, dev, catalogue, chosen, allow=allow, start=Start(init, vectors))
    run(fit, out, resume=resume, overwrite=overwrite)
