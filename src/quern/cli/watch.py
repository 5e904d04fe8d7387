"""How verbs show a training: what goes in, a bar within each epoch, a line after it, the end."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quern.cli.console import Advance, note, progress

if TYPE_CHECKING:
    from quern.train.journey import Journey
    from quern.train.loop import Epoch, Step


def run(journey: Journey, out: Path, *, resume: bool, overwrite: bool) -> dict[str, Any]:
    """Run a training to its end and say how it goes; gives what was measured."""
    from quern.train.journey import listing

    guessed = journey.training.problems
    if guessed:
        note(f"labels that did not fit or were placed by guess:\n{listing(guessed)}")
    items, dev = len(journey.training.items), len(journey.training.dev)
    first, *others = journey.training.notes
    for said in (f"{items:,} windows to train on, {dev:,} dev texts, {first}", *others):
        note(said)
    watch = _Watch(journey)
    try:
        metrics = journey.run(out, resume=resume, overwrite=overwrite, report=watch)
    except KeyboardInterrupt:
        watch.close()
        kept = journey.checkpoint(out)
        note(f"stopped; go on with --resume ({kept.path})" if kept.exists else "stopped")
        raise
    finally:
        watch.close()
    note(f"wrote {out}: dev {_told(metrics['dev'])}")
    return metrics


def _told(figures: dict[str, Any]) -> str:
    """The figures that decided, in words."""
    said = []
    if "f1" in figures:
        f1, precision, recall = (figures[name] for name in ("f1", "precision", "recall"))
        said.append(f"F1 {f1:.4f}, precision {precision:.4f}, recall {recall:.4f}")
    if "accuracy" in figures:
        said.append(f"accuracy {figures['accuracy']:.4f} of at most {figures['ceiling']:.4f}")
    if "top1" in figures:
        said += [f"{name} {figures[name]:.4f}" for name in ("top1", "top5", "top10", "mrr")]
    if "rouge_l" in figures:
        said.append(f"ROUGE-L {figures['rouge_l']:.4f}, loss a step {figures['token_loss']:.4f}")
    if "recall10" in figures:
        said += [f"{name} {value:.4f}" for name, value in figures.items()]
    return ", ".join(said)


class _Watch:
    """Shows a training: a bar within each epoch, a line after it."""

    def __init__(self, journey: Journey) -> None:
        self._items = len(journey.training.items)
        self._epochs = journey.training.plan.schedule.epochs
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
