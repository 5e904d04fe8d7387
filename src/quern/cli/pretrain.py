"""``quern pretrain``: raw text in, an encoder to start trainings from out."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from quern.cli import options
from quern.cli.console import note, progress
from quern.errors import DataError, MissingExtra, TrainingError
from quern.settings import with_words

if TYPE_CHECKING:
    from quern.train.checkpoint import Checkpoint
    from quern.train.pretraining import Pretraining


@click.command("pretrain")
@click.argument("raw", nargs=-1, required=True, type=click.Path(path_type=Path))
@options.out
@click.option(
    "--hours",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="Time to train for, in all runs together; reading the texts comes before.",
)
@click.option(
    "--init",
    type=click.Path(path_type=Path),
    help="Folder of an encoder to go on from, with its vocabulary.",
)
@click.option(
    "--set",
    "words",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting, such as seed=3, max_units=30000, dim=96 (docs/training.md lists them).",
)
@options.resume
@options.overwrite
def command(
    raw: tuple[Path, ...],
    out: Path,
    hours: float,
    init: Path | None,
    words: tuple[str, ...],
    resume: bool,
    overwrite: bool,
) -> None:
    """Teach an encoder to read RAW text, so that trainings on few labels start further on.

    RAW are .txt files (a text a line) or .jsonl files (their "text"), gzipped or not, of any
    size: they are read once, and kept as numbers (about four bytes a character of Chinese)
    beside the folder until it is written. Units of the text are hidden and guessed; the share
    guessed right on held-out text is printed after every million units. More hours are
    better; a run that is stopped goes on with --resume.

    \b
    Examples:
      quern pretrain corpus.txt --out encoder --hours 4
      quern train triples train.jsonl --out model --init encoder
    """
    try:
        from quern.train.encoders import Pretrained
        from quern.train.pretraining import Pretraining, PretrainingPlan
    except ModuleNotFoundError as error:
        raise MissingExtra("quern pretrain", "train") from error
    if out.exists() and not overwrite:
        raise TrainingError(f"{out}: exists already; choose another name or pass --overwrite")
    missing = [str(path) for path in raw if not path.is_file()]
    if missing:
        raise DataError(f"no such file: {', '.join(missing)}")
    plan = with_words(PretrainingPlan(), words)
    work = out.with_name(out.name + ".training")
    start = None if init is None else Pretrained(init)
    with progress("reading", None, "characters") as advance:
        pretraining = Pretraining(raw, plan, work, init=start, advance=advance)
    checkpoint = pretraining.checkpoint()
    if checkpoint.resumes(resume=resume, overwrite=overwrite):
        pretraining.trainer.restore(checkpoint)
    units, names = len(pretraining.corpus.units), len(pretraining.codec.vocabulary)
    note(f"{units:,} units to read, {names:,} of them known by name")
    try:
        _run(pretraining, hours, checkpoint)
    except KeyboardInterrupt:
        note(f"stopped; go on with --resume ({work})")
        raise
    figures = pretraining.write(out, overwrite=overwrite)["held_out"]
    shutil.rmtree(work)
    note(f"wrote {out}: {figures['accuracy']:.1%} of hidden units guessed")


def _run(pretraining: Pretraining, hours: float, checkpoint: Checkpoint) -> None:
    from quern.train.loop import Step

    with ExitStack() as shown:
        bar = None
        for fact in pretraining.run(hours, checkpoint):
            if isinstance(fact, Step):
                if bar is None:
                    label = f"part {fact.epoch + 1}"
                    bar = shown.enter_context(progress(label, fact.steps, "steps"))
                bar(1, f"loss {fact.losses['masked']:.3f}")
                continue
            shown.close()
            bar = None
            scores = fact.scores
            note(
                f"part {fact.epoch + 1}: loss {fact.losses['masked']:.3f} | held out: "
                f"{scores['accuracy']:.2%} guessed, loss {scores['loss']:.3f} | "
                f"{fact.items / fact.seconds:,.0f} pieces/s, "
                f"{pretraining.hours:.2f} of {hours:g} hours"
            )
