"""What evaluations of all tasks are asked for, and how they are written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import click
import msgspec

from quern.cli.console import note
from quern.cli.table import numbers
from quern.data import data_hash
from quern.errors import DataError
from quern.evaluation.figures import (
    Bootstrap,
    Calibration,
    CurvePoint,
    LeastScore,
    Scored,
    cuts,
    most_precise,
)
from quern.evaluation.wording import (
    GOAL_HEADS,
    HEADS,
    calibration_error,
    figures_row,
    goal_row,
    number,
    share,
)


class Asked(msgspec.Struct, frozen=True):
    """What was asked for on the command line, besides the model.

    Attributes:
        data: the labelled file.
        kb: the knowledge base.
        page: where to write the page.
        errors: the most texts on it.
        target: a precision to find the least score for.
        form: how to print.
        threads: chunks of texts worked on at the same time.
    """

    data: Path
    kb: Path | None
    page: Path | None
    errors: int
    target: float | None
    form: Literal["table", "json"]
    threads: int


def write_intervals(between: Bootstrap) -> None:
    """Where the figures would lie for other texts."""
    named = (
        ("precision", between.precision),
        ("recall", between.recall),
        ("F1", between.f1),
    )
    spans = [f"{name} {share(span[0])} – {share(span[1])}" for name, span in named if span]
    if spans:
        click.echo(f"95 % intervals over texts: {', '.join(spans)}")


def write_scores(
    curve: Sequence[CurvePoint], at_recall: Sequence[LeastScore], target: LeastScore | None
) -> None:
    """What least scores leave."""
    points = [figures_row(f"{point.min_score:.1f}", point.figures) for point in curve[::2]]
    numbers(points, ("least score", *HEADS))
    numbers([goal_row(made) for made in at_recall], ("recall ≥", *GOAL_HEADS))
    if target is not None:
        numbers([goal_row(target)], ("precision ≥", *GOAL_HEADS))


def write_calibration(calibration: Calibration | None) -> None:
    """Whether scores can be read as probabilities."""
    if calibration is None:
        return
    rows = [
        [f"{b.low:.1f} – {b.high:.1f}", number(b.given), share(b.score), share(b.right)]
        for b in calibration.bins
    ]
    numbers(rows, ("score", "given", "mean score", "share right"))
    click.echo(calibration_error(calibration))


def write_json(head: dict[str, object], evaluation: msgspec.Struct) -> None:
    """One object: what was evaluated, and every figure."""
    row = msgspec.json.encode({**head, **msgspec.structs.asdict(evaluation)})
    click.echo(msgspec.json.format(row, indent=2).decode())


def write_page(page: Path, html: str) -> None:
    """The page of errors."""
    # A lone surrogate is no text that a file can hold.
    page.write_text(html, "utf-8", errors="xmlcharrefreplace", newline="\n")
    note(f"{page}: written")


def hash_of(data: Path, *trained_on: str | None) -> str:
    """SHA-256 of the labelled file; a note where it is one that a model was trained on."""
    digest = data_hash(data)
    if digest in trained_on:
        note(f"{data}: the model was trained on this very file; on new texts expect less")
    return digest


def refuse_unreached(data: Path, target: LeastScore | None, facts: Sequence[Scored]) -> None:
    """Stop with an error where no least score reaches the precision that was asked for.

    Raises:
        DataError: so it is.
    """
    if target is None or target.figures is not None:
        return
    best = most_precise(cuts(facts), 0.0)
    reached = share(best.figures.precision) if best else "none, as nothing was given"
    raise DataError(
        f"{data}: no least score reaches a precision of {target.goal:g}; the best is {reached}. "
        "Ask for less, or train on more labels"
    )
