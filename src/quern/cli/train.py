"""``quern train``: labelled data in, a model folder out."""

from __future__ import annotations

from pathlib import Path

import click

from quern.cli import options
from quern.cli.console import note
from quern.cli.train_entities import entities
from quern.cli.train_linker import linker
from quern.cli.train_links import links
from quern.cli.train_ranks import ranks
from quern.cli.train_sentences import sentences
from quern.cli.train_titles import titles
from quern.cli.watch import run
from quern.errors import MissingExtra, TrainingError
from quern.folder import MANIFEST


@click.group("train")
def command() -> None:
    """Train a model on labelled data and write its folder (extra 'train')."""


command.add_command(links)
command.add_command(entities)
command.add_command(linker)
command.add_command(sentences)
command.add_command(ranks)
command.add_command(titles)


@command.command("triples")
@click.argument("train", type=click.Path(path_type=Path))
@options.dev
@options.out
@options.preset
@options.init
@click.option(
    "--priors",
    is_flag=True,
    help="Look up the triples of TRAIN in each text; a text never sees those it alone states.",
)
@click.option(
    "--facts",
    type=click.Path(path_type=Path),
    help="File of more triples to look up, [s, p, o] or an object a line; with it, --priors is on.",
)
@options.vectors
@options.settings
@options.allow
@click.option(
    "--folds",
    type=click.IntRange(2),
    help="Train so many models, each without one part of TRAIN, into OUT/fold-0 and on; those "
    "that are there already are kept.",
)
@click.option(
    "--fold",
    type=click.IntRange(0),
    help="Train only this one of --folds, counted from 0; so several can be trained side by side.",
)
@options.resume
@options.overwrite
def triples(
    train: Path,
    dev: Path | None,
    out: Path,
    preset: str,
    init: Path | None,
    priors: bool,
    facts: Path | None,
    vectors: Path | None,
    words: tuple[str, ...],
    allow: tuple[str, ...],
    folds: int | None,
    fold: int | None,
    resume: bool,
    overwrite: bool,
) -> None:
    """Learn to read triples from TRAIN, lines of {"text": …, "triples": [[s, p, o], …]}.

    The dev score is printed after every epoch and the best weights are kept. A run that is
    stopped goes on with --resume as if it had not been. The folder holds the model, its
    scores, its learning curves and its card.

    With --priors the model carries the triples of TRAIN along. Where the two ends of one stand
    in a text, it is told so, and learns how far to trust that; --facts brings more of them.

    \b
    Examples:
      quern check triples train.jsonl --dev dev.jsonl
      quern train triples train.jsonl --dev dev.jsonl --out model
      quern train triples train.jsonl --out small --preset fast --set epochs=10
      quern train triples train.jsonl --out better --init encoder --vectors words.safetensors
      quern train triples train.jsonl --out folds --folds 8
      quern train triples train.jsonl --out knowing --priors
      quern train triples train.jsonl --out knowing --facts known.jsonl
    """
    try:
        from quern.train.fit import Fit, Fold, Start
        from quern.train.settings import plan
    except ModuleNotFoundError as error:
        raise MissingExtra("quern train", "train") from error
    chosen = plan(preset, [*words, "priors=true"] if priors else words)
    start = Start(init, vectors, facts)
    if fold is not None and fold >= (folds or 0):
        raise click.UsageError("--fold wants --folds, and counts from 0 to one less")
    if folds is None:
        if out.exists() and not overwrite:
            raise TrainingError(f"{out}: exists already; choose another name or pass --overwrite")
        fit = Fit(train, dev, chosen, allow=allow, start=start)
        run(fit, out, resume=resume, overwrite=overwrite)
        return
    if (out / MANIFEST).exists():
        raise TrainingError(f"{out}: is a model folder; --folds wants a folder to put models into")
    for number in range(folds) if fold is None else [fold]:
        part = out / f"fold-{number}"
        if part.exists() and not overwrite:
            note(f"{part}: is there already")
            continue
        note(f"fold {number + 1} of {folds}")
        fit = Fit(train, dev, chosen, allow=allow, start=start, fold=Fold(number, folds))
        run(fit, part, resume=resume, overwrite=overwrite)
