"""``quern train links``: labelled mentions in, a model folder out."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from quern.cli import options
from quern.cli.watch import run
from quern.errors import MissingExtra, TrainingError


@click.command("links")
@click.argument("train", type=click.Path(path_type=Path))
@options.dev
@options.out
@options.preset
@options.init
@click.option(
    "--kb",
    type=click.Path(path_type=Path),
    help="Knowledge base (quern kb) whose names are looked up in each text. "
    "[default: the names that TRAIN labels; a text never sees those it alone labels]",
)
@options.vectors
@options.settings
@options.allow
@options.resume
@options.overwrite
def links(
    train: Path,
    dev: Path | None,
    out: Path,
    preset: str,
    init: Path | None,
    kb: Path | None,
    vectors: Path | None,
    words: tuple[str, ...],
    allow: tuple[str, ...],
    resume: bool,
    overwrite: bool,
) -> None:
    """Learn to find mentions from TRAIN.

    Its lines are {"text": …, "mentions": [{"mention": …, "start": …, "kb_id": …}, …]}. A mention
    of no entity (kb_id null or "NIL") is learned like any other. The dev score is printed after
    every epoch and the best weights are kept. A run that is stopped goes on with --resume as if
    it had not been.

    \b
    Examples:
      quern check links train.jsonl --dev dev.jsonl
      quern train links train.jsonl --dev dev.jsonl --out my-links
      quern train links train.jsonl --out my-links --kb kb.sqlite --init encoder
    """
    try:
        from quern.train.fit import Start
        from quern.train.link_fit import LinkFit
        from quern.train.settings import link_plan
    except ModuleNotFoundError as error:
        raise MissingExtra("quern train", "train") from error
    from quern.kb import KnowledgeBase

    chosen = link_plan(preset, words)
    if out.exists() and not overwrite:
        raise TrainingError(f"{out}: exists already; choose another name or pass --overwrite")
    with ExitStack() as stack:
        base = None if kb is None else stack.enter_context(KnowledgeBase.open(kb))
        fit = LinkFit(train, dev, chosen, allow=allow, start=Start(init, vectors), kb=base)
        run(fit, out, resume=resume, overwrite=overwrite)
