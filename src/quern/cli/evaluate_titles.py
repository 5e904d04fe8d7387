"""``quern evaluate`` for models of titles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quern.cli.console import progress
from quern.cli.evaluate_tables import Asked, hash_of, write_json, write_page
from quern.cli.table import numbers
from quern.data import read_titles
from quern.evaluation.wording import number, share
from quern.folder import ModelFolder

if TYPE_CHECKING:
    from quern.evaluation.titles import Proposes


def evaluate_titles(folder: ModelFolder, model: Proposes, asked: Asked) -> None:
    """Print how near the titles that a model proposes come to the given ones.

    Args:
        folder: of the model.
        model: opened from it.
        asked: what else was asked for; ``errors`` is how many documents the page shows.
    """
    from quern.evaluation.title_report import HABIT_HEADS, habit_rows, title_report
    from quern.evaluation.titles import judge_titles, summarise_titles

    examples = read_titles(asked.data)
    digest = hash_of(asked.data, folder.manifest.data)
    with progress("reading", len(examples), "documents") as advance:
        judged = judge_titles(model, examples, advance)
    found = summarise_titles(judged)
    if asked.page is not None:
        title = f"{folder.path.name} on {asked.data.name}"
        write_page(asked.page, title_report(found, judged, title, asked.errors))
    if asked.form == "json":
        write_json({"model": str(folder.path), "data": digest}, found)
        return
    low, high = found.rouge_l_interval or (None, None)
    rows = [
        ["documents", number(found.texts)],
        ["ROUGE-1", share(found.rouge1)],
        ["ROUGE-2", share(found.rouge2)],
        ["ROUGE-L", share(found.rouge_l)],
        ["  95 % interval over documents", f"{share(low)} – {share(high)}"],
        ["BLEU", share(found.bleu)],
    ]
    numbers(rows, ("", ""))
    numbers(habit_rows(found), HABIT_HEADS)
