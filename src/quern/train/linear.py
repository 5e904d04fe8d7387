"""The linear layer over what is known of a pair before it is read, fitted by itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional as F

from quern.links.pairs import Floats
from quern.train.entities import Matcher

_PULL = 1e-3  # towards 0, of the squared weights; scalars that say the same share what they say
_STEPS = 100
_FAR = 1e4


def fit_linear(matcher: Matcher, questions: Sequence[tuple[Floats, int | None]]) -> None:
    """Let a matcher's linear layer tell right candidates from wrong ones as well as it can alone.

    So a training begins with what simple features say, and the network learns what they miss.

    Args:
        matcher: whose layer, mean and scale are set.
        questions: the scalars of the candidates of each mention, one candidate at least, and
            which of them is right, None for none.
    """
    all_ = np.concatenate([scalars for scalars, _ in questions])
    spread = all_.std(axis=0)
    matcher.mean.copy_(torch.from_numpy(all_.mean(axis=0)))
    scale = np.where(spread > 1e-6, 1 / np.maximum(spread, 1e-6), 0)
    matcher.scale.copy_(torch.from_numpy(scale.astype(np.float32)))
    rows = np.repeat(np.arange(len(questions)), [len(scalars) for scalars, _ in questions])
    columns = np.concatenate([np.arange(1, 1 + len(scalars)) for scalars, _ in questions])
    target = torch.tensor([0 if right is None else 1 + right for _, right in questions])
    x = (torch.from_numpy(all_) - matcher.mean) * matcher.scale
    layer = matcher.scalars
    assert layer.bias is not None
    parameters = [layer.weight, layer.bias]
    optimiser = torch.optim.LBFGS(parameters, max_iter=_STEPS, line_search_fn="strong_wolfe")
    places = (torch.from_numpy(rows), torch.from_numpy(columns))
    table = torch.full((len(questions), int(columns.max()) + 1), -_FAR)
    table[:, 0] = 0

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        logits = table.index_put(places, layer(x).squeeze(-1))
        found = F.cross_entropy(logits, target) + _PULL * (layer.weight**2).sum()
        found.backward()
        return found

    optimiser.step(loss)
    optimiser.zero_grad()
