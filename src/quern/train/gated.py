"""The gated convolution of training: one step forward and one back, with few passes over memory.

What it computes stands in ``layers.GatedConv`` in plain words; a test holds the two together.
On a CPU two thirds of a training step go by between the matrix products, in copies and
element-wise passes that automatic differentiation asks for; written by hand they are half as many.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, mask: Tensor, weight: Tensor, bias: Tensor, kept: Tensor, dilation: int
    ) -> Tensor:
        batch, length, dim = x.shape
        weight = weight.to(x.dtype)
        wide = x.new_empty(batch, length, 3 * dim)
        _spread(wide, x, dilation)
        both = torch.addmm(bias.to(x.dtype), wide.view(-1, 3 * dim), weight)
        both = both.view(batch, length, 2 * dim)
        open_ = torch.sigmoid(both[..., dim:])
        change = both[..., :dim] - x
        gate = open_ * kept
        ctx.save_for_backward(wide, weight, mask, open_, change, gate)
        ctx.dilation = dilation
        return torch.addcmul(x, change, gate).mul_(mask)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        wide, weight, mask, open_, change, gate = ctx.saved_tensors
        batch, length, dim = change.shape
        dy = gradients[0] * mask
        both = dy.new_empty(batch, length, 2 * dim)
        dh, dgate = both[..., :dim], both[..., dim:]
        torch.mul(dy, gate, out=dh)
        # σ'(g)·kept = σ(g)·kept·(1 - σ(g)) = gate·(1 - σ(g))
        torch.mul(dh, change, out=dgate).mul_(1 - open_)
        flat = both.view(-1, 2 * dim)
        dweight = wide.view(-1, 3 * dim).t() @ flat
        dwide = (flat @ weight.t()).view(batch, length, 3 * dim)
        dx = dy.sub_(dh)
        _gather(dx, dwide, ctx.dilation)
        return dx, None, dweight.float(), flat.sum(0, dtype=torch.float32), None, None


def _spread(wide: Tensor, x: Tensor, d: int) -> None:
    """Write x[t - d], x[t], x[t + d] side by side into ``wide``."""
    dim, length = x.shape[-1], x.shape[1]
    d = min(d, length)
    wide[:, :d, :dim] = 0
    wide[:, d:, :dim] = x[:, : length - d]
    wide[..., dim : 2 * dim] = x
    wide[:, : length - d, 2 * dim :] = x[:, d:]
    wide[:, length - d :, 2 * dim :] = 0


def _gather(dx: Tensor, dwide: Tensor, d: int) -> None:
    """Add to ``dx`` what flows back through ``_spread``."""
    dim, length = dx.shape[-1], dx.shape[1]
    d = min(d, length)
    dx += dwide[..., dim : 2 * dim]
    dx[:, : length - d] += dwide[:, d:, :dim]
    dx[:, d:] += dwide[:, : length - d, 2 * dim :]


def gated(
    x: Tensor, mask: Tensor, weight: Tensor, bias: Tensor, kept: Tensor, dilation: int
) -> Tensor:
    """(x + (h - x)·σ(g)·kept)·mask, where h and g are a dilated convolution of width 3.

    Args:
        x: (B, T, dim), float32 or bfloat16, in which all is computed.
        mask: (B, T, 1).
        weight: (3 dim, 2 dim), float32.
        bias: (2 dim), float32.
        kept: (B, T, dim), the gate's dropout.
        dilation: units between the three that are read.
    """
    return _Gated.apply(x, mask, weight, bias, kept, dilation)
