"""``quern kb encode``: what a model makes of descriptions, made ahead of time."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import click

from quern.cli import options
from quern.cli.console import note, progress
from quern.errors import StoreError

_LOT = 512  # entities that are written together


@click.command("encode")
@click.argument("base", type=click.Path(path_type=Path))
@click.option(
    "--entities",
    "model",
    required=True,
    help="A model that chooses entities (quern train entities).",
)
def encode(base: Path, model: str) -> None:
    """Encode all descriptions of BASE for a model, so that linking need not.

    What is not encoded is encoded when it is first a candidate, and kept. What a changed entity
    is described by is encoded anew, by itself.

    \b
    Example:
      quern kb encode films.kb --entities my-entities
    """
    from quern.shipped import find
    from quern.tasks import load_entities

    chooser = load_entities(find(model))
    with options.opened(base) as kb, progress("encoding", len(kb), "entities") as advance:
        rest, count = iter(kb), 0
        while lot := {entity.id: entity for entity in islice(rest, _LOT)}:
            if chooser.keep(kb, lot) < len(lot):
                raise StoreError(
                    f"{base}: nothing can be kept in it; see that it can be written to and that "
                    "nobody else is writing"
                )
            count += len(lot)
            advance(len(lot))
    note(f"{base}: {count:,} entities are encoded for {model}")
