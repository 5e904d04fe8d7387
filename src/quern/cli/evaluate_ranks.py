"""``quern evaluate`` for models of ranks."""

from __future__ import annotations

from collections.abc import Sequence

from quern.cli.evaluate_tables import Asked, hash_of, write_json
from quern.cli.table import numbers
from quern.data import read_links, read_ranks
from quern.evaluation.wording import number, share
from quern.folder import ModelFolder
from quern.records import RankExample


def evaluate_ranks(folder: ModelFolder, asked: Asked) -> None:
    """Print how well a model finds the items of texts among all of its catalogue."""
    from quern.evaluation.ranking import evaluate_ranking
    from quern.tasks import load_ranks

    model = load_ranks(folder.path, threads=asked.threads)
    digest = hash_of(asked.data, folder.manifest.data)
    found = evaluate_ranking(model, _examples(asked, model.ids))
    if asked.form == "json":
        write_json({"model": str(folder.path), "data": digest}, found)
        return
    rows = [
        ["texts", number(found.texts)],
        ["items of the catalogue", number(found.items)],
        ["labels that the catalogue lacks", number(found.lacking)],
        *([f"of a text's items among the best {k}", share(of)] for k, of in found.recall.items()),
        ["mean of 1 / rank of the first right one", share(found.mrr)],
        ["mean rank of it", f"{found.mean_rank:,.1f}"],
    ]
    numbers(rows, ("", ""))


def _examples(asked: Asked, ids: Sequence[str]) -> list[RankExample]:
    """Texts with their items; with a knowledge base, mentions with their entities."""
    if asked.kb is None:
        return read_ranks(asked.data)
    from quern.cli.options import opened
    from quern.links.meaning import spoken

    with opened(asked.kb) as base:
        known = frozenset(base.entities(ids))
    return spoken(read_links(asked.data), known)
