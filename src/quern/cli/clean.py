"""``quern clean``: what models find odd in labels."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click
import msgspec

from quern import cleaning
from quern.cleaning import Proposal
from quern.cli.console import note, progress
from quern.data import read_triples, writing
from quern.shipped import find
from quern.tasks import members


@click.command("clean")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("models", nargs=-1)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Proposals to write, a JSON object a line; with --apply, the new labels.",
)
@click.option("--page", type=click.Path(path_type=Path), help="HTML page to choose on, too.")
@click.option(
    "--add",
    type=click.IntRange(1),
    help="Votes that an unlabelled triple needs.  [default: all models]",
)
@click.option(
    "--remove",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Votes up to which a labelled triple is doubted.",
)
@click.option(
    "--apply",
    "accepted",
    type=click.Path(path_type=Path),
    help="Proposals to carry out on FILE, which is never touched itself.",
)
def command(
    file: Path,
    models: tuple[str, ...],
    out: Path,
    page: Path | None,
    add: int | None,
    remove: int,
    accepted: Path | None,
) -> None:
    """Let MODELS vote on the labels of FILE, and propose what to add and what to remove.

    The voters are models trained on FILE itself, each without one part of it; the members of
    an ensemble count one by one. A triple that all of them find and nobody labelled is
    proposed for adding, one that none finds for removal. Nothing is changed until --apply.

    \b
    Example:
      quern train triples train.jsonl --folds 8 --out folds
      quern clean train.jsonl folds/* --out proposals.jsonl --page proposals.html
      quern clean train.jsonl --apply accepted.jsonl --out repaired.jsonl
    """
    if accepted is not None:
        _apply(file, accepted, out)
        return
    voters = [model for name in models for model in members(find(name))]
    examples = read_triples(file)
    with progress("voting", len(examples), "texts") as advance:
        found = list(cleaning.propose(voters, examples, add=add, remove=remove, advance=advance))
    with writing(out) as stream:
        stream.writelines(msgspec.json.encode(proposal) + b"\n" for proposal in found)
    if page is not None:
        with writing(page) as stream:
            stream.write(cleaning.page(found, f"Labels of {file.name}").encode())
    note(f"{out}: {_counted(found)}, of {len(examples):,} lines by {len(voters)} models")


def _apply(file: Path, accepted: Path, out: Path) -> None:
    if out.exists() and out.samefile(file):
        raise click.UsageError("--out is FILE itself; write the new labels beside it")
    proposals = cleaning.read_proposals(accepted)
    with writing(out) as stream:
        stream.writelines(cleaning.repaired(file, proposals))
    note(f"{out}: {_counted(proposals)}")


def _counted(proposals: list[Proposal]) -> str:
    counts = Counter(proposal.action for proposal in proposals)
    return f"{counts['add']:,} to add, {counts['remove']:,} to remove"
