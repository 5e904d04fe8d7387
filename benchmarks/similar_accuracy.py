"""How well issues that say the same are found by the vectors of given models, beside tf-idf.

The task is that of ``ranks_accuracy``, and so are those that are judged: a model of ranks that was
trained there has not seen their pairs.
"""

from __future__ import annotations

from typing import Any

import msgspec

from benchmarks import sets
from benchmarks.options import Options, Outcome
from benchmarks.ranks_accuracy import Task, by_tfidf, duplicates
from quern.embedding import Encodes
from quern.evaluation.ranking import Ranking, ranks_of, summarise_ranking
from quern.folder import ModelFolder
from quern.shipped import find
from quern.tasks import load_encoder


def cases(options: Options) -> list[str]:
    """Issues of one project."""
    return ["rust-duplicates"]


def run(case: str, options: Options) -> Outcome:
    """Find the issues that others repeat."""
    paths = sets.issues(options.data)
    task = duplicates(paths)
    figures: dict[str, Any] = {"texts": len(task.judged), "items": len(task.catalogue)}
    figures["tfidf"] = _told(by_tfidf(task))
    for name in options.models:
        folder = ModelFolder(find(name))
        found = _told(by_vectors(load_encoder(folder.path), task))
        figures[folder.path.name] = {"task": folder.manifest.task, **found}
    return Outcome(figures, list(paths.values()))


def by_vectors(encode: Encodes, task: Task) -> Ranking:
    """The cosine of the vectors of two issues."""
    number = {item.id: n for n, item in enumerate(task.catalogue)}
    wanted = [[number[id_] for id_ in example.items] for example in task.judged]
    items = encode([item.text for item in task.catalogue])
    found = ranks_of(encode([example.text for example in task.judged]), items, wanted)
    return summarise_ranking(found, len(items), sum(map(len, wanted)))


def _told(found: Ranking) -> dict[str, Any]:
    row = msgspec.to_builtins(found)
    recall = {k: row["recall"][k] for k in ("1", "5", "10")}
    return {"recall": recall, "mrr": row["mrr"], "mean_rank": row["mean_rank"]}
