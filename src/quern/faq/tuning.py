"""From which score on an answer is given: chosen on questions with and without answers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from quern.calibration import PlattScaling
from quern.errors import DataError

_FEWEST = 10  # questions from which a calibration is fitted


class Judged(NamedTuple):
    """A question whose right answer is known, and what came first.

    Attributes:
        score: of the answer that came first, -1 where there was none.
        right: whether that is the right one.
        answerable: whether any answer is right.
    """

    score: float
    right: bool
    answerable: bool


class Decided(msgspec.Struct, frozen=True):
    """What a threshold decides; None where there is nothing to divide by.

    Attributes:
        threshold: the least score that is answered.
        accuracy: of the questions with an answer, the share that gets the right one.
        refused: of those without, the share that gets none.
        answered: share of all questions that get an answer.
        precision: share of the given answers that are right.
    """

    threshold: float
    accuracy: float | None
    refused: float | None
    answered: float
    precision: float | None


class Tuned(msgspec.Struct, frozen=True):
    """What was chosen, and what it was before.

    Attributes:
        before: by the threshold that stood, or by none.
        after: by the chosen one.
        calibration: makes probabilities of scores; None of too few questions.
    """

    before: Decided
    after: Decided
    calibration: PlattScaling | None


def decide(judged: Sequence[Judged], threshold: float) -> Decided:
    """What a threshold decides of some questions."""
    scores, right, known = _columns(judged)
    given = scores >= threshold
    hits = int((given & right).sum())
    return Decided(
        threshold=threshold,
        accuracy=hits / int(known.sum()) if known.any() else None,
        refused=float((~given[~known]).mean()) if (~known).any() else None,
        answered=float(given.mean()),
        precision=hits / int(given.sum()) if given.any() else None,
    )


def tune(judged: Sequence[Judged], before: float, precision: float | None = None) -> Tuned:
    """Choose a threshold.

    Args:
        judged: questions.
        before: the threshold that stands.
        precision: take the lowest threshold that reaches it; without it, that with the most right
            decisions, where questions with and without answers count alike.

    Raises:
        DataError: no threshold reaches ``precision``.
    """
    tried = [decide(judged, threshold) for threshold in _between(judged)]
    if precision is None:
        after = max(tried, key=_balance)
    else:
        reached = [d for d in tried if d.precision is not None and d.precision >= precision]
        if not reached:
            best = max((d.precision for d in tried if d.precision is not None), default=0.0)
            raise DataError(
                f"no threshold reaches a precision of {precision:g}; the best is {best:.3f}. "
                "Ask for less, or add phrasings of the questions that are answered wrongly"
            )
        after = min(reached, key=lambda each: each.threshold)
    return Tuned(decide(judged, before), after, calibrated(judged))


def calibrated(judged: Sequence[Judged]) -> PlattScaling | None:
    """How scores become probabilities to be right."""
    if len(judged) < _FEWEST:
        return None
    return PlattScaling.fit([share_of(each.score) for each in judged], [j.right for j in judged])


def share_of(score: float) -> float:
    """A cosine as a number from 0 to 1, as calibrations take it."""
    return min(max((1 + score) / 2, 0.0), 1.0)


def _columns(
    judged: Sequence[Judged],
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    scores = np.array([each.score for each in judged], dtype=np.float64)
    right = np.array([each.right for each in judged], dtype=np.bool_)
    return scores, right, np.array([each.answerable for each in judged], dtype=np.bool_)


def _between(judged: Sequence[Judged]) -> list[float]:
    """Thresholds below, above and in the middle between the scores that came."""
    scores = sorted({each.score for each in judged})
    middles = [(a + b) / 2 for a, b in pairwise(scores)]
    return [-1.0, *middles, min(1.0, scores[-1] + 1e-3)]


def _balance(decided: Decided) -> float:
    """The mean share of right decisions of both sides, those that there are."""
    shares = [share for share in (decided.accuracy, decided.refused) if share is not None]
    return sum(shares) / len(shares)
