"""Figures of anything that is wanted, given and right, whatever the task."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from quern.evaluation.judging import Status
from quern.metrics import Counts

FORMAT = 1  # of the records; raised when a field changes its meaning or goes away
_SAMPLES, _SEED, _LEVEL = 1000, 0, 0.95
_BINS = 10
_STEPS = 20  # points of the curve over least scores
_RECALLS = (0.5, 0.7, 0.9)  # for which the best precision is looked up

Interval = tuple[float, float]
Grade = tuple[float, bool]  # a score, and whether what has it is right


class Scored(Protocol):
    """Anything that was wanted, given or both; ``score`` is None where it was not given."""

    @property
    def status(self) -> Status:
        """Right, missed or wrong."""

    @property
    def score(self) -> float | None:
        """The model's."""


class Figures(msgspec.Struct, frozen=True):
    """Counts and what follows from them; None where there is nothing to divide by."""

    wanted: int
    given: int
    right: int
    precision: float | None
    recall: float | None
    f1: float | None

    @classmethod
    def of(cls, counts: Counts) -> Figures:
        """The figures of some counts."""
        wanted, given, right = counts.wanted, counts.given, counts.right
        return cls(
            wanted,
            given,
            right,
            right / given if given else None,
            right / wanted if wanted else None,
            2 * right / (wanted + given) if wanted + given else None,
        )


class Bootstrap(msgspec.Struct, frozen=True):
    """Between which values a figure lies for other texts of the same kind.

    Attributes:
        level: share of the samples that lies within an interval.
        samples: how often as many texts were drawn again, with replacement.
    """

    level: float
    samples: int
    precision: Interval | None
    recall: Interval | None
    f1: Interval | None


class CurvePoint(msgspec.Struct, frozen=True):
    """The figures if triples that score less than ``min_score`` are left out."""

    min_score: float
    figures: Figures


class LeastScore(msgspec.Struct, frozen=True):
    """The least score that suits a goal best, None where no least score reaches it.

    Attributes:
        goal: the recall or the precision that is wanted.
        min_score: what to leave out.
        figures: what then remains.
    """

    goal: float
    min_score: float | None
    figures: Figures | None

    @classmethod
    def of(cls, goal: float, point: CurvePoint | None) -> LeastScore:
        """What was chosen for a goal."""
        return cls(goal, None, None) if point is None else cls(goal, point.min_score, point.figures)


class Bin(msgspec.Struct, frozen=True):
    """The given triples whose score lies in ``low … high``: how many, mean score, share right."""

    low: float
    high: float
    given: int
    score: float
    right: float


class Calibration(msgspec.Struct, frozen=True):
    """Whether scores can be read as probabilities.

    Attributes:
        error: mean distance between score and share right over all given triples.
        lines: which lines were looked at: those with "complete" labels, where there are any,
            else the "incomplete" ones.
        bins: the given triples by score; empty bins are left out.
        raw_error: the error of the same scores before the model calibrates them, None where
            it does not.
    """

    error: float
    lines: str
    bins: list[Bin]
    raw_error: float | None = None


def bootstrap(counts: Sequence[Counts], samples: int = _SAMPLES, seed: int = _SEED) -> Bootstrap:
    """95 % intervals from texts drawn again with replacement; the same for the same texts."""
    rows = np.array([(c.wanted, c.given, c.right) for c in counts], dtype=np.float64)
    drawn = np.zeros((samples, 3))
    rng = np.random.default_rng(seed)
    for i in range(samples if len(rows) else 0):
        times = np.bincount(rng.integers(0, len(rows), len(rows)), minlength=len(rows))
        drawn[i] = times @ rows
    wanted, given, right = drawn.T
    return Bootstrap(
        level=_LEVEL,
        samples=samples,
        precision=_middle(right, given),
        recall=_middle(right, wanted),
        f1=_middle(2 * right, wanted + given),
    )


