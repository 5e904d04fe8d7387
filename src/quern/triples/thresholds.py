"""Least probabilities at which a triple model takes something for found."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import msgspec
import numpy as np

_FAINT = 0.05  # least threshold; near 0 a text has as many facts as pairs of units


class Thresholds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Least probabilities of starts and ends; the article's until tuned on dev."""

    subject_start: float = 0.5
    subject_end: float = 0.4
    object_start: float = 0.5
    object_end: float = 0.4


def loosened(thresholds: Thresholds, score: float) -> list[Thresholds]:
    """Lower thresholds, for facts that score at least ``score`` before calibration.

    No probability of such a fact is lower. With one of the two the ends keep their thresholds,
    so that no weak end hides the strong one behind it.
    """
    least = max(score, _FAINT)
    low = Thresholds(*(min(usual, least) for usual in msgspec.structs.astuple(thresholds)))
    ends = {"subject_end": thresholds.subject_end, "object_end": thresholds.object_end}
    return [msgspec.structs.replace(low, **ends), low]


def lowest(candidates: Sequence[Thresholds]) -> Thresholds:
    """The least of each threshold."""
    return Thresholds(
        *(min(column) for column in zip(*map(msgspec.structs.astuple, candidates), strict=True))
    )


def grid(step: float = 0.1) -> list[Thresholds]:
    """Thresholds to choose from on dev: one for both ends of subjects, one for objects."""
    values = np.arange(0.2, 0.8 + step / 2, step).round(3).tolist()
    return [Thresholds(s, s, o, o) for s, o in product(values, values)]
