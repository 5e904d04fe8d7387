"""``quern train``: labelled data in, a model folder out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from quern.cli import options
from quern.cli.console import note, progress
from quern.errors import MissingExtra, TrainingError

if TYPE_CHECKING:
    from quern.train.fit import Fit
    from quern.train.loop import Epoch, Step


@click.group("train")
def command() -> None:
    """Train a model on labelled data and write its folder (extra 'train')."""


@command.command("triples")
@click.argument("train", type=click.Path(path_type=Path))
@click.option(
    "--dev",
    type=click.Path(path_type=Path),
    help="Labelled data to choose by. [default: every tenth text of TRAIN, held out]",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")
@click.option(
    "--preset",
    type=click.Choice(["full", "fast"]),
    default="full",
    show_default=True,
    help="full: the better scores. fast: half the layers, no attention, several times the speed.",
)
@click.option(
    "--set",
    "words",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting, such as seed=3, epochs=20, augment=0.5 (docs/training.md lists them).",
)
@click.option(
    "--allow",
    multiple=True,
    type=click.Choice(["absent", "border", "window"]),
    help="Go on without labels that do not occur, cut through a word, or fit no window.",
)
@click.option("--resume", is_flag=True, help="Go on from where an earlier run was stopped.")
@options.overwrite
def triples(
    train: Path,
    dev: Path | None,
    out: Path,
    preset: str,
    words: tuple[str, ...],
    allow: tuple[str, ...],
    resume: bool,
    overwrite: bool,
) -> None:
    """Learn to read triples from TRAIN, lines of {"text": …, "triples": [[s, p, o], …]}.

    The dev score is printed after every epoch and the best weights are kept. A run that is
    stopped goes on with --resume as if it had not been. The folder holds the model, its
    scores, its learning curves and its card.

    \b
    Examples:
      quern check triples train.jsonl --dev dev.jsonl
      quern train triples train.jsonl --dev dev.jsonl --out model
      quern train triples train.jsonl --out small --preset fast --set epochs=10
    """
    try:
        from quern.train.fit import Fit, listing
        from quern.train.settings import plan
    except ModuleNotFoundError as error:
        raise MissingExtra("quern train", "train") from error
    if out.exists() and not overwrite:
        raise TrainingError(f"{out}: exists already; choose another name or pass --overwrite")
    fit = Fit(train, dev, plan(preset, words), allow=allow)
    guessed = fit.training.problems
    if guessed:
        note(f"labels that did not fit or were placed by guess:\n{listing(guessed)}")
    items, labels = len(fit.training.items.items), len(fit.training.labels)
    note(f"{items:,} windows to train on, {len(fit.training.dev):,} dev texts, {labels} labels")
    try:
        metrics = _Watch(fit).run(out, resume, overwrite)
    except KeyboardInterrupt:
        kept = fit.checkpoint(out)
        note(f"stopped; go on with --resume ({kept.path})" if kept.exists else "stopped")
        raise
    figures = metrics["dev"]
    note(
        f"wrote {out}: dev F1 {figures['f1']:.4f}, precision {figures['precision']:.4f}, "
        f"recall {figures['recall']:.4f}"
    )


class _Watch:
    """Shows a training: a bar within the epoch, a line after it."""

    def __init__(self, fit: Fit) -> None:
        self._fit = fit
        self._began = time.monotonic()

    def run(self, out: Path, resume: bool, overwrite: bool) -> dict:  # type: ignore[type-arg]
        items = len(self._fit.training.items.items)
        with progress("training", None, "texts") as self._advance:
            self._items = items
            return self._fit.run(out, resume=resume, overwrite=overwrite, report=self._show)

    def _show(self, fact: Step | Epoch) -> None:
        from quern.train.loop import Step

        if isinstance(fact, Step):
            loss = sum(fact.losses.values())
            self._advance(
                fact.items, f"epoch {fact.epoch + 1}, {fact.step}/{fact.steps}, loss {loss:.3f}"
            )
            return
        spent = time.monotonic() - self._began
        losses = ", ".join(f"{name} {value:.4f}" for name, value in fact.losses.items())
        scores = ", ".join(f"{name} {value:.4f}" for name, value in fact.scores.items())
        note(
            f"epoch {fact.epoch + 1} ({'full' if fact.stage == 0 else 'fine'} rate): "
            f"loss {losses} | dev {scores}{' *' if fact.best else ''} | "
            f"{fact.items / fact.seconds:,.0f} texts/s, {spent / 60:.1f} min"
        )
