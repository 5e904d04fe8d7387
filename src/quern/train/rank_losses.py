"""Losses that put the right item of a text before the wrong ones.

Each takes the cosines of texts with candidates (B, C), the place of each text's right item among
them (B,), and which of the others are wrong for it (B, C); all give the mean over the batch.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_FAR = 1e4


def margin_loss(cosines: Tensor, own: Tensor, wrong: Tensor, margin: float) -> Tensor:
    """Mean over the wrong items of max(0, m - cos right + cos wrong)."""
    right = cosines.gather(1, own.unsqueeze(1))
    missed = torch.relu(margin - right + cosines) * wrong
    return (missed.sum(1) / wrong.sum(1).clamp(min=1)).mean()


def warp_loss(cosines: Tensor, own: Tensor, wrong: Tensor, margin: float, items: int) -> Tensor:
    """L(rank)·max(0, m - cos right + cos wrong) of the first wrong item that is too near.

    Weston, Bengio and Usunier, "WSABIE" (2011): wrong items are looked at in the order in which
    they were drawn; if the n-th is the first too near, about (items - 1) / n are. L(k) is 1 + 1/2 +
    … + 1/k, so that what stands far down weighs more, but ever less so.

    Args:
        cosines: see above.
        own: see above.
        wrong: see above.
        margin: from which on a wrong item is too near.
        items: of the whole catalogue.
    """
    right = cosines.gather(1, own.unsqueeze(1))
    missed = torch.relu(margin - right + cosines) * wrong
    drawn = torch.cumsum(wrong, dim=1)  # how many were looked at
    near = missed.detach() > 0
    first = near.float().argmax(dim=1, keepdim=True)
    trials = drawn.gather(1, first).clamp(min=1)
    rank = torch.clamp((items - 1) // trials, min=1).long()
    harmonic = torch.cumsum(1 / torch.arange(1, items + 1, dtype=cosines.dtype), dim=0)
    weight = harmonic[(rank - 1).clamp(max=items - 1)]
    return (weight * missed.gather(1, first) * near.any(1, keepdim=True)).mean()


def softmax_loss(
    cosines: Tensor, own: Tensor, wrong: Tensor, scale: float, offsets: Tensor
) -> Tensor:
    """Cross entropy of s·cos among the right item and the wrong ones that were drawn.

    Args:
        cosines: see above.
        own: see above.
        wrong: see above.
        scale: *s*.
        offsets: (C,), added to the logits of wrong items: the logarithm of how many each stands
            for.
    """
    rows = torch.arange(len(own), device=own.device)
    right = torch.zeros_like(wrong)
    right[rows, own] = 1
    logits = scale * cosines + offsets * (1 - right) - _FAR * (1 - torch.maximum(wrong, right))
    return F.cross_entropy(logits, own)
