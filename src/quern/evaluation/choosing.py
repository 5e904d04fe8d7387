"""Which of several settings suits labelled texts best, and whether by more than luck."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeVar

import msgspec
import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from quern.metrics import Counts

PARTS = 20  # of the texts, to measure how much a difference wavers
_DOUBT = 1.5  # standard errors that a gain over the defaults must exceed

Parts = NDArray[np.int64]  # (parts, 3): wanted, given and right of each part of the texts
_T = TypeVar("_T", bound=msgspec.Struct)


def best_of(tried: Mapping[_T, Parts], usual: _T) -> _T:
    """The highest F1; of equals the one nearest to ``usual``."""
    return max(tried, key=lambda each: (total(tried[each]).f1, -_distance(each, usual)))


def clearly_better(one: Parts, other: Parts, doubt: float = _DOUBT) -> bool:
    """Whether the first has a higher F1 by more than ``doubt`` standard errors.

    The standard error of the difference is measured by leaving out one part of the texts
    after the other (the jackknife; Tukey 1958). One part alone can tell nothing.
    """
    count = len(one)
    if count < 2:
        return False
    leads = _without_each(one) - _without_each(other)
    error = math.sqrt((count - 1) / count * float(((leads - leads.mean()) ** 2).sum()))
    return total(one).f1 - total(other).f1 > doubt * error


def total(parts: Parts) -> Counts:
    """The counts of all parts together."""
    wanted, given, right = parts.sum(axis=0).tolist()
    return Counts(wanted, given, right)


def _without_each(parts: Parts) -> NDArray[np.float64]:
    """F1 without one part of the texts, for each part."""
    wanted, given, right = (parts.sum(axis=0) - parts).T
    count = wanted + given
    return np.where(count > 0, 2 * right / np.maximum(count, 1), 1.0)


def _distance(one: msgspec.Struct, other: msgspec.Struct) -> float:
    """How far apart thresholds lie; what the first leaves out does not count."""
    pairs = zip(msgspec.structs.astuple(one), msgspec.structs.astuple(other), strict=True)
    return math.fsum(abs(a - b) for a, b in pairs if UNSET not in (a, b))