def bootstrap_mean(
    values: Sequence[float], samples: int = _SAMPLES, seed: int = _SEED
) -> Interval | None:
    """The 95 % interval of a mean over texts, drawn again with replacement; None without texts."""
    if not values:
        return None
    given, rng = np.array(values, dtype=np.float64), np.random.default_rng(seed)
    means = [given[rng.integers(0, len(given), len(given))].mean() for _ in range(samples)]
    tail = 50 * (1 - _LEVEL)
    low, high = np.percentile(means, [tail, 100 - tail])
    return float(low), float(high)


def _middle(part: NDArray[np.float64], whole: NDArray[np.float64]) -> Interval | None:
    """The middle 95 % of the quotients, those without a denominator left out."""
    some = whole > 0
    if not some.any():
        return None
    tail = 50 * (1 - _LEVEL)
    low, high = np.percentile(part[some] / whole[some], [tail, 100 - tail])
    return float(low), float(high)


def curve(facts: Sequence[Scored], steps: int = _STEPS) -> list[CurvePoint]:
    """Figures for least scores from 0 to 1, 1 left out."""
    given = np.array([fact.score for fact in facts if fact.status != "missed"], dtype=np.float64)
    right = np.array([fact.status == "right" for fact in facts if fact.status != "missed"], bool)
    wanted = sum(fact.status != "wrong" for fact in facts)
    points = []
    for step in range(steps):
        least = step / steps
        kept = given >= least
        counts = Counts(wanted, int(kept.sum()), int((kept & right).sum()))
        points.append(CurvePoint(least, Figures.of(counts)))
    return points


def cuts(facts: Sequence[Scored]) -> list[CurvePoint]:
    """Figures for every least score that makes a difference, the lowest first.

    Each is written as short as still cuts at the same place.
    """
    given = sorted((f.score, f.status == "right") for f in facts if f.score is not None)
    wanted = sum(fact.status != "wrong" for fact in facts)
    left, right = len(given), sum(hit for _, hit in given)
    points: list[CurvePoint] = []
    below = 0.0
    for score, group in groupby(given, key=lambda row: row[0]):
        least = _short(score, below) if points else 0.0
        points.append(CurvePoint(least, Figures.of(Counts(wanted, left, right))))
        hits = [hit for _, hit in group]
        left, right, below = left - len(hits), right - sum(hits), score
    return points


def _short(score: float, below: float) -> float:
    """The number with the fewest digits, but two, that lies above ``below`` up to ``score``.

    With one it could lie far below, and let through what nothing here is known of.
    """
    for digits in range(2, 17):
        least = math.floor(score * 10.0**digits) / 10.0**digits
        if below < least <= score:
            return least
    return score


def most_precise(points: Sequence[CurvePoint], recall: float) -> CurvePoint | None:
    """The cut with the best precision of those that leave at least so much recall."""
    reached = [point for point in points if (point.figures.recall or 0.0) >= recall]
    # Of equals the first has the most recall.
    return max(reached, key=lambda point: point.figures.precision or 0.0, default=None)


def at_recalls(points: Sequence[CurvePoint]) -> list[LeastScore]:
    """For some recalls the cut with the best precision, see ``most_precise``."""
    return [LeastScore.of(recall, most_precise(points, recall)) for recall in _RECALLS]


def least_score(points: Sequence[CurvePoint], precision: float) -> CurvePoint | None:
    """The lowest cut that reaches a precision."""
    return next((p for p in points if (p.figures.precision or 0.0) >= precision), None)


def reliability(grades: Sequence[Grade], lines: str) -> Calibration | None:
    """The same of anything that has a score and is right or wrong."""
    if not grades:
        return None
    scores, right = np.array(grades, dtype=np.float64).T
    place = np.minimum((scores * _BINS).astype(int), _BINS - 1)
    bins = []
    for i in np.unique(place).tolist():
        held = place == i
        mean, share = float(scores[held].mean()), float(right[held].mean())
        bins.append(Bin(i / _BINS, (i + 1) / _BINS, int(held.sum()), mean, share))
    error = sum(b.given * abs(b.score - b.right) for b in bins) / len(grades)
    return Calibration(error, lines, bins)
