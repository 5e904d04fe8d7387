"""``quern ensemble``: several models as one."""

from __future__ import annotations

from pathlib import Path

import click

from quern.cli import options
from quern.cli.console import note
from quern.data import read_triples
from quern.ensemble import write_ensemble, write_union
from quern.shipped import find


@click.command("ensemble")
@click.argument("models", nargs=-1, required=True)
@options.out
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    help="Labelled lines to choose the thresholds by and to score all on: your dev data.",
)
@click.option(
    "--union",
    is_flag=True,
    help="Let every model decode by itself, and give what any of them finds.",
)
@options.overwrite
def command(models: tuple[str, ...], out: Path, data: Path, union: bool, overwrite: bool) -> None:
    """Put MODELS into one folder that averages their probabilities before decoding.

    The models must know the same units and labels, as those of `quern train --folds` do. The
    ensemble reads as slowly as its members together.

    With --union the models may be of any kind, ensembles too, such as one with priors and one
    without. Each keeps its thresholds, and a fact of several has the highest of their scores.

    \b
    Examples:
      quern train triples train.jsonl --dev dev.jsonl --folds 8 --out folds
      quern ensemble folds/* --out ensemble --data dev.jsonl
      quern ensemble plain knowing --union --out both --data dev.jsonl
    """
    sources = [find(model) for model in models]
    write = write_union if union else write_ensemble
    metrics = write(sources, out, read_triples(data), overwrite=overwrite)
    for name, f1 in metrics["members"].items():
        note(f"{name}: F1 {f1:.4f}")
    note(f"wrote {out}: F1 {metrics['dev']['f1']:.4f}")
