"""``quern vectors``: raw text in, a file of word vectors out."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import click

from quern.cli.console import Advance, note, progress
from quern.errors import DataError, MissingExtra
from quern.settings import with_words


@click.command("vectors")
@click.argument("raw", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="File to write.")
@click.option(
    "--set",
    "words",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting, such as dim=128, max_words=20000, epochs=3 (docs/training.md lists them).",
)
@click.option("--overwrite", is_flag=True, help="Replace a file that is there.")
def command(raw: tuple[Path, ...], out: Path, words: tuple[str, ...], overwrite: bool) -> None:
    """Train vectors of the words of RAW text (skip-gram with negative sampling).

    RAW are .txt files (a text a line) or .jsonl files (their "text"), gzipped or not, of any
    size; while it works, the words stand in a file beside OUT. Chinese is cut into words, all
    else is words as it stands. The most frequent words get a vector each, in 8-bit codes:
    30,000 words of 64 components take about 2 MB.

    \b
    Examples:
      quern vectors corpus.txt more.jsonl.gz --out words.safetensors
      quern train triples train.jsonl --out model --vectors words.safetensors
    """
    try:
        from quern.train import skipgram
    except ModuleNotFoundError as error:
        raise MissingExtra("quern vectors", "train") from error
    if out.exists() and not overwrite:
        raise DataError(f"{out}: exists already; choose another name or pass --overwrite")
    missing = [str(path) for path in raw if not path.is_file()]
    if missing:
        raise DataError(f"no such file: {', '.join(missing)}")
    plan = with_words(skipgram.SkipGram(), words)
    began = time.monotonic()
    with ExitStack() as shown:

        def learning(total: int) -> Advance:
            nonlocal began
            shown.close()
            note(f"read in {time.monotonic() - began:.0f} s: {total // plan.epochs:,} words")
            began = time.monotonic()
            return shown.enter_context(progress("learning", total, "words"))

        reading = shown.enter_context(progress("reading", None, "characters"))
        trained = skipgram.train(raw, plan, out.parent, reading, learning)
    speed = plan.epochs * trained.words / (time.monotonic() - began)
    trained.vectors.save(out)
    note(
        f"wrote {out}: {len(trained.vectors.words):,} words, which are {trained.covered:.1%} of "
        f"the text; {out.stat().st_size / 1e6:.1f} MB; learned from {speed:,.0f} words/s"
    )
