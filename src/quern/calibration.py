"""Platt scaling: from a score that ranks facts to the share of them that is right.

Platt, "Probabilistic outputs for support vector machines" (1999); Niculescu-Mizil and Caruana,
"Predicting good probabilities with supervised learning" (2005).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

_EDGE = 2.0**-23  # probabilities in single precision tell no less from 0 or from 1
_SLOPES = (0.1, 10.0)  # a flatter or steeper line says more of the data than of the model
_PULL = 1e-3  # towards the identity; it decides only where the data do not
_STEPS = 100

_Floats = NDArray[np.float64]


class PlattScaling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line on the scale of log odds; rising, so that the order of scores stays.

    Attributes:
        slope: above 0; below 1 it draws scores to the middle.
        offset: above 0 it raises all of them.
    """

    slope: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        if not (0 < self.slope < math.inf and math.isfinite(self.offset)):
            raise ValueError("calibration wants a finite slope above 0 and a finite offset")

    def __call__(self, score: float) -> float:
        """The calibrated score."""
        return _share(self.slope * _log_odds(score) + self.offset)

    def inverse(self, score: float) -> float:
        """The score that is calibrated to ``score``."""
        return _share((_log_odds(score) - self.offset) / self.slope)

    @classmethod
    def fit(cls, scores: Sequence[float], right: Sequence[bool]) -> PlattScaling:
        """The line under which judged facts are most likely.

        Targets are smoothed as Platt does, as if one more fact of either kind had been seen.

        Args:
            scores: of facts.
            right: whether each is right.
        """
        x = np.array([_log_odds(score) for score in scores], dtype=np.float64)
        hits = np.array(right, dtype=bool)
        good = int(hits.sum())
        targets = np.where(hits, (good + 1) / (good + 2), 1 / (len(hits) - good + 2))
        slope, offset = _newton(np.stack([x, np.ones_like(x)], axis=1), targets, (1.0, 0.0))
        if not _SLOPES[0] <= slope <= _SLOPES[1]:
            # The loss is convex: the best within the bounds lies on the one that was crossed.
            slope = min(max(slope, _SLOPES[0]), _SLOPES[1])
            (offset,) = _newton(np.ones((len(x), 1)), targets, (0.0,), slope * x)
        return cls(slope, offset)


def _log_odds(score: float) -> float:
    score = min(max(score, _EDGE), 1 - _EDGE)
    return math.log(score / (1 - score))


def _share(log_odds: float) -> float:
    """The logistic function, its exponent never above 0."""
    if log_odds >= 0:
        return 1 / (1 + math.exp(-log_odds))
    odds = math.exp(log_odds)
    return odds / (1 + odds)


def _newton(
    columns: _Floats, targets: _Floats, start: tuple[float, ...], known: _Floats | float = 0.0
) -> list[float]:
    """Logistic regression by Newton's method; a step that does not help is halved.

    Args:
        columns: one row for each fact.
        targets: the wanted probability of each.
        start: where to begin, and where the pull goes.
        known: a part of the log odds that is not to be learned.
    """
    home = np.array(start)
    weights = home.copy()

    def loss(weights: _Floats) -> float:
        z = known + columns @ weights
        held = float(((weights - home) ** 2).sum())
        return float((np.logaddexp(0, z) - targets * z).sum()) + _PULL / 2 * held

    best = loss(weights)
    for _ in range(_STEPS):
        shares = 0.5 * (1 + np.tanh((known + columns @ weights) / 2))
        gradient = columns.T @ (shares - targets) + _PULL * (weights - home)
        curvature = (columns.T * (shares * (1 - shares))) @ columns + _PULL * np.eye(len(home))
        step = np.linalg.solve(curvature, gradient)
        while (found := loss(weights - step)) > best and np.abs(step).max() > 1e-12:
            step = step / 2
        if found >= best:
            break
        weights, best = weights - step, found
    return [float(weight) for weight in weights]
