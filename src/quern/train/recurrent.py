"""Gated recurrent units over whole sentences, of which padding changes nothing."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class BothWays(nn.Module):
    """A GRU from left to right beside one from right to left (Cho et al., 2014).

    Both read every sentence as if it were packed by its length. In training, the second is given
    each sentence turned round by itself, its padding left at the end. The exported graph holds the
    runtime's own recurrent operator, which is told the lengths; weights are kept in its layout
    (update, reset, candidate), since the exporter folds those in torch's layout into new ones.
    """

    def __init__(self, inputs: int, dim: int) -> None:
        """``dim``, an even number, is the width of both together."""
        super().__init__()
        self.dim = dim // 2
        bound = self.dim**-0.5
        shapes = ((2, 3 * self.dim, inputs), (2, 3 * self.dim, self.dim), (2, 6 * self.dim))
        self.x, self.h, self.bias = (
            nn.Parameter(torch.empty(shape).uniform_(-bound, bound)) for shape in shapes
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, T, inputs) and (B, T, 1) → (B, T, dim), zeros over padding."""
        length = mask.squeeze(-1).sum(1)
        if torch.compiler.is_exporting():
            return self._operator(x, length.to(torch.int32))
        places = torch.arange(x.shape[1], device=x.device).unsqueeze(0)
        last = length.long().unsqueeze(1) - 1
        turned = torch.where(places <= last, last - places, places).unsqueeze(-1)
        with torch.autocast("cpu", enabled=False):
            x = x.float()
            forth = self._run(0, x)
            back = self._run(1, x.gather(1, turned.expand(-1, -1, x.shape[2])))
        back = back.gather(1, turned.expand(-1, -1, back.shape[2]))
        return torch.cat([forth, back], dim=-1) * mask

    def _run(self, way: int, x: Tensor) -> Tensor:
        def of_torch(rows: Tensor) -> Tensor:
            update, reset, candidate = rows.chunk(3)
            return torch.cat([reset, update, candidate])

        of_x, of_h = self.bias[way].chunk(2)
        weights = [of_torch(rows) for rows in (self.x[way], self.h[way], of_x, of_h)]
        state = x.new_zeros(1, x.shape[0], self.dim)
        found, _ = torch.gru(x, state, weights, True, 1, 0.0, self.training, False, True)
        return found

    def _operator(self, x: Tensor, length: Tensor) -> Tensor:
        count, units = x.shape[0], x.shape[1]
        found: Tensor = torch.onnx.ops.symbolic(
            "GRU",
            (x.transpose(0, 1), self.x, self.h, self.bias, length),
            {"hidden_size": self.dim, "direction": "bidirectional", "linear_before_reset": 1},
            dtype=x.dtype,
            shape=(units, 2, count, self.dim),
        )
        return found.permute(2, 0, 1, 3).reshape(count, units, 2 * self.dim)
