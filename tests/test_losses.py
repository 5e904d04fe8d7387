"""Every loss against its formula by hand, and its gradient against differences."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from quern.sentences import SentenceFitting
from quern.train import losses
from quern.train.cosine import cosines, unit

# Two vectors and three groups in the plane, by their angles in degrees and lengths.
VECTORS = ((10.0, 2.0), (100.0, 0.5))
ROWS = ((0.0, 1.0), (70.0, 3.0), (200.0, 0.25))
OWN = (0, 1)
SCALE = 5.0


def plane(polar: tuple[tuple[float, float], ...]) -> torch.Tensor:
    rows = [
        (length * math.cos(math.radians(angle)), length * math.sin(math.radians(angle)))
        for angle, length in polar
    ]
    return torch.tensor(rows, dtype=torch.float64)


def angle(i: int, j: int) -> float:
    """Between a vector and a row, in radians, from 0 to π."""
    between = abs(VECTORS[i][0] - ROWS[j][0]) % 360
    return math.radians(min(between, 360 - between))


def groups(offsets: tuple[float, ...] = (0.0, 0.0, 0.0)) -> losses.Groups:
    return (
        plane(VECTORS),
        plane(ROWS),
        torch.tensor(OWN),
        torch.tensor(offsets, dtype=torch.float64),
    )


def by_hand(own: object, other: object, offsets: tuple[float, ...] = (0.0, 0.0, 0.0)) -> float:
    """Cross entropy with ``own(i, θ)`` for the own group and ``other(i, j, θ)`` for others."""
    total = 0.0
    for i in range(2):
        logits = [
            (own(i, angle(i, j)) if j == OWN[i] else other(i, j, angle(i, j))) + offsets[j]
            for j in range(3)
        ]
        total += math.log(sum(map(math.exp, logits))) - logits[OWN[i]]
    return total / 2


def scaled(i: int, j: int, theta: float) -> float:
    return SCALE * math.cos(theta)


def psi(theta: float, m: int) -> float:
    k = math.floor(m * theta / math.pi)
    return (-1) ** k * math.cos(m * theta) - 2 * k


CASES = {
    "softmax": (None, lambda i, t: SCALE * math.cos(t)),
    "am-softmax": (0.35, lambda i, t: SCALE * (math.cos(t) - 0.35)),
    "arcface": (0.5, lambda i, t: SCALE * math.cos(t + 0.5)),
    "min-softmax": (4, lambda i, t: SCALE * min(math.cos(4 * t), math.cos(t))),
    "a-softmax": (4, lambda i, t: SCALE * psi(t, 4)),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("offsets", [(0.0, 0.0, 0.0), (0.0, 1.5, 0.5)])
def test_over_groups(name: str, offsets: tuple[float, ...]) -> None:
    margin, own = CASES[name]
    fitting = SentenceFitting(loss=name, scale=SCALE, margin=margin)
    found = losses.over_groups(fitting, groups(offsets))
    assert float(found) == pytest.approx(by_hand(own, scaled, offsets), abs=1e-5)


def test_l_softmax_weighs_lengths() -> None:
    def own(i: int, theta: float) -> float:
        return VECTORS[i][1] * ROWS[OWN[i]][1] * psi(theta, 4)

    def other(i: int, j: int, theta: float) -> float:
        return VECTORS[i][1] * ROWS[j][1] * math.cos(theta)

    found = losses.over_groups(SentenceFitting(loss="l-softmax"), groups())
    assert float(found) == pytest.approx(by_hand(own, other), abs=1e-5)


def test_the_margin_that_a_source_proposes_is_taken_where_none_is_given() -> None:
    for name, (margin, _) in CASES.items():
        given = SentenceFitting(loss=name, margin=margin)
        assert losses.over_groups(SentenceFitting(loss=name), groups()) == losses.over_groups(
            given, groups()
        )


@pytest.mark.parametrize("name", ["am-softmax", "arcface", "min-softmax", "a-softmax"])
def test_without_a_margin_all_are_softmax(name: str) -> None:
    none = 1 if name in ("min-softmax", "a-softmax") else 0.0
    plain = losses.over_groups(SentenceFitting(loss="softmax"), groups())
    found = losses.over_groups(SentenceFitting(loss=name, margin=none), groups())
    assert float(found) == pytest.approx(float(plain), abs=1e-6)


def test_triplet_and_contrastive() -> None:
    """Two pairs, the second of each turned a little; those of one group are no negatives."""
    degrees = (0.0, 20.0, 90.0, 140.0, 5.0, 25.0)
    vectors = plane(tuple((each, 1.0 + i) for i, each in enumerate(degrees)))
    of = torch.tensor([7, 7, 3, 3, 7, 7])

    def cos(i: int, j: int) -> float:
        return math.cos(math.radians(degrees[i] - degrees[j]))

    others = [[j for j in range(6) if of[j] != of[i]] for i in range(6)]
    hinge = sum(max(0.0, 0.9 - cos(i, i ^ 1) + max(cos(i, j) for j in others[i])) for i in range(6))
    fitting = SentenceFitting(loss="triplet", margin=0.9)
    assert float(losses.over_pairs(fitting, vectors, of)) == pytest.approx(hinge / 6)
    total = 0.0
    for i in range(6):
        own = math.exp(SCALE * (cos(i, i ^ 1) - 0.1))
        total -= math.log(own / (own + sum(math.exp(SCALE * cos(i, j)) for j in others[i])))
    fitting = SentenceFitting(loss="contrastive", scale=SCALE, margin=0.1)
    assert float(losses.over_pairs(fitting, vectors, of)) == pytest.approx(total / 6)


def test_center_is_half_the_squared_distance_of_directions() -> None:
    found = losses.center(plane(VECTORS), plane(ROWS)[:2])
    wanted = sum((1 - math.cos(angle(i, i))) for i in range(2)) / 2
    assert float(found) == pytest.approx(wanted)


def test_psi_falls_without_a_break_from_1_to_1_less_2m() -> None:
    theta = torch.linspace(0.01, math.pi - 0.01, 4001, dtype=torch.float64)
    for m in (1, 2, 3, 4):
        found = losses.psi(torch.cos(theta), m)
        steps = found[1:] - found[:-1]
        assert bool((steps < 0).all())
        assert float(-steps.min()) < 2 * m * math.pi / 4000
        assert float(found[0]) == pytest.approx(1, abs=0.01)
        assert float(found[-1]) == pytest.approx(1 - 2 * m, abs=0.01)


def test_arcface_falls_over_all_angles() -> None:
    theta = torch.linspace(0.0, math.pi, 2001, dtype=torch.float64)
    vectors = torch.stack([torch.cos(theta), torch.sin(theta)], dim=1)
    rows = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    zeros = torch.zeros(2, dtype=torch.float64)
    found = [
        float(losses.arcface((v[None], rows[:1], torch.tensor([0]), zeros[:1]), 1.0, 0.5))
        for v in vectors[::100]
    ]
    assert found == [0.0] * len(found)  # of a single group nothing is left to learn
    own = [
        float(losses.arcface((v[None], rows, torch.tensor([0]), zeros), 1.0, 0.5))
        for v in vectors[: len(vectors) // 2 : 50]
    ]
    assert own == sorted(own)


@pytest.mark.parametrize("name", [*CASES, "l-softmax"])
def test_gradients_of_those_over_groups(name: str) -> None:
    generator = torch.Generator().manual_seed(1)
    vectors = torch.randn(3, 4, dtype=torch.float64, generator=generator, requires_grad=True)
    rows = torch.randn(5, 4, dtype=torch.float64, generator=generator, requires_grad=True)
    own, offsets = torch.tensor([0, 3, 4]), torch.zeros(5, dtype=torch.float64)
    fitting = SentenceFitting(loss=name, scale=2.0)

    def loss(vectors: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return losses.over_groups(fitting, (vectors, rows, own, offsets))

    assert torch.autograd.gradcheck(loss, (vectors, rows))


@pytest.mark.parametrize("name", ["triplet", "contrastive"])
def test_gradients_of_those_over_pairs(name: str) -> None:
    generator = torch.Generator().manual_seed(2)
    vectors = torch.randn(6, 4, dtype=torch.float64, generator=generator, requires_grad=True)
    of = torch.tensor([0, 0, 1, 1, 2, 2])
    fitting = SentenceFitting(loss=name, scale=2.0)
    assert torch.autograd.gradcheck(lambda v: losses.over_pairs(fitting, v, of), (vectors,))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [0.0, 1e-20, 1.0, 1e20])
def test_cosines_and_their_gradients_are_finite(size: float, dtype: torch.dtype) -> None:
    x = (torch.tensor([[3.0, 4.0, 0.0], [0.0, 0.0, 0.0]]) * size).to(dtype).requires_grad_()
    y = torch.tensor([[3.0, 4.0, 0.0], [0.0, 0.0, 2.0]]).to(dtype).requires_grad_()
    found = cosines(x, y)
    found.sum().backward()
    for tensor in (found, x.grad, y.grad):
        assert bool(torch.isfinite(tensor).all())
    if size:
        assert float(found[0, 0].detach()) == pytest.approx(1, abs=0.01)
    assert found[1].tolist() == [0, 0]


def test_unit_gives_length_1_or_nothing() -> None:
    x = torch.tensor([[1e-25, 0.0], [3e18, 4e18], [0.0, 0.0], [1e-35, 0.0]])
    assert unit(x).norm(dim=1).tolist() == pytest.approx([1, 1, 0, 0])


def test_the_plain_cosine_breaks_where_ours_does_not() -> None:
    """What made other people's networks NaN: 0 / 0, and the slope of a root at 0."""
    x = torch.zeros(1, 3, requires_grad=True)
    plain = (x * torch.ones(1, 3)).sum() / (x.norm() * 3**0.5)
    assert bool(torch.isnan(plain.detach()))
    bounded = (x * torch.ones(1, 3)).sum() / ((x * x).sum().sqrt() * 3**0.5 + 1e-8)
    assert float(bounded.detach()) == 0  # the value is mended so, the gradient is not
    bounded.backward()
    assert bool(torch.isnan(x.grad).any())
    x.grad = None
    cosines(x, torch.ones(1, 3)).sum().backward()
    assert bool(torch.isfinite(x.grad).all())
