"""A table of rows moves what a step touched, and is gone on with as if nothing had happened."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from quern.errors import TrainingError
from quern.train.loop import Schedule, Trainer
from quern.train.row_table import RowTable


def test_only_touched_rows_move_and_by_adagrad() -> None:
    first = torch.arange(12.0).reshape(4, 3)
    table = RowTable(first.clone(), speed=2.0)
    ids, gradient = torch.tensor([2, 0]), torch.tensor([[1.0, 2.0, 2.0], [0.0, 0.0, 3.0]])
    wanted, squares = first.clone(), torch.zeros(4)
    for rate in (0.5, 0.25):
        (table.rows(ids) * gradient).sum().backward()
        table.learn(rate)
        for row, g in zip(ids.tolist(), gradient, strict=True):
            squares[row] += (g * g).mean()
            wanted[row] -= 2.0 * rate * g / squares[row].sqrt()
    assert torch.allclose(table.weight, wanted)
    assert torch.equal(table.weight[[1, 3]], first[[1, 3]])
    assert torch.equal(table.squares[[1, 3]], torch.zeros(2))


def test_the_largest_gradient_tells_of_what_is_not_finite() -> None:
    table = RowTable.drawn(5, 2, seed=0)
    assert table.largest() == 0
    rows = table.rows(torch.tensor([1]))
    (rows * torch.tensor([[-3.0, 1.0]])).sum().backward()
    assert table.largest() == 3
    rows.grad[0, 0] = float("nan")
    assert table.largest() != table.largest()
    table.learn(0.0)
    assert table.largest() == 0  # it was forgotten


class _Steep:
    """A task whose loss is 0 everywhere, but has no slope at all at its table's rows."""

    def __init__(self, steep: bool) -> None:
        self.tables = {"groups": RowTable.drawn(6, 2, seed=0)}
        self.steep = steep

    def __len__(self) -> int:
        return 4

    def order(self, size: int, seed: int, epoch: int) -> list[list[int]]:
        return [[0, 1], [2, 3]]

    def collate(self, items: list[int], seed: list[int]) -> dict[str, torch.Tensor]:
        return {"ids": torch.tensor(items)}

    def lines(self, items: list[int]) -> list[int]:
        return [10 * item for item in items]

    def loss(self, net: torch.nn.Module, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        rows = self.tables["groups"].rows(batch["ids"])
        away = (rows - rows.detach()).square().sum()
        return {"groups": (net.weight.sum() * 0) + (away.sqrt() if self.steep else away)}


def test_a_gradient_of_a_table_that_is_not_finite_is_named() -> None:
    schedule = Schedule(epochs=1, fine_epochs=0, batch_size=2, precision="fp32", threads=1)
    for steep in (False, True):
        task = _Steep(steep)
        before = task.tables["groups"].weight.clone()
        trainer = Trainer(torch.nn.Linear(1, 1), task, schedule, task.tables)
        if steep:
            with pytest.raises(TrainingError) as caught:
                list(trainer.run(lambda weights: {"score": 1.0}, None))
            assert str(caught.value) == (
                "not finite in epoch 0: gradient of 'groups'; every layer's output is finite, so "
                "it arises in the loss or its gradients; the batch holds lines 0, 10"
            )
        else:
            list(trainer.run(lambda weights: {"score": 1.0}, None))
        assert torch.equal(task.tables["groups"].weight, before)


def test_what_is_only_looked_at_is_not_learned() -> None:
    table = RowTable.drawn(5, 2, seed=0)
    before = table.weight.clone()
    with torch.no_grad():
        table.rows(torch.tensor([1, 2]))
    table.rows(torch.tensor([3]))  # asked for, but nothing was propagated
    table.learn(1.0)
    assert torch.equal(table.weight, before)


def test_the_same_seed_gives_the_same_rows(tmp_path: Path) -> None:
    one, other = RowTable.drawn(7, 4, seed=3), RowTable.drawn(7, 4, seed=3)
    assert torch.equal(one.weight, other.weight)
    assert not torch.equal(one.weight, RowTable.drawn(7, 4, seed=4).weight)
    back = RowTable.drawn(7, 4, seed=5)
    back.restore(one.tensors())
    assert torch.equal(back.weight, one.weight)
