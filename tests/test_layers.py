"""Laws that every block of the networks keeps: padding and company change nothing."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from collections.abc import Callable

from msgspec.structs import replace
from torch import Tensor

from quern.text import TextCodec
from quern.train import layers
from quern.train.triples import Gate, Marks, SubjectHead, TripleNet, cross_entropy
from quern.triples import PRESETS, TripleSettings

DIM = 16
SMALL = TripleSettings(dim=DIM, gram_dim=8, dilations=(1, 2), heads=2, head_dim=4)


def _attend(x: Tensor, mask: Tensor) -> Tensor:
    return layers.attend(torch.cat([x, 2 * x, -x], dim=-1), mask, heads=2) * mask


def _taps(x: Tensor, mask: Tensor) -> Tensor:
    return layers.taps(x * mask, 2) * mask


def _masked(block):
    return lambda x, mask: block(x) * mask


def _subject_head(block):
    return lambda x, mask: block(x, mask) * mask


def _pointer(block):
    return lambda x, mask: (block(x) * layers.ordered(mask)) @ x


def _marks(block):
    return lambda x, mask: block(x[..., :2]) * mask


def _told(block):
    return lambda x, mask: block(x, mask, x[..., :2]) * mask


# One row a block: name and a way to call it on (batch, length, DIM) with its mask.
BLOCKS: list[tuple[str, Callable[[], Callable[[Tensor, Tensor], Tensor]]]] = [
    ("linear", lambda: _masked(layers.Linear(DIM, 4))),
    ("gated convolution 1", lambda: layers.GatedConv(DIM, 1, 0.1).eval()),
    ("gated convolution 5", lambda: layers.GatedConv(DIM, 5, 0.1).eval()),
    ("attention", lambda: _attend),
    ("taps", lambda: _taps),
    ("gate", lambda: _masked(Gate(DIM, 3))),
    ("global pointer", lambda: _pointer(layers.GlobalPointer(DIM))),
    ("subject head", lambda: _subject_head(SubjectHead(SMALL))),
    ("marks", lambda: _marks(Marks(4))),
    ("subject head with priors", lambda: _told(SubjectHead(replace(SMALL, priors=True)))),
]


@pytest.mark.parametrize(("name", "make"), BLOCKS, ids=[name for name, _ in BLOCKS])
def test_padding_and_company_change_nothing(
    name: str, make: Callable[[], Callable[[Tensor, Tensor], Tensor]]
) -> None:
    torch.manual_seed(3)
    block = make()
    lengths = [3, 9, 6]
    x = torch.randn(3, 9, DIM)
    mask = (torch.arange(9)[None] < torch.tensor(lengths)[:, None]).float().unsqueeze(-1)
    x = x * mask
    with torch.no_grad():
        together = block(x, mask)
        wide = block(
            torch.cat([x, torch.zeros(3, 7, DIM)], 1), torch.cat([mask, torch.zeros(3, 7, 1)], 1)
        )
        for i, length in enumerate(lengths):
            alone = block(x[i : i + 1, :length], mask[i : i + 1, :length])
            torch.testing.assert_close(together[i, :length], alone[0], atol=1e-6, rtol=1e-5)
            torch.testing.assert_close(wide[i, :length], alone[0], atol=1e-6, rtol=1e-5)
    shuffled = torch.tensor([2, 0, 1])
    with torch.no_grad():
        torch.testing.assert_close(block(x[shuffled], mask[shuffled]), together[shuffled])


def test_gated_convolution_is_a_dilated_convolution() -> None:
    torch.manual_seed(0)
    block = layers.GatedConv(DIM, 2, 0.1).eval()
    x, mask = torch.randn(2, 11, DIM), torch.ones(2, 11, 1)
    kernel = block.product.weight.reshape(3, DIM, 2 * DIM).permute(2, 1, 0)
    wanted = torch.nn.functional.conv1d(
        x.transpose(1, 2), kernel, block.product.bias, padding=2, dilation=2
    ).transpose(1, 2)
    h, g = wanted.chunk(2, dim=-1)
    gate = torch.sigmoid(g)
    with torch.no_grad():
        torch.testing.assert_close(block(x, mask), x * (1 - gate) + h * gate, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("dilation", [1, 2, 5, 9])
def test_the_training_form_of_the_gated_convolution_is_the_plain_one(dilation: int) -> None:
    torch.manual_seed(dilation)
    block = layers.GatedConv(DIM, dilation, 0.3).train()
    block.product.bias.data.normal_()
    x = torch.randn(3, 7, DIM, requires_grad=True)
    mask = torch.ones(3, 7, 1)
    mask[1, 5:] = 0
    upstream = torch.randn(3, 7, DIM)

    def gradients(y: torch.Tensor) -> list[torch.Tensor]:
        return list(torch.autograd.grad(y, [x, block.product.weight, block.product.bias], upstream))

    torch.manual_seed(7)
    fast = block(x, mask)
    torch.manual_seed(7)
    h, gate = block.product(layers.taps(x, dilation)).chunk(2, dim=-1)
    plain = (x + (h - x) * block.drop(torch.sigmoid(gate))) * mask
    torch.testing.assert_close(fast, plain)
    torch.testing.assert_close(gradients(fast), gradients(plain), atol=1e-5, rtol=1e-4)


def test_gru_cell_is_torchs() -> None:
    torch.manual_seed(0)
    ours, theirs = layers.GRUCell(5, 7), torch.nn.GRUCell(5, 7)
    with torch.no_grad():
        theirs.weight_ih.copy_(ours.x.weight.T)
        theirs.weight_hh.copy_(ours.h.weight.T)
        theirs.bias_ih.uniform_(-1, 1)
        theirs.bias_hh.uniform_(-1, 1)
        ours.x.bias.copy_(theirs.bias_ih)
        ours.h.bias.copy_(theirs.bias_hh)
        x, h = torch.randn(4, 5), torch.randn(4, 7)
        torch.testing.assert_close(ours(ours.x(x), h), theirs(x, h))


def test_span_reader_visits_both_ends_at_even_steps() -> None:
    reader = layers.SpanReader(1, 6)
    seen: list[list[float]] = []
    reader._run = lambda cell, vectors, order: (
        seen.append(vectors[0, :, 0].tolist()) or vectors[:, 0]
    )  # type: ignore[method-assign]
    hidden = torch.arange(40.0).reshape(1, 40, 1)
    zero = torch.zeros(1, dtype=torch.int64)
    for start, end in ((3, 3), (2, 7), (5, 25), (0, 3)):
        reader(hidden, zero, torch.tensor([start]), torch.tensor([end]))
    assert seen[::2] == [
        [3, 3, 3, 3, 3, 3],
        [2, 3, 4, 5, 6, 7],
        [5, 9, 13, 17, 21, 25],
        [0, 1, 1, 2, 2, 3],
    ]


def test_dropout_keeps_the_mean_and_the_rate() -> None:
    torch.manual_seed(1)
    drop = layers.Dropout(0.25)
    x = torch.ones(400, 250)
    y = drop(x)
    assert abs(float((y == 0).float().mean()) - 0.25) < 0.01
    assert abs(float(y.mean()) - 1) < 0.01
    assert torch.equal(drop.eval()(x), x)


def test_cross_entropy_is_the_formula_and_finite_at_the_edges() -> None:
    p = torch.tensor([0.9, 0.2, 0.5], dtype=torch.float64)
    target = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    absent = torch.tensor([0.3, 0.3, 1.0], dtype=torch.float64)
    wanted = torch.stack([-p[0].log(), -0.3 * (1 - p[1]).log(), -(1 - p[2]).log()])
    torch.testing.assert_close(cross_entropy(p.log(), target, absent), wanted)
    extreme = torch.tensor([0.0, -200.0, 0.0, -200.0], requires_grad=True)
    loss = cross_entropy(extreme, torch.tensor([0.0, 1.0, 1.0, 0.0]), torch.tensor(1.0))
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert torch.isfinite(extreme.grad).all()


@pytest.mark.parametrize("p", [1e-6, 0.02, 0.3, 0.5, 0.97, 1 - 1e-3, 1 - 1e-6])
def test_cross_entropy_is_least_where_a_probability_is_its_target(p: float) -> None:
    """Two factors, as a tag and its helper; in single precision, as in training."""
    logit = torch.logit(torch.tensor(p**0.5, dtype=torch.float64)).float()
    for target in (p, p / 2, (1 + p) / 2):
        logits = torch.stack([logit, logit]).requires_grad_()
        log_p = torch.nn.functional.logsigmoid(logits).sum()
        cross_entropy(log_p, torch.tensor(target), torch.tensor(1.0)).backward()
        slope = float(logits.grad[0]) / (1 - p**0.5) * (1 - p)  # of the loss by the logit of p
        assert slope == pytest.approx(p - target, rel=1e-3, abs=1e-6), target


def test_what_is_all_but_sure_can_still_be_unlearned() -> None:
    logits = torch.tensor([20.0, 40.0], requires_grad=True)  # 1 - p of 2e-9 and 4e-18
    log_p = torch.nn.functional.logsigmoid(logits)
    cross_entropy(log_p, torch.tensor([0.0, 0.7]), torch.tensor(1.0)).sum().backward()
    torch.testing.assert_close(logits.grad, torch.tensor([1.0, 0.3]))


@pytest.mark.parametrize("preset", PRESETS)
def test_factored_objects_equal_the_concatenation(preset: str) -> None:
    """The text's share plus the subject's plus the places' is a projection of all three."""
    torch.manual_seed(0)
    codec = TextCodec.fit(["ab cd ef gh"] * 2)
    net = TripleNet(PRESETS[preset], codec, 4).eval()
    head = net.objects
    head.from_start.data.normal_()
    head.from_end.data.normal_()
    units = torch.randint(1, 4, (1, 8), dtype=torch.int32)
    grams = torch.zeros(1, 8, 8, dtype=torch.int32)
    encoded = net.encode({"units": units, "shapes": torch.ones_like(units), "grams": grams})
    row, start, end = torch.tensor([0]), torch.tensor([2]), torch.tensor([4])
    h = encoded.hidden
    subject = head.reader(h, row, start, end).unsqueeze(1).expand(-1, 8, -1)
    place = torch.arange(8)
    one_hot = torch.nn.functional.one_hot
    width = 2 * head.distance + 1
    near_start = one_hot(place - 2 + head.distance, width)[None].float()
    near_end = one_hot(place - 4 + head.distance, width)[None].float()
    parts = [layers.taps(h, 1), subject, near_start, near_end]
    dim = PRESETS[preset].dim
    weight = torch.cat(
        [
            head.text.weight,
            *(w[:, -dim:] for w in (head.subject.weight, head.from_start, head.from_end)),
        ]
    )
    wanted = torch.cat(parts, -1) @ weight + head.text.bias
    total = (
        encoded.context
        + head.subject(head.reader(h, row, start, end)).unsqueeze(1)
        + head.from_start[place - 2 + head.distance]
        + head.from_end[place - 4 + head.distance]
    )
    torch.testing.assert_close(total[..., -dim:], wanted, atol=1e-5, rtol=1e-4)
