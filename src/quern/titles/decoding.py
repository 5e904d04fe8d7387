"""Titles out of the steps of a decoder: by beams, greedily, or drawn; many texts at the same time.

Of one text nothing depends on the others that are written beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from quern.runtime import Arrays, Results, Runs
from quern.titles.pieces import END, START
from quern.titles.settings import Decoding

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]
_BLOCK = 64  # columns of which only the largest is looked at first
_FULL = 0.75  # share of the texts that must still be written for them to stay together
_NEVER = np.float32(-np.inf)


class Hypothesis(NamedTuple):
    """A title as it was found.

    Attributes:
        steps: ids, ``END`` left out.
        total: sum of the log probabilities, that of ``END`` among them where it was reached.
        length: of the steps that were summed.
    """

    steps: tuple[int, ...]
    total: float
    length: int

    def normed(self, alpha: float) -> float:
        """What titles of different lengths are compared by."""
        return float(self.total / self.length**alpha)


class Begun(NamedTuple):
    """Documents that were read, and are to be given titles.

    Attributes:
        fixed: what every step is given, by name, (texts, …).
        carried: what the first step is given, (texts, 1, …); a step hands on the same names.
        seeds: of each text, for drawing.
    """

    fixed: Mapping[str, NDArray[np.generic]]
    carried: Mapping[str, Floats]
    seeds: Sequence[Sequence[int]]


class _Chosen(NamedTuple):
    """What a step comes to: (texts, beams) each, and the beams that ended, as rows."""

    parents: Numbers
    steps: Numbers
    totals: Floats  # minus infinity where there is nothing to go on with
    ends: list[tuple[int, int, float]]  # text, parent, total


class _Chooses(Protocol):
    def __call__(self, totals: Floats, scores: Floats, texts: Numbers, at: int) -> _Chosen:
        """Of the steps that every beam could take, choose those that are gone on with."""


def write(
    step: Runs, begun: Begun, plan: Decoding, longest: int, count: int
) -> list[list[Hypothesis]]:
    """The best titles of each text, the best first.

    Args:
        step: the decoder.
        begun: one text at least.
        plan: how to search, or to draw.
        longest: steps of a title at most.
        count: titles of each text; there are fewer where no more were found.
    """
    choose: _Chooses
    if plan.temperature is None:
        choose = _Search(max(plan.beam, count))
    else:
        choose = _Draw(plan.temperature, plan.top_k, begun.seeds, count, longest)
    found: list[list[Hypothesis]] = [[] for _ in begun.seeds]
    texts = np.arange(len(found))
    fixed, carried = dict(begun.fixed), dict(begun.carried)
    steps = np.zeros((len(texts), 1, 0), dtype=np.int64)
    totals = np.zeros((len(texts), 1), dtype=np.float32)
    for at in range(longest):
        last = steps[:, :, -1] if at else np.full(totals.shape, START)
        results = _run(step, {**fixed, **carried, "previous": last.astype(np.int32)})
        scores = results.pop("log_probs")
        _forbid(scores, steps, plan.block)
        chosen = choose(totals, scores, texts, at)
        for row, parent, total in chosen.ends:
            kept = tuple(steps[row, parent].tolist())
            found[texts[row]].append(Hypothesis(kept, total, at + 1))
        rows = np.arange(len(texts))[:, None]
        steps = np.concatenate([steps[rows, chosen.parents], chosen.steps[..., None]], axis=2)
        totals = chosen.totals
        over = _over([found[text] for text in texts], totals, at + 1, plan, count)
        totals[over] = _NEVER
        if over.all():
            break
        parents = chosen.parents
        if (~over).sum() <= _FULL * len(texts):
            keep = np.flatnonzero(~over)
            fixed = {name: array[keep] for name, array in fixed.items()}
            texts, steps, totals = texts[keep], steps[keep], totals[keep]
            rows, parents = rows[keep], parents[keep]
        carried = {name: results[f"next_{name}"][rows, parents] for name in carried}
    for row, beam in zip(*np.nonzero(totals > _NEVER), strict=True):
        kept = tuple(steps[row, beam].tolist())
        found[texts[row]].append(Hypothesis(kept, float(totals[row, beam]), longest))
    return [sorted(of, key=lambda h: -h.normed(plan.alpha)) for of in found]


def _run(step: Runs, inputs: Arrays) -> Results:
    """One step; a product of a single row would be summed in another order than that of several."""
    if inputs["previous"].size > 1:
        return step(inputs)
    double = {name: np.concatenate([array, array]) for name, array in inputs.items()}
    return {name: array[:1] for name, array in step(double).items()}


def _forbid(scores: Floats, steps: Numbers, block: int) -> None:
    """Take away what may not come next: what is never written, no title, and a repetition."""
    scores[..., :END] = _NEVER
    done = steps.shape[2]
    if not done:
        scores[..., END] = _NEVER
    if not block or done < block:
        return
    # Stretches of ``block`` steps that begin as the last ``block - 1`` steps do.
    starts = np.arange(done - block + 1)
    same = np.ones((*steps.shape[:2], len(starts)), dtype=np.bool_)
    for i in range(block - 1):
        same &= steps[:, :, starts + i] == steps[:, :, done - block + 1 + i, None]
    text, beam, start = np.nonzero(same)
    scores[text, beam, steps[text, beam, start + block - 1]] = _NEVER


def _over(
    found: list[list[Hypothesis]], totals: Floats, length: int, plan: Decoding, count: int
) -> NDArray[np.bool_]:
    """Texts of which nothing better is to be expected, from how their beams stand now."""
    best = totals.max(axis=1)
    over: NDArray[np.bool_] = best == _NEVER
    if plan.temperature is not None:
        return over
    for row, ended in enumerate(found):
        if not over[row] and len(ended) >= count:
            least = sorted((h.normed(plan.alpha) for h in ended), reverse=True)[count - 1]
            over[row] = least >= best[row] / length**plan.alpha
    return over


def largest(scores: Floats, count: int) -> Numbers:
    """Columns of the ``count`` largest of each row, the largest first; of equal ones the first.

    The largest lie in the blocks with the largest maxima, so that most columns are looked at
    only once.
    """
    rows, width = scores.shape
    count = min(count, width)
    blocks = width // _BLOCK
    if blocks <= 2 * count:
        near = np.broadcast_to(np.arange(width), (rows, width))
    else:
        # A block is every ``blocks``-th column, as maxima over rows of a table are fast.
        maxima = scores[:, : blocks * _BLOCK].reshape(rows, _BLOCK, blocks).max(axis=1)
        top = np.argpartition(-maxima, count - 1, axis=1)[:, :count]
        near = (top[:, None, :] + blocks * np.arange(_BLOCK)[:, None]).reshape(rows, -1)
        rest = np.arange(blocks * _BLOCK, width)
        near = np.concatenate([near, np.broadcast_to(rest, (rows, len(rest)))], axis=1)
    values = np.take_along_axis(scores, near, axis=1)
    top = np.argpartition(-values, count - 1, axis=1)[:, :count]
    columns = np.take_along_axis(near, top, axis=1)
    order = np.lexsort((columns, -np.take_along_axis(values, top, axis=1)))
    return np.take_along_axis(columns, order, axis=1)


class _Search:
    """Goes on with the best of all steps of all beams of a text."""

    def __init__(self, beams: int) -> None:
        self._beams = beams

    def __call__(self, totals: Floats, scores: Floats, texts: Numbers, at: int) -> _Chosen:
        count, beams, width = scores.shape
        many = 2 * self._beams  # half of them may be ends
        each = largest(scores.reshape(-1, width), many)
        values = np.take_along_axis(scores.reshape(-1, width), each, axis=1)
        values = values.reshape(count, beams, -1) + totals[:, :, None]
        top = largest(values.reshape(count, -1), many)
        reached = np.take_along_axis(values.reshape(count, -1), top, axis=1)
        parents = top // each.shape[1]
        steps = np.take_along_axis(each.reshape(count, -1), top, axis=1)
        ended = steps == END
        # An end counts where it is among the best; others take its place in what is gone on with.
        rows, places = np.nonzero(ended[:, : self._beams] & (reached[:, : self._beams] > _NEVER))
        ends = [
            (int(row), int(parents[row, place]), float(reached[row, place]))
            for row, place in zip(rows, places, strict=True)
        ]
        reached = np.where(ended, _NEVER, reached)
        on = np.argsort(ended, axis=1, kind="stable")[:, : self._beams]
        parents, steps, reached = (
            np.take_along_axis(array, on, axis=1) for array in (parents, steps, reached)
        )
        return _Chosen(parents, steps, reached, ends)


class _Draw:
    """Goes on with a step that is drawn for each title by itself."""

    def __init__(
        self,
        temperature: float,
        top_k: int,
        seeds: Sequence[Sequence[int]],
        count: int,
        longest: int,
    ) -> None:
        self._temperature, self._top_k = temperature, top_k
        # All numbers of a text come from its own seed, so that its company decides nothing.
        self._drawn = np.stack(
            [np.random.default_rng(seed).random((count, longest)) for seed in seeds]
        )

    def __call__(self, totals: Floats, scores: Floats, texts: Numbers, at: int) -> _Chosen:
        count, beams, width = scores.shape
        drawn = self._drawn[texts, :, at]
        flat = scores.reshape(-1, width)
        columns = largest(flat, self._top_k)
        values = np.take_along_axis(flat, columns, axis=1).reshape(count, beams, -1)
        columns = columns.reshape(count, beams, -1)
        if (times := drawn.shape[1] // beams) > 1:  # the first step is the same for all titles
            columns, values = columns.repeat(times, axis=1), values.repeat(times, axis=1)
            totals = totals.repeat(times, axis=1)
        weights = np.exp((values - values[..., :1]) / self._temperature).cumsum(axis=2)
        place = (weights < drawn[..., None] * weights[..., -1:]).sum(axis=2, keepdims=True)
        steps = np.take_along_axis(columns, place, axis=2)[..., 0]
        totals = totals + np.take_along_axis(values, place, axis=2)[..., 0]
        parents = np.zeros_like(steps) + (np.arange(beams) if beams > 1 else 0)
        ended = (steps == END) & (totals > _NEVER)
        ends = [
            (int(row), int(parents[row, beam]), float(totals[row, beam]))
            for row, beam in zip(*np.nonzero(ended), strict=True)
        ]
        return _Chosen(parents, steps, np.where(steps == END, _NEVER, totals), ends)
