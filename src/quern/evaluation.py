"""Scores of a triple model on labelled texts, and the thresholds that suit it best."""

from __future__ import annotations

from collections.abc import Sequence

from quern.metrics import Counts
from quern.records import TripleExample
from quern.triples import Scores, Thresholds, TripleModel, decode, grid


def score(model: TripleModel, examples: Sequence[TripleExample]) -> Counts:
    """Micro-averaged counts over triples as strings, each once a text."""
    counts = Counts()
    found = model([example.text for example in examples])
    for example, triples in zip(examples, found, strict=True):
        counts.add({t.key for t in example.triples}, {t.key for t in triples})
    return counts


def tune(
    model: TripleModel, examples: Sequence[TripleExample], candidates: Sequence[Thresholds] = ()
) -> tuple[Thresholds, dict[Thresholds, Counts]]:
    """Choose the thresholds with the best F1; the graphs run once, decoding runs for each.

    Returns:
        The best thresholds and the counts of every candidate.
    """
    candidates = list(candidates) or [*grid(), Thresholds()]
    totals = {candidate: Counts() for candidate in candidates}
    chunk = model.chunk
    for at in range(0, len(examples), chunk):
        some = examples[at : at + chunk]
        encodings = [model.codec.encode(example.text) for example in some]
        windows: list[list[tuple[int, Scores]]] = [[] for _ in some]
        for i, window, scores in model.scores(encodings, candidates):
            windows[i].append((window.first, scores))
        for example, encoding, held in zip(some, encodings, windows, strict=True):
            wanted = {t.key for t in example.triples}
            for candidate, counts in totals.items():
                given = {
                    model.key(encoding, first, found)
                    for first, scores in held
                    for found in decode(scores, candidate)
                }
                counts.add(wanted, given)
    best = max(candidates, key=lambda candidate: totals[candidate].f1)
    return best, totals
