"""``quern train entities``: labelled mentions and a knowledge base in, a model folder out."""

from __future__ import annotations

from pathlib import Path

import click

from quern.cli import options
from quern.cli.watch import run
from quern.errors import MissingExtra, TrainingError


@click.command("entities")
@click.argument("train", type=click.Path(path_type=Path))
@options.dev
@options.base
@options.out
@options.preset
@options.init
@options.vectors
@click.option(
    "--meaning",
    type=click.Path(path_type=Path),
    help="A model folder that finds entities by what a mention says (quern train ranks --kb); it "
    "becomes a part of the new one.",
)
@options.settings
@options.allow
@options.resume
@options.overwrite
def entities(
    train: Path,
    dev: Path | None,
    kb: Path,
    out: Path,
    preset: str,
    init: Path | None,
    vectors: Path | None,
    meaning: Path | None,
    words: tuple[str, ...],
    allow: tuple[str, ...],
    resume: bool,
    overwrite: bool,
) -> None:
    """Learn from TRAIN which entity of a knowledge base a mention means.

    Its lines are those of quern train links. A mention may mean any entity whose name is like
    its words, or none of them (kb_id null or "NIL"). The accuracy on dev, given the mentions, is
    printed after every epoch and the best weights are kept. A run that is stopped goes on with
    --resume as if it had not been.

    \b
    Examples:
      quern check links train.jsonl --dev dev.jsonl --kb films.kb
      quern train entities train.jsonl --dev dev.jsonl --kb films.kb --out my-entities
      quern train entities train.jsonl --kb films.kb --out my-entities --init my-links
      quern train entities train.jsonl --kb films.kb --out my-entities --meaning my-meanings
    """
    try:
        from quern.train.entity_fit import EntityFit
        from quern.train.fit import Start
        from quern.train.settings import entity_plan
    except ModuleNotFoundError as error:
        raise MissingExtra("quern train", "train") from error
    from quern.kb import KnowledgeBase

    chosen = entity_plan(preset, words)
    if out.exists() and not overwrite:
        raise TrainingError(f"{out}: exists already; choose another name or pass --overwrite")
    with KnowledgeBase.open(kb) as base:
        start = Start(init, vectors)
        fit = EntityFit(train, dev, base, chosen, allow=allow, start=start, meaning=meaning)
        run(fit, out, resume=resume, overwrite=overwrite)
