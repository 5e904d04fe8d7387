"""The thresholds that suit labelled texts best, and whether they are better than the defaults."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from quern.evaluation.judging import was_sought
from quern.metrics import Counts
from quern.records import TripleExample
from quern.triples import SPAN, Scores, Thresholds, TripleModel, decode, grid, span_grid

_PARTS = 20  # of the texts, to measure how much a difference wavers
_DOUBT = 1.5  # standard errors that a gain over the defaults must exceed
_USUAL: tuple[float, ...] = msgspec.structs.astuple(Thresholds(span=SPAN))

_Parts = NDArray[np.int64]  # (parts, 3): wanted, given and right of each part of the texts


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
        tried |= _measure(model, examples, span_grid(_best(tried)))
    best = _best(tried)
    if not candidates and not clearly_better(tried[best], tried[usual]):
        best = usual
    return best, {candidate: _total(parts) for candidate, parts in tried.items()}


def _best(tried: Mapping[Thresholds, _Parts]) -> Thresholds:
    """The highest F1; of equals the one nearest to the defaults."""
    return max(tried, key=lambda candidate: (_total(tried[candidate]).f1, -_distance(candidate)))


def clearly_better(one: _Parts, other: _Parts, doubt: float = _DOUBT) -> bool:
    """Whether the first has a higher F1 by more than ``doubt`` standard errors.

    The standard error of the difference is measured by leaving out one part of the texts
    after the other (the jackknife; Tukey 1958). One part alone can tell nothing.
    """
    count = len(one)
    if count < 2:
        return False
    leads = _without_each(one) - _without_each(other)
    error = math.sqrt((count - 1) / count * float(((leads - leads.mean()) ** 2).sum()))
    return _total(one).f1 - _total(other).f1 > doubt * error


def _measure(
    model: TripleModel, examples: Sequence[TripleExample], candidates: Sequence[Thresholds]
) -> dict[Thresholds, _Parts]:
    """What every candidate gives; neighbouring texts lie in one part, as they may be alike."""
    count = min(_PARTS, len(examples))
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


def _total(parts: _Parts) -> Counts:
    wanted, given, right = parts.sum(axis=0).tolist()
    return Counts(wanted, given, right)


def _without_each(parts: _Parts) -> NDArray[np.float64]:
    """F1 without one part of the texts, for each part."""
    wanted, given, right = (parts.sum(axis=0) - parts).T
    total = wanted + given
    return np.where(total > 0, 2 * right / np.maximum(total, 1), 1.0)


def _distance(thresholds: Thresholds) -> float:
    """How far thresholds lie from the defaults."""
    pairs = zip(msgspec.structs.astuple(thresholds), _USUAL, strict=True)
    return math.fsum(abs(value - usual) for value, usual in pairs if value is not UNSET)
