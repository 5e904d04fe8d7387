"""Hashed pairs and triples of neighbouring units."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from quern.text.codec import GRAMS, UNIT, Encoding, Window
from quern.text.hashing import mixed
from quern.text.vocabulary import RESERVED

PHRASES = 2  # of each unit: with the unit before it, and with the two before it
_STRANGERS = 1 << 40  # added to what stands for units without an id of their own
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


def phrases(
    parts: Sequence[tuple[Encoding, Window]], length: int, buckets: int
) -> NDArray[np.int32]:
    """Numbers of the pairs and triples of units that end at each unit.

    A unit is known by its id, a stranger by the hash of its letters. Before the first unit
    stands the border, so that what a sentence begins with is told apart.

    Args:
        parts: windows of texts.
        length: units to which they are padded.
        buckets: that the hashes fall into, from 1; 0 pads.

    Returns:
        (parts, length, 2).
    """
    keys = np.zeros((len(parts), length + 2), dtype=np.uint64)
    for row, (encoding, (first, stop)) in enumerate(parts):
        features = encoding.features[first:stop]
        unit, gram = features[:, UNIT], features[:, GRAMS].astype(np.int64)
        own = np.where(unit >= RESERVED, unit.astype(np.int64), gram + _STRANGERS)
        keys[row, 2 : 2 + len(own)] = own.astype(np.uint64)
    here, before, second = keys[:, 2:], keys[:, 1:-1], keys[:, :-2]
    pair = mixed(mixed(before) * _FACTOR + here)
    triple = mixed(mixed(mixed(second) * _FACTOR + before) * _FACTOR + here + np.uint64(1))
    found = np.stack([pair, triple], axis=-1) % np.uint64(buckets - 1) + np.uint64(1)
    # A triple at the first unit has two borders before it, and says what the pair says.
    found[:, :1, 1] = 0
    return np.where(here[..., None] > 0, found, np.uint64(0)).astype(np.int32)
