"""``quern distill``: one small model out of a teacher and many texts."""

from __future__ import annotations

from pathlib import Path

import click

from quern.cli import options
from quern.cli.console import note, progress
from quern.cli.watch import run
from quern.errors import MissingExtra, TrainingError
from quern.settings import with_words
from quern.shipped import find


@click.command("distill")
@click.argument("teacher")
@click.option(
    "--train",
    "labelled",
    type=click.Path(path_type=Path),
    help="Labelled data to learn from, too.",
)
@click.option(
    "--raw",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Texts without labels: .txt (a text a line) or .jsonl, gzipped or not; can be repeated.",
)
@click.option(
    "--dev",
    type=click.Path(path_type=Path),
    help="Labelled data to choose by. [default: every tenth text of --train, held out]",
)
@options.out
@options.preset
@options.init
@click.option(
    "--facts",
    type=click.Path(path_type=Path),
    help="File of triples to look up, beside those of --train (as in quern train).",
)
@options.vectors
@click.option(
    "--set",
    "words",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting, such as trust=0.3, epochs=20, seed=3 (docs/training.md lists them).",
)
@options.allow
@options.resume
@options.overwrite
def command(
    teacher: str,
    labelled: Path | None,
    raw: tuple[Path, ...],
    dev: Path | None,
    out: Path,
    preset: str,
    init: Path | None,
    facts: Path | None,
    vectors: Path | None,
    words: tuple[str, ...],
    allow: tuple[str, ...],
    resume: bool,
    overwrite: bool,
) -> None:
    """Teach one model what TEACHER says of texts: an ensemble, or any triple model.

    The teacher reads every text once; its probabilities are kept beside the folder until it is
    written, and a reading that is stopped goes on where it was. Then the student learns from
    them, and from the labels where there are any, as in `quern train`. It reads with the speed
    of one model.

    \b
    Example:
      quern ensemble folds/* --out ensemble --data dev.jsonl
      quern distill ensemble --train train.jsonl --raw more.txt --dev dev.jsonl --out model
    """
    try:
        from quern.train.distilling import Distilling, DistillingPlan, Texts
        from quern.train.fit import Start
    except ModuleNotFoundError as error:
        raise MissingExtra("quern distill", "train") from error
    from quern.triples import PRESETS

    if out.exists() and not overwrite:
        raise TrainingError(f"{out}: exists already; choose another name or pass --overwrite")
    plan = with_words(DistillingPlan(settings=PRESETS[preset]), words)
    texts, start = Texts(labelled, raw, dev), Start(init, vectors, facts)
    distilling = Distilling(find(teacher), texts, plan, allow=allow, start=start)
    if distilling.raw.left_out:
        note(f"{distilling.raw.left_out:,} raw texts are labelled or dev texts, and are left out")
    with progress("the teacher reads", None, "texts") as advance:
        distilling.read(out, resume=resume, overwrite=overwrite, advance=advance)
    if raw:
        told, untold = distilling.items.raw
        note(
            f"the teacher sees what could be a subject in {told:,} of {told + untold:,} raw texts; "
            "the others teach that nothing is there"
        )
    figures = run(distilling, out, resume=resume, overwrite=overwrite)
    note(f"its teacher: dev F1 {figures['teacher']['f1']:.4f}")
