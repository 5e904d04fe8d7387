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
    help='All items: lines of {"id": …, "text": …, "popularity": …}, the last two perhaps.',
)
@click.option(
    "--kb",
    type=click.Path(path_type=Path),
    help="In place of a catalogue: the entities of a knowledge base, by all their names. TRAIN "
    "and --dev are then labelled mentions, as for quern train entities.",
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
    catalogue: Path | None,
    kb: Path | None,
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
      quern train ranks mentions.jsonl --kb films.kb --out my-meanings --preset fast
    """
    if (catalogue is None) == (kb is None):
        raise click.UsageError("give the items: --catalogue FILE, or --kb FILE")
    try:
        from quern.train.fit import Start
        from quern.train.rank_fit import RankFit
        from quern.train.settings import rank_plan
    except ModuleNotFoundError as error:
        raise MissingExtra("quern train", "train") from error
    chosen = rank_plan(preset, words)
    if out.exists() and not overwrite:
        raise TrainingError(f"{out}: exists already; choose another name or pass --overwrite")
    start = Start(init, vectors)
    if catalogue is not None:
        fit = RankFit(train, dev, catalogue, chosen, allow=allow, start=start)
    else:
        with options.opened(kb) as base:
            fit = RankFit.of_base(train, dev, base, chosen, start=start)
    run(fit, out, resume=resume, overwrite=overwrite)
