"""Training items that are windows of texts, as the loop asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from quern.text import Window
from quern.train.batches import Order, Places, permuted


class OfText(Protocol):
    """A window of a text that stands on some line."""

    @property
    def line(self) -> int:
        """Of the text in its file."""

    @property
    def window(self) -> Window:
        """The part of the text."""


_I = TypeVar("_I", bound=OfText)


class WindowItems(Generic[_I]):
    """Windows that lie in memory.

    Attributes:
        items: all of them.
    """

    items: list[_I]

    def __len__(self) -> int:
        """Windows."""
        return len(self.items)

    def lengths(self, items: Places) -> NDArray[np.integer]:
        """Units of some items."""
        windows = [self.items[i].window for i in items]
        return np.array([window.stop - window.first for window in windows])

    def order(self, size: int, seed: int, epoch: int) -> Order:
        """The batches of an epoch."""

        def drawn(places: Places) -> Places:
            return permuted(places, len(self), [seed, epoch])

        return Order(len(self), size, [seed, epoch, 1], drawn, self.lengths)

    def lines(self, items: Sequence[int]) -> list[int]:
        """Line numbers of some items."""
        return [self.items[i].line for i in items]
