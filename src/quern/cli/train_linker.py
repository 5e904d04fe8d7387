"""``quern train linker``: labelled mentions and a knowledge base in, both models of links out."""

from __future__ import annotations

from pathlib import Path

import click

from quern.cli import options
from quern.cli.watch import run
from quern.errors import MissingExtra, TrainingError


@click.command("linker")
@click.argument("train", type=click.Path(path_type=Path))
@options.dev
@options.base
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder to write two model folders into, mentions and entities.",
)
@options.preset
@options.init
@options.vectors
@options.settings
@options.allow
@options.resume
@options.overwrite
def linker(
    train: Path,
    dev: Path | None,
    kb: Path,
    out: Path,
    preset: str,
    init: Path | None,
    vectors: Path | None,
    words: tuple[str, ...],
    allow: tuple[str, ...],
    resume: bool,
    overwrite: bool,
) -> None:
    """Learn from TRAIN to find mentions and to choose what they mean, with one encoder for both.

    What quern train links and quern train entities do one after the other is done in one
    training, and two model folders are written, OUT/mentions and OUT/entities, each to be used as
    if it had been trained by itself. After every epoch both dev scores are printed; the weights
    with the best harmonic mean of the two are kept. Names that are looked up in texts are those
    that TRAIN labels, with --set names=base those of the base.

    \b
    Examples:
      quern check links train.jsonl --dev dev.jsonl --kb films.kb
      quern train linker train.jsonl --dev dev.jsonl --kb films.kb --out linker
      quern link --model linker/mentions --entities linker/entities --kb films.kb notes.txt
    """
    try:
        from quern.train.fit import Start
        from quern.train.linker_fit import LinkerFit
        from quern.train.settings import linker_plan
    except ModuleNotFoundError as error:
        raise MissingExtra("quern train", "train") from error
    from quern.kb import KnowledgeBase

    chosen = linker_plan(preset, words)
    if out.exists() and not overwrite:
        raise TrainingError(f"{out}: exists already; choose another name or pass --overwrite")
    with KnowledgeBase.open(kb) as base:
        fit = LinkerFit(train, dev, base, chosen, allow=allow, start=Start(init, vectors))
        run(fit, out, resume=resume, overwrite=overwrite)
