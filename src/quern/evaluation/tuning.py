"""The thresholds that suit labelled texts best, and whether they are better than the defaults."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from msgspec import UNSET

from quern.evaluation.choosing import PARTS, Parts, best_of, clearly_better, total
from quern.evaluation.judging import was_sought
from quern.metrics import Counts
from quern.records import TripleExample
from quern.triples import SPAN, Scores, Thresholds, TripleModel, decode, grid, span_grid


def tune(
    model: TripleModel, examples: Sequence[TripleExample], candidates: Sequence[Thresholds] = ()
) -> tuple[Thresholds, dict[Thresholds, Counts]]:
    """Choose the thresholds with the best F1; the graphs run once, decoding runs for each.

    Args:
        model: the model; of its own thresholds it only matters whether they ask for spans.
        examples: texts with their labels.
        candidates: what to choose from; the best is taken, of equals the one nearest to the
            defaults. Without them a grid is tried, and with its best the threshold of
            spans, where there is one. The best of a grid is best partly by luck, and then
            the defaults stay unless it is clearly better.

    Returns:
        The thresholds, and the counts of all that were tried.
    """
    spans = model.thresholds.span is not UNSET
    usual = Thresholds(span=SPAN) if spans else Thresholds()
    others = [msgspec.structs.replace(each, span=usual.span) for each in grid()]
    tried = _measure(model, examples, candidates or [usual, *others])
    if spans and not candidates:
        tried |= _measure(model, examples, span_grid(best_of(tried, usual)))
    best = best_of(tried, usual)
    if not candidates and not clearly_better(tried[best], tried[usual]):
        best = usual
    return best, {candidate: total(parts) for candidate, parts in tried.items()}


def _measure(
    model: TripleModel, examples: Sequence[TripleExample], candidates: Sequence[Thresholds]
) -> dict[Thresholds, Parts]:
    """What every candidate gives; neighbouring texts lie in one part, as they may be alike."""
    count = min(PARTS, len(examples))
    tried = {candidate: np.zeros((count, 3), dtype=np.int64) for candidate in candidates}
    for at in range(0, len(examples), model.chunk):
        some = examples[at : at + model.chunk]
        encodings = [model.codec.encode(example.text) for example in some]
        windows: list[list[tuple[int, Scores]]] = [[] for _ in some]
        for i, window, scores in model.scores(encodings, list(tried)):
            windows[i].append((window.first, scores))
        for i, (example, encoding, held) in enumerate(zip(some, encodings, windows, strict=True)):
            part = (at + i) * count // len(examples)
            wanted = {triple.key for triple in example.triples}
            for candidate, parts in tried.items():
                keys = {
                    model.key(encoding, first, found)
                    for first, scores in held
                    for found in decode(scores, candidate)
                }
                given = {key for key in keys if was_sought(example, key[1])}
                parts[part] += (len(wanted), len(given), len(wanted & given))
    return tried
