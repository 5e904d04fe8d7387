"""The first layer whose output is not finite is found, and named where a training stops."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn

from quern.errors import TrainingError
from quern.train.finite import first_not_finite
from quern.train.loop import Schedule, Trainer


class Root(nn.Module):
    """Not a number below 0."""

    def forward(self, x: torch.Tensor) -> dict[str, list[torch.Tensor]]:
        return {"roots": [x, x.sqrt()]}


class Net(nn.Module):
    """Two layers deep, and one step that is no layer's."""

    def __init__(self) -> None:
        super().__init__()
        self.reader = nn.Sequential(nn.Linear(1, 1), nn.Identity())
        self.root = Root()
        self.out = nn.Linear(1, 1)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.fill_(1.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 1 / self.out(self.root(self.reader(x))["roots"][1])


@pytest.mark.parametrize(
    ("given", "named"),
    [(3.0, None), (-5.0, "root"), (float("nan"), "reader.0"), (float("inf"), "reader.0")],
)
def test_the_innermost_first_layer_is_named(given: float, named: str | None) -> None:
    net = Net()
    assert first_not_finite(net, lambda: net(torch.tensor([[given]]))) == named
    assert not any(layer._forward_hooks for layer in net.modules())


def test_what_no_layer_within_did_is_the_networks_own() -> None:
    net = Net()
    with torch.no_grad():
        net.out.bias.fill_(-1.0)  # 1 / (√(0 + 1) - 1)
    assert first_not_finite(net, lambda: net(torch.tensor([[0.0]]))) == ""


def test_hooks_go_when_the_computation_fails() -> None:
    net = Net()
    with pytest.raises(RuntimeError):
        first_not_finite(net, lambda: net(torch.zeros(2, 3)))
    assert not any(layer._forward_hooks for layer in net.modules())


class Roots:
    """One batch, of one number."""

    def __init__(self, given: float) -> None:
        self.given = given
        self.seen: list[bool] = []

    def __len__(self) -> int:
        return 1

    def order(self, size: int, seed: int, epoch: int) -> list[list[int]]:
        return [[0]]

    def collate(self, items: list[int], seed: list[int]) -> dict[str, torch.Tensor]:
        return {"x": torch.tensor([[self.given]])}

    def lines(self, items: list[int]) -> list[int]:
        return [7]

    def loss(self, net: nn.Module, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        self.seen.append(bool(net.root._forward_hooks))
        return {"root": net(batch["x"]).sum()}


@pytest.mark.parametrize("given", [3.0, -5.0])
def test_a_training_names_it_and_watches_only_when_something_is_wrong(given: float) -> None:
    task, schedule = Roots(given), Schedule(epochs=2, fine_epochs=0, precision="fp32", threads=1)
    trainer = Trainer(Net(), task, schedule)
    if given > 0:
        list(trainer.run(lambda weights: {"score": 1.0}, None))
        assert task.seen == [False, False]
        return
    with pytest.raises(
        TrainingError, match="first in the output of 'root'; the batch holds lines 7"
    ):
        list(trainer.run(lambda weights: {"score": 1.0}, None))
    assert task.seen == [False, True]
