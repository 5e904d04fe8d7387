"""``quern train sentences``: groups of sentences in, a model folder out."""

from __future__ import annotations

from pathlib import Path

import click

from quern.cli import options
from quern.cli.watch import run
from quern.errors import MissingExtra, TrainingError


@click.command("sentences")
@click.argument("train", type=click.Path(path_type=Path))
@click.option(
    "--dev",
    type=click.Path(path_type=Path),
    help="Labelled sentences to choose by, ranked among themselves. [default: every tenth group "
    "of TRAIN, held out; every tenth sentence where groups are few and large]",
)
@options.out
@click.option(
    "--preset",
    type=click.Choice(["full", "fast", "gru"]),
    default="full",
    show_default=True,
    help="full: convolutions beside a bag of units and phrases. fast: the bag alone, many times "
    "the speed. gru: recurrent, as in the article.",
)
@options.init
@options.vectors
@options.settings
@options.resume
@options.overwrite
def sentences(
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
    """Learn vectors of sentences from TRAIN, near for those of one group.

    Its lines are {"text": …, "group": …}; sentences of one group mean the same. The model knows no
    groups afterwards: it gives vectors of any sentences, whose product says how alike they are.
    The dev score is how often the nearest other sentence is of the same group. The best weights
    are kept. A run that is stopped goes on with --resume as if it had not been.

    \b
    Examples:
      quern check sentences train.jsonl --dev dev.jsonl
      quern train sentences train.jsonl --out my-sentences
      quern train sentences intents.jsonl --out intents --preset fast --set loss=am-softmax
      quern train sentences train.jsonl --out my-sentences --init encoder --set hard=0.5
    """
    try:
        from quern.train.fit import Start
        from quern.train.sentence_fit import SentenceFit
        from quern.train.settings import sentence_plan
    except ModuleNotFoundError as error:
        raise MissingExtra("quern train", "train") from error
    chosen = sentence_plan(preset, words)
    if out.exists() and not overwrite:
        raise TrainingError(f"{out}: exists already; choose another name or pass --overwrite")
    fit = SentenceFit(train, dev, chosen, start=Start(init, vectors))
    run(fit, out, resume=resume, overwrite=overwrite)
