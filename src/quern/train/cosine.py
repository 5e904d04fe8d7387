"""Directions of vectors, with values and gradients that stay finite whatever comes in."""

from __future__ import annotations

import torch
from torch import Tensor

_NONE = 1e-30  # below this largest component a vector has no direction
_LEAST = 1e-6  # of a squared length, once the largest component is 1


def unit(x: Tensor) -> Tensor:
    """Vectors of length 1 in the direction of ``x``, (…, dim); 0 for those that have none.

    The length is the root of a sum of squares: in float32 that is 0 for components of 1e-23,
    infinite for 1e20, and its gradient at 0 is 0 / 0. So a vector is first divided by its
    largest component, through which nothing is learned, and the sum is bounded below inside
    the root.
    """
    largest = x.detach().abs().amax(-1, keepdim=True)
    scaled = x / torch.where(largest > _NONE, largest, torch.ones_like(largest))
    squared = (scaled * scaled).sum(-1, keepdim=True)
    return scaled * torch.rsqrt(squared.clamp(min=_LEAST))


def cosines(x: Tensor, y: Tensor) -> Tensor:
    """Of all pairs of rows, (B, dim) and (C, dim) → (B, C)."""
    return torch.matmul(unit(x), unit(y).transpose(0, 1))
