"""How well the items of texts are found among all of a catalogue."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from quern import __version__
from quern.embedding import Vectors
from quern.evaluation.figures import FORMAT
from quern.ranks import RankModel
from quern.records import RankExample

TOPS = (1, 5, 10, 20, 50)
_BLOCK = 512  # texts compared with all items at once

Numbers = NDArray[np.int64]


class Ranking(msgspec.Struct, frozen=True):
    """The figures of a rank model.

    Attributes:
        format: version of this record.
        quern: version that measured.
        texts: how many were judged: those with an item that the catalogue has.
        items: of the catalogue.
        labels: items of the texts, in all.
        lacking: labels that the catalogue lacks; they count nowhere.
        recall: by k, the mean share of a text's items that are among its k best.
        mrr: mean of 1 / rank of the first right item.
        mean_rank: of that item.
    """

    format: int
    quern: str
    texts: int
    items: int
    labels: int
    lacking: int
    recall: dict[str, float]
    mrr: float
    mean_rank: float


def ranks_of(texts: Vectors, items: Vectors, wanted: Sequence[Sequence[int]]) -> list[Numbers]:
    """The place of each wanted item of each text, from 1; of equals the wrong ones come first.

    Args:
        texts: (n, dim), unit rows.
        items: (m, dim), unit rows; 0 for those that are never found and come last.
        wanted: numbers of the items of each text.
    """
    found: list[Numbers] = []
    blank = np.flatnonzero(~items.any(axis=1))
    for at in range(0, len(texts), _BLOCK):
        cosines = texts[at : at + _BLOCK] @ items.T
        cosines[:, blank] = -2
        for row, right in zip(cosines, wanted[at : at + _BLOCK], strict=True):
            found.append(places(row, right))
    return found


def places(scores: Vectors, wanted: Sequence[int]) -> Numbers:
    """The place of each wanted item by its score, from 1; of equals the wrong ones come first.

    Args:
        scores: of all items for one text, (m,).
        wanted: numbers of its items.
    """
    ours, others = scores[list(wanted)], np.delete(scores, list(wanted))
    ahead = (others[None, :] >= ours[:, None]).sum(axis=1)
    return np.asarray(1 + ahead + (ours[None, :] > ours[:, None]).sum(axis=1))


def summarise_ranking(found: Sequence[Numbers], items: int, labels: int) -> Ranking:
    """Figures of places.

    Args:
        found: of the items of each text.
        items: of the catalogue.
        labels: of all texts, those that it lacks among them.
    """
    first = np.array([ranks.min() for ranks in found])
    known = sum(map(len, found))
    return Ranking(
        format=FORMAT,
        quern=__version__,
        texts=len(found),
        items=items,
        labels=labels,
        lacking=labels - known,
        recall={
            str(k): float(np.mean([(ranks <= k).mean() for ranks in found])) if len(found) else 0.0
            for k in TOPS
        },
        mrr=float((1 / first).mean()) if len(found) else 0.0,
        mean_rank=float(first.mean()) if len(found) else 0.0,
    )


def evaluate_ranking(model: RankModel, examples: Sequence[RankExample]) -> Ranking:
    """Rank the whole catalogue of a model for labelled texts."""
    numbers = {id_: number for number, id_ in enumerate(model.ids)}
    held = [
        (example.text, [numbers[id_] for id_ in example.items if id_ in numbers])
        for example in examples
    ]
    held = [(text, wanted) for text, wanted in held if wanted]
    texts = model.embedder([text for text, _ in held])
    found = ranks_of(texts, model.vectors, [wanted for _, wanted in held])
    return summarise_ranking(found, len(model.ids), sum(len(e.items) for e in examples))


def ranking_figures(model: RankModel, examples: Sequence[RankExample]) -> dict[str, float]:
    """A few figures; the first decides between models."""
    found = evaluate_ranking(model, examples)
    return {"mrr": found.mrr, **{f"recall{k}": found.recall[k] for k in ("1", "10", "50")}}
