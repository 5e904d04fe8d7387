"""Learning curves as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def draw(history: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw losses and dev scores over epochs into a PNG file.

    Args:
        history: the facts of all epochs (``Epoch`` as builtins).
        path: where to write.
    """
    # The drawing library is needed for a second at the end of hours; it is loaded then.
    from matplotlib.figure import Figure

    epochs = [row["epoch"] + 1 for row in history]
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    loss, score = figure.subplots(1, 2)
    for name in history[0]["losses"] if history else ():
        loss.plot(epochs, [row["losses"][name] for row in history], marker=".", label=name)
    loss.set(xlabel="epoch", title="training loss", yscale="log")
    for name in history[0]["scores"] if history else ():
        score.plot(epochs, [row["scores"][name] for row in history], marker=".", label=name)
    score.set(xlabel="epoch", title="dev", ylim=(0, 1))
    fine = [row["epoch"] + 0.5 for row in history if row["stage"] == 1]
    for axes in (loss, score):
        if fine:
            axes.axvline(fine[0], color="grey", linestyle=":", linewidth=1)
        if history:
            axes.legend()
        axes.grid(alpha=0.3)
    # No date or version in the file: the same training gives the same bytes.
    figure.savefig(path, dpi=110, metadata={"Software": None})
