"""Nearest vectors behind one interface: all compared, in cells, or in a database."""

from __future__ import annotations

from quern.index.approximate import ApproximateIndex
from quern.index.exact import ExactIndex
from quern.index.opening import EXACT_UP_TO, Index, Kind, create_index, kind_for, open_index
from quern.index.scan import Neighbours
from quern.index.served import ServedIndex
from quern.index.vectors import unit

__all__ = [
    "EXACT_UP_TO",
    "ApproximateIndex",
    "ExactIndex",
    "Index",
    "Kind",
    "Neighbours",
    "ServedIndex",
    "create_index",
    "kind_for",
    "open_index",
    "unit",
]
