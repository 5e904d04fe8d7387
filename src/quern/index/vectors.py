"""Vectors and their ids as every index takes them; whatever is not so is refused by name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quern.errors import VectorError

TOLERANCE = 1e-3  # by which the length of a unit vector may be off
_CHUNK = 4096  # rows looked at together, which fit into the processor's cache

Ids = NDArray[np.int64]
Vectors = NDArray[np.float32]


def unit(vectors: ArrayLike) -> Vectors:
    """Vectors divided by their lengths, so that inner products are cosines.

    Args:
        vectors: (count, dim), of any real type.

    Raises:
        VectorError: one has no direction: it is all zero, or not finite.
    """
    given = np.asarray(vectors, dtype=np.float64)
    if given.ndim != 2:
        raise VectorError(f"vectors have shape {given.shape}; give one a row: (count, dim)")
    for row in np.flatnonzero(~np.isfinite(given).all(axis=1))[:1]:
        raise VectorError(f"row {row} is not finite; leave it out, or mend what made it")
    largest = np.abs(given).max(axis=1, keepdims=True, initial=0)
    for row in np.flatnonzero(largest == 0)[:1]:
        raise VectorError(f"row {row} is all zero and has no direction; leave it out")
    given = given / largest  # squares of very large and very small numbers leave the range
    lengths = np.sqrt((given**2).sum(axis=1, keepdims=True))
    return np.asarray(given / lengths, dtype=np.float32)


def checked(vectors: ArrayLike, dim: int) -> Vectors:
    """Vectors, each in a row, contiguous, if an index of ``dim`` can hold or answer them.

    Raises:
        VectorError: they have another shape, or one is not finite, all zero or not of unit length.
    """
    given = np.ascontiguousarray(vectors, dtype=np.float32)
    if given.ndim != 2 or given.shape[1] != dim:
        raise VectorError(f"vectors have shape {given.shape}, the index takes (count, {dim})")
    for at in range(0, len(given), _CHUNK):
        part = given[at : at + _CHUNK]
        squares = np.einsum("ij,ij->i", part, part, dtype=np.float64)
        for row in np.flatnonzero(~(np.abs(np.sqrt(squares) - 1) <= TOLERANCE))[:1]:
            raise VectorError(f"row {at + row} {_fault(part[row], float(squares[row]))}")
    return given


def asked(queries: ArrayLike, k: int, dim: int) -> Vectors:
    """Queries, if ``k`` neighbours can be found of each.

    Raises:
        VectorError: see ``checked``, or ``k`` is below 0.
    """
    if k < 0:
        raise VectorError(f"{k} neighbours cannot be found; ask for 0 or more")
    return checked(queries, dim)


def _fault(vector: Vectors, square: float) -> str:
    if not np.isfinite(vector).all():
        return "is not finite; leave it out, or mend what made it"
    if not vector.any():
        return "is all zero and has no direction; leave it out"
    return f"has length {square**0.5:.4g}, not 1; pass the vectors through unit() first"


def checked_ids(ids: Sequence[int] | Ids) -> Ids:
    """Ids as an array, if each is a whole number from 0 on and given once.

    Raises:
        VectorError: one is not.
    """
    given = np.asarray(ids)
    if given.size == 0:
        return np.empty(0, np.int64)
    if given.ndim != 1 or given.dtype.kind not in "iu":
        raise VectorError(f"ids are {given.dtype} of shape {given.shape}; give whole numbers")
    for row in np.flatnonzero((given < 0) | (given > np.iinfo(np.int64).max))[:1]:
        raise VectorError(f"id {given[row]} is not from 0 to 2**63 - 1")
    found, counts = np.unique(given, return_counts=True)
    for again in found[counts > 1][:1]:
        rows = " and ".join(str(row) for row in np.flatnonzero(given == again)[:2])
        raise VectorError(f"id {again} is given twice, in rows {rows}; give each once")
    return given.astype(np.int64)


def paired(ids: Sequence[int] | Ids, vectors: ArrayLike, dim: int) -> tuple[Ids, Vectors]:
    """What is to be added: ids, and as many vectors.

    Raises:
        VectorError: see ``checked`` and ``checked_ids``, or one has no other.
    """
    numbers, rows = checked_ids(ids), checked(vectors, dim)
    if len(numbers) != len(rows):
        raise VectorError(f"{len(numbers)} ids and {len(rows)} vectors; give one id to each")
    return numbers, rows
