"""``quern export``: a model folder in another form."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from quern.bench import LOSS
from quern.cli import options
from quern.cli.console import note
from quern.data import read_links, read_ranks, read_sentences, read_titles, read_triples
from quern.errors import MissingExtra
from quern.folder import ModelFolder
from quern.shipped import find

_SCORES = {
    "entities": ("accuracy", "accuracy"),
    "sentences": ("top-1", "top1"),
    "ranks": ("mean of 1 / rank", "mrr"),
    "titles": ("ROUGE-L", "rouge_l"),
}


@click.command("export")
@click.argument("model")
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--int8",
    is_flag=True,
    required=True,
    help="Matrix products and tables in 8 bits: a quarter of the size, and faster.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    help="Labelled lines to fix the scales by and to score both models on: your dev data.",
)
@options.kb
@options.overwrite
def command(
    model: str, out: Path, int8: bool, data: Path, kb: Path | None, overwrite: bool
) -> None:
    """Write MODEL in another form into the folder OUT, and score it again (extra 'train').

    Both folders are scored on DATA through the code that users run. The folder is written
    even if it lost more than 0.3 points of F1 (of accuracy, if it chooses entities; of sentences
    whose nearest is of their group, if it reads sentences; of the mean of 1 / rank, if it ranks
    items; of ROUGE-L, if it gives titles), with a warning and exit status 1, so that it can be
    looked at. Of a model of triples `quern bench OUT DATA --against MODEL` says whether it is worth
    having; the speed of others stands in the card.

    \b
    Example:
      quern export model model-int8 --int8 --data dev.jsonl
    """
    try:
        from quern.train.int8 import (
            write_entities_int8,
            write_int8,
            write_links_int8,
            write_ranks_int8,
            write_sentences_int8,
            write_titles_int8,
        )
    except ModuleNotFoundError as error:
        raise MissingExtra("quern export", "train") from error
    source = find(model)
    task = ModelFolder(source).manifest.task
    with ExitStack() as stack:
        if task == "links":
            names = options.names_of(kb, stack)
            metrics = write_links_int8(source, out, read_links(data), names, overwrite=overwrite)
        elif task == "entities":
            base = stack.enter_context(options.opened(kb))
            metrics = write_entities_int8(source, out, read_links(data), base, overwrite=overwrite)
        elif task == "sentences":
            metrics = write_sentences_int8(source, out, read_sentences(data), overwrite=overwrite)
        elif task == "ranks":
            metrics = write_ranks_int8(source, out, read_ranks(data), overwrite=overwrite)
        elif task == "titles":
            metrics = write_titles_int8(source, out, read_titles(data), overwrite=overwrite)
        else:
            metrics = write_int8(source, out, read_triples(data), overwrite=overwrite)
    said, key = _SCORES.get(task, ("F1", "f1"))
    before, after = metrics["fp32"][key], metrics["dev"][key]
    note(f"wrote {out}: {said} {after:.4f}, was {before:.4f} in fp32")
    if before - after > LOSS:
        note("it lost more than 0.3 points; keep the fp32 folder, or give more typical data")
        click.get_current_context().exit(1)
