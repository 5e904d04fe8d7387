"""Options that several verbs share, so that they mean the same everywhere."""

from __future__ import annotations

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
