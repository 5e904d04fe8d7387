"""A table of very many rows, of which a step touches few: only these are read and moved."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

_TINY = 1e-12


class RowTable:
    """Rows that are learned: one for each group, or each item, of very many.

    Moved by Adagrad with one sum of squares for each row (Duchi et al., 2011): a step costs what
    the rows in it cost, however many others there are, and a row's memory is one number more than
    the row. An optimiser that keeps moments of all rows would visit them all.

    Attributes:
        weight: (rows, dim).
        kept: whether the rows are part of what is trained for, so that the best are kept; else
            they only help to train it, and stay as they are.
    """

    kept = False

    def __init__(self, weight: Tensor, speed: float = 30.0) -> None:
        """Take the first values.

        Args:
            weight: (rows, dim), which is learned in place.
            speed: of the rows, in units of the network's rate; a row is met far more seldom
                than a weight.
        """
        self.weight, self.speed = weight, speed
        self.squares = torch.zeros(len(weight))
        self._asked: list[tuple[Tensor, Tensor]] = []
        self._best: Tensor | None = None

    @classmethod
    def drawn(cls, rows: int, dim: int, seed: int) -> RowTable:
        """Rows drawn from a normal distribution, their length about 1."""
        generator = torch.Generator().manual_seed(seed)
        return cls(torch.randn(rows, dim, generator=generator).div_(dim**0.5))

    def rows(self, ids: Tensor) -> Tensor:
        """The rows (n, dim) of ``ids`` (n,), each named once; ``learn`` moves them."""
        rows = self.weight[ids].requires_grad_()
        if torch.is_grad_enabled():
            self._asked.append((ids, rows))
        return rows

    def largest(self) -> float:
        """The largest component of the gradients since ``learn``; not finite where one is not."""
        found = [rows.grad.abs().max() for _, rows in self._asked if rows.grad is not None]
        return float(torch.stack(found).max()) if found else 0.0

    def learn(self, rate: float) -> None:
        """Move the rows that were asked for against their gradients."""
        for ids, rows in self._asked:
            if rows.grad is None:
                continue
            squares = self.squares[ids] + rows.grad.square().mean(1)
            self.squares[ids] = squares
            step = self.speed * rate / (squares + _TINY).sqrt().unsqueeze(1)
            self.weight[ids] = rows.detach() - step * rows.grad
        self._asked.clear()

    def mark(self) -> None:
        """Keep the rows as they are, as the best so far."""
        if self.kept:
            self._best = self.weight.clone()

    def go_back(self) -> None:
        """Take the best rows again, where they are kept."""
        if self._best is not None:
            self.weight = self._best.clone()

    def tensors(self) -> dict[str, Tensor]:
        """All that a checkpoint must keep."""
        kept = {} if self._best is None else {"best": self._best}
        return {"weight": self.weight, "squares": self.squares, **kept}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what ``tensors`` gave."""
        self.weight, self.squares = tensors["weight"], tensors["squares"]
        self._best = tensors.get("best")
