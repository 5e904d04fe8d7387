"""What is read of an entity, encoded once for all texts, as bytes to be kept beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quern.links.pairs import Described

_FULL = 127  # a state of 1

States = NDArray[np.int8]


class Encoded(NamedTuple):
    """A description as the matcher takes it.

    Attributes:
        states: (units, width), from -127 to 127.
        part: (units,), see ``pairs.Described``.
        keys: (units,), see ``pairs.unit_keys``.
    """

    states: States
    part: NDArray[np.int32]
    keys: NDArray[np.int32]

    @classmethod
    def of(cls, described: Described, states: NDArray[np.float32]) -> Encoded:
        """A description with the states, between -1 and 1, that a network gives it."""
        rounded = np.rint(states[: described.length] * _FULL).astype(np.int8)
        return cls(rounded, described.part, described.keys)

    @property
    def length(self) -> int:
        """Units."""
        return len(self.part)

    def payload(self) -> bytes:
        """As bytes, to be kept."""
        keys = self.keys.astype("<i4").tobytes()
        return keys + self.part.astype(np.int8).tobytes() + self.states.tobytes()

    @classmethod
    def read(cls, content: bytes, width: int) -> Encoded:
        """What gave a ``payload``, with states of some width."""
        units = len(content) // (5 + width)
        keys = np.frombuffer(content, "<i4", units)
        part = np.frombuffer(content, np.int8, units, 4 * units)
        states = np.frombuffer(content, np.int8, units * width, 5 * units)
        return cls(states.reshape(units, width), part.astype(np.int32), keys.astype(np.int32))


def padded_states(several: Sequence[Encoded], units: int, width: int) -> NDArray[np.float32]:
    """The states of descriptions between -1 and 1, (descriptions, units, width); 0 pads."""
    states = np.zeros((len(several), units, width), dtype=np.int8)
    for row, one in enumerate(several):
        states[row, : one.length] = one.states
    return states.astype(np.float32) / np.float32(_FULL)
