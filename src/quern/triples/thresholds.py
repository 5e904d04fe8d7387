"""Least probabilities at which a triple model takes something for found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import product

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

SPAN = 0.5  # least probability of a span until tuned on dev
_FAINT = 0.05  # least threshold; near 0 a text has as many facts as pairs of units


class Thresholds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Least probabilities of starts and ends; the article's until tuned on dev.

    ``span`` is the least probability that a start and an end make one span. A model that does
    not tell has none, and every start is paired with the nearest end.
    """

    subject_start: float = 0.5
    subject_end: float = 0.4
    object_start: float = 0.5
    object_end: float = 0.4
    span: float | UnsetType = UNSET


def loosened(thresholds: Thresholds, score: float) -> list[Thresholds]:
    """Lower thresholds, for facts that score at least ``score`` before calibration.

    No probability of such a fact is lower. With one of the two the ends keep their thresholds,
    so that no weak end hides the strong one behind it.
    """
    least = max(score, _FAINT)
    usual = msgspec.structs.asdict(thresholds)
    least_of = {name: min(value, least) for name, value in usual.items() if value is not UNSET}
    low = Thresholds(**least_of)
    ends = {"subject_end": thresholds.subject_end, "object_end": thresholds.object_end}
    return [msgspec.structs.replace(low, **ends), low]


def lowest(candidates: Sequence[Thresholds]) -> Thresholds:
    """The least of each threshold."""
    values: dict[str, list[float]] = defaultdict(list)
    for candidate in candidates:
        for name, value in msgspec.structs.asdict(candidate).items():
            if value is not UNSET:
                values[name].append(value)
    return Thresholds(**{name: min(column) for name, column in values.items()})


def grid(step: float = 0.1) -> list[Thresholds]:
    """Thresholds to choose from on dev: one for both ends of subjects, one for objects."""
    return [Thresholds(s, s, o, o) for s, o in product(_values(step), _values(step))]


def span_grid(thresholds: Thresholds, step: float = 0.1) -> list[Thresholds]:
    """The same thresholds with other least probabilities of a span."""
    return [msgspec.structs.replace(thresholds, span=value) for value in _values(step)]


def _values(step: float) -> list[float]:
    values: list[float] = np.arange(0.2, 0.8 + step / 2, step).round(3).tolist()
    return values
