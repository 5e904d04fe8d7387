"""``quern faq``: questions of any words, and the answer that is for them, or none."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
import msgspec

from quern.cli import options
from quern.cli.console import note, progress
from quern.cli.streaming import Source, lots, origin
from quern.cli.table import columns, numbers
from quern.data import TextForm
from quern.errors import DataError
from quern.evaluation.wording import share

if TYPE_CHECKING:
    from quern.evaluation.retrieval import Cut
    from quern.faq import Faq, FaqReply

_FILE = click.argument("faq", type=click.Path(path_type=Path))
_MODEL = click.option("--model", help="Folder of its model, where that has moved.")


@click.group("faq")
def command() -> None:
    """Keep questions and answers in one file, and ask it: it answers, or says that it cannot."""


@command.command("build")
@click.argument("questions", type=click.Path(path_type=Path))
@click.option("--model", required=True, help="A model of sentences (quern train sentences).")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="File to write.")
@options.kind_of_index("--index")
@click.option("--overwrite", is_flag=True, help="Replace a FAQ that is there.")
def build(questions: Path, model: str, out: Path, index: str, overwrite: bool) -> None:
    """Make a FAQ of QUESTIONS.

    These are JSON lines of {"question": …, "answer": …}, or with several "questions", and perhaps
    an "id" of the answer; or a .csv file with columns of these names. Lines of one id, or of one
    answer, are phrasings of the same.

    \b
    Example:
      quern faq build questions.csv --model my-sentences --out shop.faq
    """
    from quern.data import read_faq
    from quern.errors import StoreError
    from quern.faq import Faq

    entries = read_faq(questions)
    if out.exists() and not overwrite:
        raise StoreError(f"{out}: exists already; choose another name, or pass --overwrite")
    count = sum(len(entry.questions) for entry in entries)
    with progress("reading", count, "questions") as advance:
        faq = Faq.build(out, entries, model, index=index, advance=advance, overwrite=overwrite)
    with faq:
        note(f"wrote {out}: {len(faq.ids):,} answers to {faq.phrasings:,} questions")


@command.command("ask")
@_FILE
@click.argument("questions", nargs=-1)
@options.ask_input
@click.option(
    "--top", type=click.IntRange(1), default=3, show_default=True, help="Answers to show."
)
@click.option(
    "--threshold",
    type=click.FloatRange(-1, 1),
    help="The least cosine that is answered. [default: what quern faq tune has chosen]",
)
@_MODEL
@options.form
@options.ask_input_form
def ask(
    faq: Path,
    questions: tuple[str, ...],
    files: tuple[Path, ...],
    top: int,
    threshold: float | None,
    model: str | None,
    form: options.Form | None,
    kind: TextForm | None,
) -> None:
    """Look for the answers to QUESTIONS.

    The best come first, each once, with the phrasing that is most like the question. Where not even
    the best reaches the threshold, there is no answer, and what came nearest is shown.

    \b
    Examples:
      quern faq ask shop.faq "can I pay by card"
      quern faq ask shop.faq --input questions.txt --format jsonl > replies.jsonl
    """
    if not questions and not files:
        raise click.UsageError("no question is given; name some, or a file of them with --input")
    write = _write_jsonl if options.form_of_output(form) == "jsonl" else _write_table
    asked = answered = 0
    with _opened(faq, model) as opened, progress("asking", None, "questions") as advance:
        if threshold is None and opened.threshold is None:
            note("not tuned: every question is answered; choose a threshold with quern faq tune")
        for lot in lots(questions, files, kind):
            replies = opened.ask([source.document.text for source in lot], top, threshold)
            write(lot, replies)
            asked += len(replies)
            answered += sum(reply.answered for reply in replies)
            advance(len(lot))
    note(f"{asked:,} questions, {answered:,} answered")


def _write_jsonl(lot: Sequence[Source], replies: Sequence[FaqReply]) -> None:
    encode = msgspec.json.Encoder().encode
    for source, reply in zip(lot, replies, strict=True):
        row = {**origin(source), **msgspec.structs.asdict(reply)}
        sys.stdout.buffer.write(encode(row) + b"\n")
    sys.stdout.buffer.flush()


def _write_table(_lot: Sequence[Source], replies: Sequence[FaqReply]) -> None:
    for reply in replies:
        near = "; nearest came" if reply.answers else ""
        click.echo(reply.question if reply.answered else f"{reply.question}: no answer{near}")
        rows = []
        for place, answer in enumerate(reply.answers):
            sure = "" if answer.probability is None else f"{answer.probability:.2f}"
            tie = "nearly as good" if 0 < place <= reply.ties else ""
            rows.append([f"{answer.score:.3f}", sure, answer.answer, answer.question, tie])
        if rows:
            columns(rows, ["cosine", "probability", "answer", "asked as", ""])
        click.echo()


@command.command("tune")
@_FILE
@click.argument("dev", type=click.Path(path_type=Path))
@click.option(
    "--precision",
    type=click.FloatRange(0, 1, min_open=True),
    help="Take the lowest threshold at which this share of the answers is right. [default: the "
    "threshold with the most right decisions, questions with and without answers alike]",
)
@click.option("--dry-run", is_flag=True, help="Say what would be chosen, and leave all as it is.")
@_MODEL
@options.table_or_json
def tune(
    faq: Path,
    dev: Path,
    precision: float | None,
    dry_run: bool,
    model: str | None,
    form: Literal["table", "json"],
) -> None:
    """Choose the threshold of FAQ on DEV, lines of {"question": …, "id": …}.

    The id is that of the right answer, null for a question that no answer is for. DEV should have
    some of these, or nothing says what to refuse. Scores are calibrated on it as well: answers then
    carry the probability to be right.

    \b
    Example:
      quern faq tune shop.faq dev.jsonl --precision 0.95
    """
    from quern.data import read_faq_examples

    examples = read_faq_examples(dev)
    if all(each.id is not None for each in examples):
        note(f"{dev}: every question has an answer; without some that have none (id null), the "
             "threshold will refuse too little")  # fmt: skip
    with _opened(faq, model) as opened:
        tuned = opened.tune(examples, precision, keep=not dry_run)
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(tuned), indent=2).decode())
        return
    rows = [["before", *_decided(tuned.before)], ["after", *_decided(tuned.after)]]
    heads = ("threshold", "right of answerable", "refused of the others", "answered", "precision")
    numbers(rows, ("", *heads))
    if tuned.calibration is None:
        note("too few questions to calibrate scores by; 10 are needed")


def _decided(decided: Cut) -> list[str]:
    shares = (decided.accuracy, decided.refused, decided.answered, decided.precision)
    return [f"{decided.threshold:.3f}", *map(share, shares)]


@command.command("add")
@_FILE
@click.argument("questions", type=click.Path(path_type=Path))
@_MODEL
def add(faq: Path, questions: Path, model: str | None) -> None:
    """Add QUESTIONS with their answers to FAQ, which is not built anew.

    A line with the id (or the answer) of one that is there adds phrasings to it.
    """
    from quern.data import read_faq

    entries = read_faq(questions)
    with _opened(faq, model) as opened, progress("reading", None, "questions") as advance:
        added = opened.add(entries, advance)
    note(f"{added:,} phrasings added")


@command.command("remove")
@_FILE
@click.argument("ids", nargs=-1, required=True)
@_MODEL
def remove(faq: Path, ids: tuple[str, ...], model: str | None) -> None:
    """Take the answers with these IDS out of FAQ, all or none."""
    with _opened(faq, model) as opened:
        note(f"{len(set(ids)):,} answers removed, with {opened.remove(ids):,} phrasings")


@command.command("show")
@_FILE
@click.argument("ids", nargs=-1)
@_MODEL
def show(faq: Path, ids: tuple[str, ...], model: str | None) -> None:
    """Say what FAQ holds: all ids, or the answers with these IDS, as JSON lines."""
    with _opened(faq, model) as opened:
        entries = [opened.entry(id_) for id_ in ids or opened.ids]
        for id_, entry in zip(ids or opened.ids, entries, strict=True):
            if entry is None:
                raise DataError(f"{faq}: no answer '{id_}'; see all without an id")
            row = {"id": entry.id, "answer": entry.answer, "questions": entry.questions}
            sys.stdout.buffer.write(msgspec.json.encode(row) + b"\n")
        threshold = opened.threshold
        told = "not tuned" if threshold is None else f"threshold {threshold:.3f}"
        note(f"{len(opened.ids):,} answers to {opened.phrasings:,} questions, {told}; "
             f"model {opened.about('model')}, index {opened.about('index')}")  # fmt: skip


@contextmanager
def _opened(path: Path, model: str | None) -> Iterator[Faq]:
    from quern.faq import Faq

    with Faq.open(path, model) as faq:
        yield faq
