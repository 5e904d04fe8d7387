"""Building blocks of the networks.

Every block takes sequences of shape (batch, length, dim) with a mask (batch, length, 1) of
ones over units and zeros over padding, and gives results that do not depend on padding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quern.text import SHAPES
from quern.train.gated import gated

_AS_IS = nullcontext()
Inputs = Mapping[str, Tensor]  # what `TextCodec.arrays` makes of texts, by name


class Linear(nn.Module):
    """``x @ weight + bias``, the weight stored as (inputs, outputs).

    torch's own keeps it transposed, which puts a transposition in front of every matrix
    product of the exported graph and hides the weight from the quantiser.
    """

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True) -> None:
        """Initialise as Glorot and Bengio (2010)."""
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs))
        nn.init.xavier_uniform_(self.weight)
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """(…, inputs) → (…, outputs)."""
        y = torch.matmul(x, self.weight)
        # The product may be bfloat16; a float32 bias would widen all that follows.
        return y if self.bias is None else y + self.bias.to(y.dtype)


class Dropout(nn.Module):
    """Dropout with a rate rounded to 1/256, from eight random bytes a draw.

    torch's own draws one number for each component, which on a CPU costs more than the
    matrix products between which it stands.
    """

    def __init__(self, rate: float) -> None:
        """Components are zeroed with probability ``rate`` and the rest scaled up."""
        super().__init__()
        self.least = round(rate * 256)

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, unchanged outside training."""
        return x * self.draw(x) if self.training and self.least else x

    def draw(self, x: Tensor) -> Tensor:
        """What to multiply ``x`` by: zero, or what makes up for the zeros."""
        words = torch.empty(-(-x.numel() // 8), dtype=torch.int64, device=x.device)
        bytes_ = words.random_(-(2**63), None).view(torch.uint8)[: x.numel()]
        kept = (bytes_ >= self.least).view(x.shape)
        return kept.to(x.dtype).mul_(256 / (256 - self.least))


class UnitEmbedding(nn.Module):
    """Units → vectors: the unit's own, its n-grams', its shape's and its position's, added.

    Where word vectors are given, that of the word that covers the unit is added too, projected:
    the mixture of characters and words of the article by Su (2019).
    """

    word: Tensor  # (1 + words, word dim), frozen; there after ``read_words``

    def __init__(self, units: int, buckets: int, gram_dim: int, dim: int, window: int) -> None:
        """Positions start at zero and are learned, as in the article."""
        super().__init__()
        self.unit = nn.Embedding(units, dim)
        self.gram = nn.Embedding(buckets, gram_dim)
        self.gram_out = Linear(gram_dim, dim, bias=False)
        self.shape = nn.Embedding(SHAPES, dim)
        self.position = nn.Parameter(torch.zeros(window, dim))
        for table in (self.unit, self.gram, self.shape):
            nn.init.uniform_(table.weight, -0.05, 0.05)
        self.word_out: Linear | None = None
        with torch.no_grad():
            self.gram.weight[0] = 0

    def read_words(self, vectors: Tensor) -> None:
        """Add what words say: ``vectors`` (1 + words, word dim) stay as they are, row 0 is no word.

        They are a buffer and no parameter, so no optimiser, average or checkpoint carries them.
        """
        self.register_buffer("word", vectors)
        self.word_out = Linear(vectors.shape[1], self.unit.embedding_dim, bias=False)

    def forward(self, inputs: Inputs) -> Tensor:
        """Inputs of ``TextCodec.arrays``, (B, T) and (B, T, slots) → (B, T, dim)."""
        units, shapes, grams = inputs["units"], inputs["shapes"], inputs["grams"]
        present = (grams > 0).to(self.gram.weight.dtype).unsqueeze(-1)
        count = present.sum(2).clamp(min=1)
        gram = (self.gram(grams) * present).sum(2) / count
        position = self.position[: units.shape[1]]
        x = self.unit(units) + self.shape(shapes) + self.gram_out(gram) + position
        if self.word_out is not None:
            x = x + self.word_out(F.embedding(inputs["words"], self.word))
        return x


def taps(x: Tensor, dilation: int) -> Tensor:
    """Put x[t - d], x[t] and x[t + d] side by side, zeros beyond the ends: (B, T, 3 dim).

    A convolution written as one matrix product over this keeps its speed in int8, where
    the runtime's dilated convolution loses it.
    """
    length = x.shape[1]
    wide = F.pad(x, (0, 0, dilation, dilation))
    left, right = wide[:, :length], wide[:, 2 * dilation :]
    return torch.cat([left, x, right], dim=-1)


class GatedConv(nn.Module):
    """Dilated gated convolution in residual form: x + (h - x)·σ(g) (Su, 2019)."""

    def __init__(self, dim: int, dilation: int, gate_dropout: float) -> None:
        """Width 3; the gate's dropout turns a layer off here and there in training."""
        super().__init__()
        self.dilation = dilation
        self.product = Linear(3 * dim, 2 * dim)
        self.drop = Dropout(gate_dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, T, dim) → (B, T, dim)."""
        if self.training:
            product = self.product
            kept = self.drop.draw(x)
            assert product.bias is not None
            return gated(x, mask, product.weight, product.bias, kept, self.dilation)
        h, gate = self.product(taps(x, self.dilation)).chunk(2, dim=-1)
        return (x + (h - x) * torch.sigmoid(gate)) * mask


def attend(qkv: Tensor, mask: Tensor, heads: int) -> Tensor:
    """Self-attention over projected queries, keys and values, (B, T, 3·width) → (B, T, width)."""
    batch, length = qkv.shape[0], qkv.shape[1]
    width = qkv.shape[-1] // 3
    parts = qkv.reshape(batch, length, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
    # Padding gets a large negative logit, not minus infinity, which would make NaN of a row
    # that is all padding.
    hidden = ((mask - 1) * 1e4).transpose(1, 2).unsqueeze(1).to(parts.dtype)
    # In bfloat16 the fused attention is slower than in float32 for heads this narrow.
    with torch.autocast("cpu", enabled=False) if torch.is_autocast_enabled("cpu") else _AS_IS:
        mixed = F.scaled_dot_product_attention(
            parts[0].float(), parts[1].float(), parts[2].float(), attn_mask=hidden.float()
        )
    return mixed.transpose(1, 2).reshape(batch, length, width)


class GRUCell(nn.Module):
    """A gated recurrent unit in matrix form (Cho et al., 2014), unrolled by its caller."""

    def __init__(self, inputs: int, dim: int) -> None:
        """Reset, update and candidate weights side by side."""
        super().__init__()
        self.x = Linear(inputs, 3 * dim)
        self.h = Linear(dim, 3 * dim)

    def forward(self, projected: Tensor, hidden: Tensor) -> Tensor:
        """One step: (S, 3 dim) already projected by ``x``, (S, dim) → (S, dim)."""
        xr, xz, xn = projected.chunk(3, dim=-1)
        hr, hz, hn = self.h(hidden).chunk(3, dim=-1)
        reset, update = torch.sigmoid(xr + hr), torch.sigmoid(xz + hz)
        return update * hidden + (1 - update) * torch.tanh(xn + reset * hn)


class SpanReader(nn.Module):
    """A span as one vector: vectors at even places between its ends, read both ways.

    The number of places is fixed, so no padding can leak into the recurrence.
    """

    def __init__(self, dim: int, points: int) -> None:
        """``points`` places, both ends among them."""
        super().__init__()
        self.points = points
        self.forth = GRUCell(dim, dim)
        self.back = GRUCell(dim, dim)

    def forward(self, hidden: Tensor, row: Tensor, start: Tensor, end: Tensor) -> Tensor:
        """Hidden (B, T, dim) and S spans → (S, 2 dim)."""
        steps = torch.arange(self.points, device=hidden.device)
        length = (end - start).unsqueeze(1)
        places = start.unsqueeze(1) + (2 * length * steps + self.points - 1) // (
            2 * (self.points - 1)
        )
        vectors = hidden[row.unsqueeze(1), places]
        return torch.cat(
            [
                self._run(self.forth, vectors, range(self.points)),
                self._run(self.back, vectors, range(self.points - 1, -1, -1)),
            ],
            dim=-1,
        )

    def _run(self, cell: GRUCell, vectors: Tensor, order: Sequence[int]) -> Tensor:
        projected = cell.x(vectors)
        state = torch.zeros_like(vectors[:, 0])
        for i in order:
            state = cell(projected[:, i], state)
        return state


class SpanEnds(nn.Module):
    """A span as its two end vectors."""

    def forward(self, hidden: Tensor, row: Tensor, start: Tensor, end: Tensor) -> Tensor:
        """Hidden (B, T, dim) and S spans → (S, 2 dim)."""
        return torch.cat([hidden[row, start], hidden[row, end]], dim=-1)


class GlobalPointer(nn.Module):
    """Spans as pairs of their ends: a query of the first unit times a key of the last.

    After Su, "GlobalPointer:用统一的方式处理嵌套和非嵌套NER" (2021). Both are turned by angles
    that grow with their places (Su et al., "RoFormer", 2021), so that the product knows how far
    apart they are and not where they stand.
    """

    def __init__(self, dim: int, width: int = 64) -> None:
        """Queries and keys of ``width``, an even number."""
        super().__init__()
        self.width = width
        self.product = Linear(dim, 2 * width)
        # Of all pairs next to none is a span; to begin with, none is taken for one.
        self.bias = nn.Parameter(torch.full((1,), -4.0))

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, T, dim) → logits (B, T, T), first unit by last."""
        query, key = self._turned(self.product(hidden).float()).unbind(2)
        return torch.matmul(query, key.transpose(1, 2)) / self.width**0.5 + self.bias

    def _turned(self, product: Tensor) -> Tensor:
        """(B, T, 2·width) → queries and keys, (B, T, 2, width)."""
        half = self.width // 2
        place = torch.arange(product.shape[1], device=product.device)
        speed = 10_000 ** (-torch.arange(half, device=product.device) / half)
        angle = (place.unsqueeze(1) * speed).unsqueeze(1)
        x, y = product.unflatten(-1, (2, 2, half)).unbind(3)
        sin, cos = torch.sin(angle), torch.cos(angle)
        return torch.cat([x * cos - y * sin, x * sin + y * cos], dim=-1)


def ordered(mask: Tensor) -> Tensor:
    """Ones over pairs of units of which the second is not before the first, (B, T, T)."""
    place = torch.arange(mask.shape[1], device=mask.device)
    return mask * mask.transpose(1, 2) * (place.unsqueeze(1) <= place)


def span_loss(logits: Tensor, target: Tensor, mask: Tensor, absent: Tensor) -> Tensor:
    """Cross entropy of spans (B, T, T), summed; what is not labelled weighs ``absent`` (B,).

    Of the pairs that are no span, those count that begin where a span begins or end where one
    ends: decoding chooses among these. All others are more, and easy.
    """
    near = torch.maximum(target.amax(2, keepdim=True), target.amax(1, keepdim=True))
    weight = ordered(mask) * near * (target + absent[:, None, None] * (1 - target))
    found = F.binary_cross_entropy_with_logits(logits.float(), target, reduction="none")
    return (found * weight).sum()


class Encoder(nn.Module):
    """The shared encoder: embedded units through dilated gated convolutions."""

    def __init__(
        self,
        embedding: UnitEmbedding,
        dim: int,
        dilations: Sequence[int],
        dropout: float,
        gate_dropout: float,
    ) -> None:
        """One convolution for each of ``dilations``."""
        super().__init__()
        self.embedding = embedding
        self.drop = Dropout(dropout)
        self.convolutions = nn.ModuleList(GatedConv(dim, d, gate_dropout) for d in dilations)

    def forward(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Inputs → hidden (B, T, dim) and mask (B, T, 1)."""
        x = self.embedding(inputs)
        if torch.is_autocast_enabled("cpu"):
            x = x.to(torch.get_autocast_dtype("cpu"))
        mask = (inputs["units"] > 0).to(x.dtype).unsqueeze(-1)
        x = self.drop(x) * mask
        for convolution in self.convolutions:
            x = convolution(x, mask)
        return x, mask
