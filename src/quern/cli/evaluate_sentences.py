"""``quern evaluate`` for models of sentences: groups ranked, or pairs graded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from quern.cli.evaluate_tables import Asked, hash_of, write_json
from quern.cli.table import numbers
from quern.data import numbered_lines, open_bytes, read_pairs, read_sentences
from quern.evaluation.wording import number, share
from quern.folder import ModelFolder

if TYPE_CHECKING:
    from quern.evaluation.retrieval import Cut, Graded, Retrieval


class _Other(msgspec.Struct):
    other: str | msgspec.UnsetType = msgspec.UNSET


def evaluate_sentences(folder: ModelFolder, asked: Asked, known: Path | None) -> None:
    """Print how well a model finds sentences of one meaning, or grades pairs."""
    from quern.evaluation.retrieval import evaluate_retrieval, grade_pairs
    from quern.tasks import load_sentences

    model = load_sentences(folder.path, threads=asked.threads)
    digest = hash_of(asked.data, folder.manifest.data)
    head: dict[str, object] = {"model": str(folder.path), "data": digest}
    if _holds_pairs(asked.data):
        if known is not None:
            raise click.UsageError(f"--known is for sentences in groups; {asked.data} holds pairs")
        graded = grade_pairs(model, read_pairs(asked.data))
        if asked.form == "json":
            write_json(head, graded)
        else:
            _write_pairs(graded)
        return
    among = None if known is None else read_sentences(known)
    found = evaluate_retrieval(model, read_sentences(asked.data), among)
    if asked.form == "json":
        write_json({**head, "among": None if known is None else str(known)}, found)
    else:
        _write_groups(found)


def _holds_pairs(path: Path) -> bool:
    """Whether the first line has a second sentence."""
    with open_bytes(path) as stream:
        for _, line in numbered_lines(stream):
            try:
                return msgspec.json.decode(line, type=_Other).other is not msgspec.UNSET
            except (msgspec.DecodeError, UnicodeDecodeError):
                break  # the reader of sentences says what is wrong
    return False


def _write_pairs(graded: Graded) -> None:
    rows = [["pairs", f"{graded.pairs:,}"], ["rank correlation", _figure(graded.spearman)]]
    if graded.accuracy is not None:
        rows.append(["best accuracy", share(graded.accuracy)])
        rows.append(["alike from a cosine of", _figure(graded.threshold)])
    numbers(rows, ("", ""))


def _write_groups(found: Retrieval) -> None:
    rows = [
        ["queries", number(found.queries)],
        ["sentences they are looked for among", number(found.known)],
        ["queries whose group is among them", number(found.answerable)],
        *([f"of their group among the nearest {k}", share(top)] for k, top in found.top.items()),
        ["mean of 1 / rank", _figure(found.mrr)],
    ]
    numbers(rows, ("", ""))
    heads = ["cosine ≥", "answered", "precision", "right of answerable"]
    refused = found.answerable < found.queries
    cells = [_cells(cut, refused) for cut in _telling(found.cuts)]
    numbers(cells, (*heads, "refused of the others") if refused else tuple(heads))


def _telling(cuts: Sequence[Cut]) -> list[Cut]:
    """Every other threshold, from the last that answers all."""
    shown = cuts[::2]
    whole = [i for i, cut in enumerate(shown) if cut.answered >= 1]
    return list(shown[whole[-1] if whole else 0 :])


def _cells(cut: Cut, refused: bool) -> list[str]:
    row = [f"{cut.threshold:.2f}", share(cut.answered), share(cut.precision), share(cut.accuracy)]
    return [*row, share(cut.refused)] if refused else row


def _figure(value: float | None) -> str:
    """A figure between -1 and 1."""
    return "–" if value is None else f"{value:.3f}"
