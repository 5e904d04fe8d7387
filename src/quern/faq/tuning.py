"""From which score on an answer is given: chosen on questions with and without answers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec
import numpy as np

from quern.calibration import PlattScaling
from quern.errors import DataError
from quern.evaluation.retrieval import Cut, Found, cut
from quern.faq.replies import FaqReply
from quern.records import FaqExample

NOTHING = -2.0  # below any cosine: the score where no answer came
_FEWEST = 10  # questions from which a calibration is fitted


class Judged(NamedTuple):
    """A question whose right answer is known, and what came first.

    Attributes:
        score: of the answer that came first, ``NOTHING`` where none did.
        right: whether that is the right one.
        answerable: whether any answer is right.
    """

    score: float
    right: bool
    answerable: bool


class Tuned(msgspec.Struct, frozen=True):
    """What was chosen, and what it was before.

    Attributes:
        before: by the threshold that stood, or by none.
        after: by the chosen one.
        calibration: makes probabilities of scores; None of too few questions.
    """

    before: Cut
    after: Cut
    calibration: PlattScaling | None


def judge(example: FaqExample, reply: FaqReply) -> Judged:
    """Whether what came first is right."""
    best = reply.answers[0] if reply.answers else None
    right = best is not None and best.id == example.id
    return Judged(NOTHING if best is None else best.score, right, example.id is not None)


def decide(judged: Sequence[Judged], threshold: float) -> Cut:
    """What a threshold decides of some questions."""
    return cut(_found(judged), threshold)


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
    found = _found(judged)
    tried = [cut(found, threshold) for threshold in _between(judged)]
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
    return Tuned(cut(found, before), after, calibrated(judged))


def calibrated(judged: Sequence[Judged]) -> PlattScaling | None:
    """How scores become probabilities to be right."""
    if len(judged) < _FEWEST:
        return None
    return PlattScaling.fit([share_of(each.score) for each in judged], [j.right for j in judged])


def share_of(score: float) -> float:
    """A cosine as a number from 0 to 1, as calibrations take it."""
    return min(max((1 + score) / 2, 0.0), 1.0)


def _found(judged: Sequence[Judged]) -> Found:
    """The same as ranks; of a right answer that did not come first only that is known."""
    ranks = [(1 if each.right else 2) if each.answerable else 0 for each in judged]
    scores = np.array([each.score for each in judged], dtype=np.float64)
    # Which answer came is not asked for: -1, as where nothing is known.
    nearest = np.full(len(judged), -1, dtype=np.int64)
    return Found(np.array(ranks, dtype=np.int64), scores, nearest)


def _between(judged: Sequence[Judged]) -> list[float]:
    """Thresholds below, above and in the middle between the scores that came."""
    scores = sorted({each.score for each in judged if each.score > NOTHING})
    middles = [(a + b) / 2 for a, b in pairwise(scores)]
    return [-1.0, *middles, *(min(1.0, score + 1e-3) for score in scores[-1:])]


def _balance(decided: Cut) -> float:
    """The mean share of right decisions of both sides, those that there are."""
    shares = [share for share in (decided.accuracy, decided.refused) if share is not None]
    return sum(shares) / len(shares)
