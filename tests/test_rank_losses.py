"""Losses of ranks against numbers made by hand, and their gradients against differences."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from quern.train.rank_losses import margin_loss, softmax_loss, warp_loss

# Two texts and four candidates. The second text has two right items: the one asked for (3) and one
# that is not wrong (0).
COSINES = [[0.5, 0.6, 0.1, 0.45], [0.9, -0.2, 0.3, 0.2]]
OWN = [0, 3]
WRONG = [[0, 1, 1, 1], [0, 1, 1, 0]]
MARGIN = 0.2


def given() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return (
        torch.tensor(COSINES, dtype=torch.float64),
        torch.tensor(OWN),
        torch.tensor(WRONG, dtype=torch.float64),
    )


def test_margin_by_hand() -> None:
    # 0.2 - 0.5 + (0.6, 0.1, 0.45) → 0.3, 0, 0.15; 0.2 - 0.2 + (-0.2, 0.3) → 0, 0.3.
    expected = ((0.3 + 0 + 0.15) / 3 + (0 + 0.3) / 2) / 2
    assert float(margin_loss(*given(), MARGIN)) == pytest.approx(expected)


def test_warp_by_hand() -> None:
    # The first text's first wrong item is too near: (101 - 1) / 1 = 100 are. The second's first is
    # not, its second is: (101 - 1) / 2 = 50.
    ranks = [sum(1 / k for k in range(1, n + 1)) for n in (100, 50)]
    expected = (ranks[0] * 0.3 + ranks[1] * 0.3) / 2
    assert float(warp_loss(*given(), MARGIN, 101)) == pytest.approx(expected)


def test_warp_is_nothing_where_no_wrong_item_is_near() -> None:
    cosines, own, wrong = given()
    cosines = torch.full_like(cosines, -0.5).scatter(1, own.unsqueeze(1), 0.9).requires_grad_()
    loss = warp_loss(cosines, own, wrong, MARGIN, 101)
    loss.backward()
    assert float(loss.detach()) == 0
    assert cosines.grad is not None
    assert not cosines.grad.any()


@pytest.mark.parametrize("offsets", [[0.0] * 4, [0.0, 1.0, 2.0, -1.0]])
def test_softmax_by_hand(offsets: list[float]) -> None:
    scale = 4.0
    total = 0.0
    for cosines, own, wrong in zip(COSINES, OWN, WRONG, strict=True):
        among = [
            scale * cosine + (0.0 if place == own else offset)
            for place, (cosine, offset) in enumerate(zip(cosines, offsets, strict=True))
            if place == own or wrong[place]
        ]
        total += math.log(sum(map(math.exp, among))) - scale * cosines[own]
    found = softmax_loss(*given(), scale, torch.tensor(offsets, dtype=torch.float64))
    assert float(found) == pytest.approx(total / 2)


@pytest.mark.parametrize("loss", ["margin", "warp", "softmax"])
def test_gradients_are_those_of_differences(loss: str) -> None:
    cosines, own, wrong = given()
    cosines = cosines + 0.01 * torch.rand(
        2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )  # away from the kink of max(0, …)
    losses = {
        "margin": lambda c: margin_loss(c, own, wrong, MARGIN),
        "warp": lambda c: warp_loss(c, own, wrong, MARGIN, 50),
        "softmax": lambda c: softmax_loss(c, own, wrong, 3.0, torch.zeros(4, dtype=c.dtype)),
    }
    assert torch.autograd.gradcheck(losses[loss], (cosines.requires_grad_(),))


@pytest.mark.parametrize("loss", ["margin", "warp", "softmax"])
def test_a_text_without_wrong_items_teaches_nothing(loss: str) -> None:
    cosines, own = torch.tensor([[0.3, 0.9]], requires_grad=True), torch.tensor([0])
    wrong = torch.zeros(1, 2)
    if loss == "margin":
        found = margin_loss(cosines, own, wrong, MARGIN)
    elif loss == "warp":
        found = warp_loss(cosines, own, wrong, MARGIN, 2)
    else:
        found = softmax_loss(cosines, own, wrong, 20.0, torch.zeros(2))
    found.backward()
    assert float(found.detach()) == pytest.approx(0)
    assert cosines.grad is not None
    assert not cosines.grad.any()
