"""Options that several verbs share, so that they mean the same everywhere."""

from __future__ import annotations

from pathlib import Path

import click

threads = click.option(
    "--threads",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Chunks of texts worked on at the same time.",
)

table_or_json = click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="A table to look at, or one JSON object.",
)

overwrite = click.option("--overwrite", is_flag=True, help="Replace a model folder that is there.")

out = click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")

preset = click.option(
    "--preset",
    type=click.Choice(["full", "fast"]),
    default="full",
    show_default=True,
    help="full: the better scores. fast: half the layers, no attention, several times the speed.",
)

init = click.option(
    "--init",
    type=click.Path(path_type=Path),
    help="Folder of an encoder (quern pretrain) or of a trained model, to start from.",
)

vectors = click.option(
    "--vectors",
    type=click.Path(path_type=Path),
    help="File of word vectors to read beside the units (quern vectors).",
)

allow = click.option(
    "--allow",
    multiple=True,
    type=click.Choice(["absent", "border", "window"]),
    help="Go on without labels that do not occur, cut through a word, or fit no window.",
)

resume = click.option("--resume", is_flag=True, help="Go on from where an earlier run was stopped.")
