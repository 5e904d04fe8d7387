"""``quern train``: labelled data in, a model folder out."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from quern.cli import options
from quern.cli.console import Advance, note, progress
from quern.errors import MissingExtra, TrainingError
from quern.folder import MANIFEST

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
    "--init",
    type=click.Path(path_type=Path),
    help="Folder of an encoder to start from (quern pretrain).",
)
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
@click.option(
    "--vectors",
    type=click.Path(path_type=Path),
    help="File of word vectors to read beside the units (quern vectors).",
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
@click.option(
    "--folds",
    type=click.IntRange(2),
    help="Train so many models, each without one part of TRAIN, into OUT/fold-0 and on; those "
    "that are there already are kept.",
)
@click.option("--resume", is_flag=True, help="Go on from where an earlier run was stopped.")
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
    if folds is None:
        if out.exists() and not overwrite:
            raise TrainingError(f"{out}: exists already; choose another name or pass --overwrite")
        fit = Fit(train, dev, chosen, allow=allow, start=start)
        return _run(fit, out, resume=resume, overwrite=overwrite)
    if (out / MANIFEST).exists():
        raise TrainingError(f"{out}: is a model folder; --folds wants a folder to put models into")
    for number in range(folds):
        part = out / f"fold-{number}"
        if part.exists() and not overwrite:
            note(f"{part}: is there already")
            continue
        note(f"fold {number + 1} of {folds}")
        fit = Fit(train, dev, chosen, allow=allow, start=start, fold=Fold(number, folds))
        _run(fit, part, resume=resume, overwrite=overwrite)


def _run(fit: Fit, out: Path, *, resume: bool, overwrite: bool) -> None:
    from quern.train.fit import listing

    guessed = fit.training.problems
    if guessed:
        note(f"labels that did not fit or were placed by guess:\n{listing(guessed)}")
    items, labels = len(fit.training.items.items), len(fit.training.labels)
    note(f"{items:,} windows to train on, {len(fit.training.dev):,} dev texts, {labels} labels")
    if (known := fit.training.priors) is not None:
        note(f"{len(known):,} known triples{_left_out(fit)}")
    watch = _Watch(fit)
    try:
        metrics = fit.run(out, resume=resume, overwrite=overwrite, report=watch)
    except KeyboardInterrupt:
        watch.close()
        kept = fit.checkpoint(out)
        note(f"stopped; go on with --resume ({kept.path})" if kept.exists else "stopped")
        raise
    finally:
        watch.close()
    figures = metrics["dev"]
    note(
        f"wrote {out}: dev F1 {figures['f1']:.4f}, precision {figures['precision']:.4f}, "
        f"recall {figures['recall']:.4f}"
    )


def _left_out(fit: Fit) -> str:
    """What to say of facts that no label can make use of."""
    predicates = {label.predicate for label in fit.training.labels}
    count = sum(fact.predicate not in predicates for fact in fit.facts)
    return f"; {count:,} facts have a predicate that no label has" if count else ""


class _Watch:
    """Shows a training: a bar within each epoch, a line after it."""

    def __init__(self, fit: Fit) -> None:
        self._items = len(fit.training.items.items)
        self._epochs = fit.plan.schedule.epochs
        self._began = time.monotonic()
        self._bar = ExitStack()
        self._advance: Advance | None = None

    def __call__(self, fact: Step | Epoch) -> None:
        """Show a fact of the training."""
        from quern.train.loop import Step

        if isinstance(fact, Step):
            self._step(fact)
        else:
            self.close()
            self._epoch(fact)

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()
        self._advance = None

    def _step(self, fact: Step) -> None:
        if self._advance is None:
            label = f"epoch {fact.epoch + 1}"
            self._advance = self._bar.enter_context(progress(label, self._items, "texts"))
        self._advance(fact.items, f"loss {sum(fact.losses.values()):.3f}")

    def _epoch(self, fact: Epoch) -> None:
        spent = (time.monotonic() - self._began) / 60
        losses = ", ".join(f"{name} {value:.4f}" for name, value in fact.losses.items())
        scores = ", ".join(f"{name} {value:.4f}" for name, value in fact.scores.items())
        note(
            f"epoch {fact.epoch + 1} ({'full' if fact.stage == 0 else 'fine'} rate): "
            f"loss {losses} | dev {scores}{' *' if fact.best else ''} | "
            f"{fact.items / fact.seconds:,.0f} texts/s, {spent:.1f} min, "
            f"at most {fact.seconds * (2 * self._epochs - fact.epoch - 1) / 60:.0f} more"
        )
