"""Where a computation first came to a number that is not finite."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn


def first_not_finite(net: nn.Module, compute: Callable[[], object]) -> str | None:
    """The first layer of a network whose output is not finite; None where all outputs are.

    A layer is done before the one that it is a part of, so the innermost is named.

    Args:
        net: what is watched, while this runs and no longer.
        compute: runs the network; no gradients are kept.

    Returns:
        The layer's name in the network; "" for the network itself.
    """
    found: list[str] = []

    def watching(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def look(layer: nn.Module, given: Any, made: Any) -> None:
            if not found and not all(bool(torch.isfinite(t).all()) for t in _tensors(made)):
                found.append(name)

        return look

    hooks = [layer.register_forward_hook(watching(name)) for name, layer in net.named_modules()]
    try:
        with torch.no_grad():
            compute()
    finally:
        for hook in hooks:
            hook.remove()
    return found[0] if found else None


def _tensors(made: object) -> Iterator[Tensor]:
    if isinstance(made, Tensor):
        yield made
    elif isinstance(made, dict):
        yield from _of_all(made.values())
    elif isinstance(made, list | tuple):
        yield from _of_all(made)


def _of_all(parts: Iterable[object]) -> Iterator[Tensor]:
    for part in parts:
        yield from _tensors(part)
