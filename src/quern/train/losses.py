"""Losses that pull vectors of one meaning together and push others apart.

Those over groups take vectors (B, dim), the rows of groups (C, dim), the place of each vector's
own group among them (B,), and what to add to each group's logit (C,), which makes up for groups
that were left out. Those over pairs take the vectors alone, of which each even one and the next are
of one group. All give the mean over the batch, and measure by the cosine.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from quern.sentences import SentenceFitting
from quern.train.cosine import cosines, unit

_FAR = 1e4  # below every logit
_EDGE = 1e-6  # from 1 or -1, where the slope of an angle is infinite
Groups = tuple[Tensor, Tensor, Tensor, Tensor]  # vectors, rows, own, offsets


def softmax(groups: Groups, scale: float, margin: float) -> Tensor:
    """Cross entropy of s·cos θ."""
    vectors, rows, own, offsets = groups
    return F.cross_entropy(scale * cosines(vectors, rows) + offsets, own)


def am_softmax(groups: Groups, scale: float, margin: float) -> Tensor:
    """s·(cos θ - m) for the own group (Wang et al., "Additive Margin Softmax", 2018)."""
    return _with_own(groups, scale, lambda cos: cos - margin)


def arcface(groups: Groups, scale: float, margin: float) -> Tensor:
    """s·cos(θ + m) for the own group (Deng et al., "ArcFace", 2019).

    Beyond θ = π - m, where the cosine would rise again, it falls on along cos θ - m·sin m.
    """

    def own(cos: Tensor) -> Tensor:
        sine = torch.sqrt((1 - cos * cos).clamp(min=_EDGE))
        moved = cos * math.cos(margin) - sine * math.sin(margin)
        return torch.where(cos > -math.cos(margin), moved, cos - margin * math.sin(margin))

    return _with_own(groups, scale, own)


def min_softmax(groups: Groups, scale: float, margin: float) -> Tensor:
    """s·min(cos mθ, cos θ) for the own group, m = 4 (Su, 2018, as a simpler A-Softmax)."""
    return _with_own(groups, scale, lambda cos: torch.minimum(multiple(cos, round(margin)), cos))


def a_softmax(groups: Groups, scale: float, margin: float) -> Tensor:
    """s·ψ(θ) for the own group (Liu et al., "SphereFace", 2017); see ``psi``."""
    return _with_own(groups, scale, lambda cos: psi(cos, round(margin)))


def l_softmax(groups: Groups, scale: float, margin: float) -> Tensor:
    """|x|·|w|·ψ(θ) for the own group and |x|·|w|·cos θ for others (Liu et al., 2016).

    Unlike the others it also learns lengths; ``scale`` is no part of it.
    """
    vectors, rows, own, offsets = groups
    lengths = _length(vectors).unsqueeze(1) * _length(rows)
    cos = cosines(vectors, rows)
    ours = cos.gather(1, own.unsqueeze(1))
    cos = cos.scatter(1, own.unsqueeze(1), psi(ours, round(margin)))
    return F.cross_entropy(lengths * cos + offsets, own)


def triplet(vectors: Tensor, groups: Tensor, scale: float, margin: float) -> Tensor:
    """max(0, m - cos of the pair + cos of the nearest of another group), of either in a pair.

    Schroff et al., "FaceNet" (2015), with the hardest of the batch (Hermans et al., 2017).
    """
    cos, pair, same = _among(vectors, groups)
    nearest = (cos - _FAR * same).amax(1)
    return torch.relu(margin - pair + nearest).mean()


def contrastive(vectors: Tensor, groups: Tensor, scale: float, margin: float) -> Tensor:
    """Cross entropy of s·(cos - m) of the pair among all of other groups in the batch.

    Oord et al., "Representation Learning with Contrastive Predictive Coding" (2018).
    """
    cos, pair, same = _among(vectors, groups)
    others = torch.logsumexp(scale * cos - _FAR * same, dim=1)
    return F.softplus(others - scale * (pair - margin)).mean()


def center(vectors: Tensor, centers: Tensor) -> Tensor:
    """½·|x - c|² of directions, for the center of each one's own group (Wen et al., 2016)."""
    return 0.5 * (unit(vectors) - unit(centers)).square().sum(-1).mean()


def multiple(cos: Tensor, times: int) -> Tensor:
    """Cos mθ of cos θ, by Chebyshev's recurrence."""
    before, here = torch.ones_like(cos), cos
    for _ in range(times - 1):
        before, here = here, 2 * cos * here - before
    return here


def psi(cos: Tensor, times: int) -> Tensor:
    """(-1)ᵏ cos mθ - 2k, where mθ lies between kπ and (k + 1)π: it falls from 1 to 1 - 2m."""
    angle = torch.arccos(cos.detach().clamp(-1 + _EDGE, 1 - _EDGE))
    k = torch.floor(times * angle / math.pi)
    sign = 1 - 2 * torch.remainder(k, 2)
    return sign * multiple(cos, times) - 2 * k


_OVER_GROUPS: dict[str, tuple[Callable[[Groups, float, float], Tensor], float]] = {
    "softmax": (softmax, 0.0),
    "am-softmax": (am_softmax, 0.35),
    "arcface": (arcface, 0.5),
    "min-softmax": (min_softmax, 4),
    "a-softmax": (a_softmax, 4),
    "l-softmax": (l_softmax, 4),
}
_OVER_PAIRS: dict[str, tuple[Callable[[Tensor, Tensor, float, float], Tensor], float]] = {
    "triplet": (triplet, 0.2),
    "contrastive": (contrastive, 0.0),
}


def over_groups(fitting: SentenceFitting, groups: Groups) -> Tensor:
    """The loss that ``fitting`` names, of those over groups."""
    loss, usual = _OVER_GROUPS[fitting.loss]
    return loss(groups, fitting.scale, usual if fitting.margin is None else fitting.margin)


def over_pairs(fitting: SentenceFitting, vectors: Tensor, groups: Tensor) -> Tensor:
    """The loss that ``fitting`` names, of those over pairs; ``groups`` (B,) are their numbers."""
    loss, usual = _OVER_PAIRS[fitting.loss]
    return loss(vectors, groups, fitting.scale, usual if fitting.margin is None else fitting.margin)


def _with_own(groups: Groups, scale: float, own_of: Callable[[Tensor], Tensor]) -> Tensor:
    """Cross entropy with another logit for the own group."""
    vectors, rows, own, offsets = groups
    cos = cosines(vectors, rows)
    places = own.unsqueeze(1)
    cos = cos.scatter(1, places, own_of(cos.gather(1, places)))
    return F.cross_entropy(scale * cos + offsets, own)


def _among(vectors: Tensor, groups: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Cosines of all with all, of each with its partner, and a mask of those of one group."""
    cos = cosines(vectors, vectors)
    places = torch.arange(len(vectors), device=vectors.device)
    pair = cos.gather(1, (places ^ 1).unsqueeze(1)).squeeze(1)
    same = (groups.unsqueeze(0) == groups.unsqueeze(1)).to(cos.dtype)
    return cos, pair, same


def _length(x: Tensor) -> Tensor:
    return (x * x).sum(-1).clamp(min=1e-12).sqrt()
