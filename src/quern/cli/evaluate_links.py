"""``quern evaluate`` for models that find mentions."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
import msgspec

from quern.cli import options
from quern.cli.console import counted, note
from quern.cli.table import columns
from quern.data import data_hash, read_links
from quern.evaluation.wording import calibration_error, number, share

if TYPE_CHECKING:
    from quern.evaluation.mentions import MentionEvaluation
    from quern.folder import ModelFolder


def evaluate_links(
    folder: ModelFolder, data: Path, kb: Path | None, form: Literal["table", "json"], threads: int
) -> None:
    """Score a folder of links on labelled data, and print it."""
    from quern.evaluation.mentions import judge_mentions, summarise_mentions
    from quern.tasks import load_links

    examples = read_links(data)
    with ExitStack() as stack:
        model = load_links(folder.path, kb=options.names_of(kb, stack))
        answers = judge_mentions(model, examples, threads)
        judged = list(counted(answers, "evaluating", total=len(examples), unit="texts"))
    evaluation = summarise_mentions(judged)
    digest = data_hash(data)
    if digest == folder.manifest.data:
        note(f"{data}: the model was trained on this very file; on new texts expect less")
    if form == "table":
        _show(evaluation)
        return
    head = {"model": str(folder.path), "data": str(data), "data_sha256": digest}
    row = msgspec.json.encode({**head, **msgspec.to_builtins(evaluation)})
    click.echo(msgspec.json.format(row, indent=2).decode())


def _show(evaluation: MentionEvaluation) -> None:
    f = evaluation.overall
    rows = [
        ["texts", number(evaluation.texts)],
        ["mentions wanted", number(f.wanted)],
        ["given", number(f.given)],
        ["right", number(f.right)],
        ["precision", share(f.precision)],
        ["recall", share(f.recall)],
        ["F1", share(f.f1)],
        ["found of those with an entity", share(evaluation.found_linked)],
        ["found of those without (NIL)", share(evaluation.found_nil)],
    ]
    columns(rows, ["", ""])
    if evaluation.calibration is not None:
        click.echo(calibration_error(evaluation.calibration))
