"""The network that makes a vector of a text.

After Su, "基于GRU和AM-Softmax的句子相似度模型" (2018), with other readers beside its GRU.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from quern.embedding import EmbeddingSettings
from quern.text import PHRASES, TextCodec
from quern.train.cosine import unit
from quern.train.encoders import EncoderSettings
from quern.train.layers import Dropout, Inputs, Linear, UnitEmbedding, taps
from quern.train.recurrent import BothWays

_FAR = 1e4


class Pooling(nn.Module):
    """The vectors of units as one; padding takes no part."""

    def __init__(self, dim: int, kind: str) -> None:
        """``kind`` is that of ``EmbeddingSettings.pooling``."""
        super().__init__()
        self.kind = kind
        self.weigh = Linear(dim, 1) if kind == "attention" else None

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """(B, T, dim) and (B, T, 1) → (B, dim)."""
        hidden, mask = hidden.float(), mask.float()
        if self.weigh is not None:
            weights = torch.softmax(self.weigh(hidden) - _FAR * (1 - mask), dim=1)
            return (hidden * weights).sum(1)
        if self.kind == "mean":
            return (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)
        if self.kind == "max":
            return (hidden - _FAR * (1 - mask)).amax(1)
        last = (mask.sum(1).long() - 1).clamp(min=0).unsqueeze(-1)
        return hidden.gather(1, last.expand(-1, -1, hidden.shape[2])).squeeze(1)


class Bag(nn.Module):
    """Units, and pairs and triples of them, each with a vector and a weight of its own.

    What frequent words do for tf-idf the weights do here, but they are learned.
    """

    def __init__(self, settings: EmbeddingSettings, codec: TextCodec) -> None:
        """Weights begin alike."""
        super().__init__()
        dim, rules = settings.phrase_dim, codec.rules
        self.unit = nn.Embedding(len(codec.vocabulary), dim)
        self.gram = nn.Embedding(rules.buckets, settings.gram_dim)
        self.gram_out = Linear(settings.gram_dim, dim, bias=False)
        self.phrase = nn.Embedding(settings.phrases, dim)
        self.unit_weight = nn.Embedding(len(codec.vocabulary), 1)
        self.phrase_weight = nn.Embedding(settings.phrases, 1)
        for table in (self.unit, self.gram, self.phrase):
            nn.init.normal_(table.weight, std=0.1)
        for table in (self.unit_weight, self.phrase_weight):
            nn.init.zeros_(table.weight)
        self.drop = Dropout(settings.dropout)

    def forward(self, inputs: Inputs) -> Tensor:
        """Inputs of ``embedding.arrays_of`` → (B, phrase_dim)."""
        units, grams, phrases = inputs["units"], inputs["grams"], inputs["phrases"]
        told = (grams > 0).float().unsqueeze(-1)
        gram = (self.gram(grams) * told).sum(2) / told.sum(2).clamp(min=1)
        found = self.phrase(phrases).flatten(1, 2)
        vectors = torch.cat([self.unit(units) + self.gram_out(gram).float(), found], dim=1)
        weights = torch.cat(
            [self.unit_weight(units), self.phrase_weight(phrases).flatten(1, 2)], dim=1
        )
        there = torch.cat([units > 0, phrases.flatten(1) > 0], dim=1).float().unsqueeze(-1)
        weights = self.drop(torch.exp(weights) * there)
        return (vectors * weights).sum(1) / (weights.sum(1) + 1e-6).sqrt()


class EmbeddingNet(nn.Module):
    """The whole network: what reads, what pools, and the way to the vector."""

    def __init__(self, settings: EmbeddingSettings, codec: TextCodec) -> None:
        """Sized by the codec's vocabulary."""
        super().__init__()
        dim, reading = settings.dim, settings.reading
        self.encoder = self.gru = self.wide = self.embedding = self.pooling = self.bag = None
        if reading in ("conv", "both"):
            self.encoder = EncoderSettings.of(settings).build(codec)
        if reading in ("gru", "wide"):
            rules = codec.rules
            self.embedding = UnitEmbedding(
                len(codec.vocabulary), rules.buckets, settings.gram_dim, dim, rules.window + 8
            )
            self.drop = Dropout(settings.dropout)
        if reading == "gru":
            self.gru = BothWays(dim, dim)
        if reading == "wide":
            self.wide = Linear(5 * dim, dim)
        if reading != "bag":
            self.pooling = Pooling(dim, settings.pooling)
            self.out = Linear(dim, settings.vector_dim)
        if reading in ("bag", "both"):
            self.bag = Bag(settings, codec)
            self.bag_out = Linear(settings.phrase_dim, settings.vector_dim)

    def forward(self, inputs: Inputs) -> Tensor:
        """Inputs → vectors of any length, (B, vector_dim)."""
        found = []
        if self.encoder is not None:
            assert self.pooling is not None
            found.append(self.out(self.pooling(*self.encoder(inputs))).float())
        if self.gru is not None:
            found.append(self._recurrent(inputs))
        if self.wide is not None:
            found.append(self._convolved(inputs))
        if self.bag is not None:
            found.append(self.bag_out(self.bag(inputs)).float())
        return torch.stack(found).sum(0)

    def _convolved(self, inputs: Inputs) -> Tensor:
        """Each unit with two on either side, in one product."""
        assert self.wide is not None and self.embedding is not None and self.pooling is not None
        mask = (inputs["units"] > 0).float().unsqueeze(-1)
        x = self.drop(self.embedding(inputs)) * mask
        far, dim = taps(x, 2), x.shape[2]
        around = torch.cat([taps(x, 1), far[..., :dim], far[..., -dim:]], dim=-1)
        return self.out(self.pooling(torch.relu(self.wide(around)) * mask, mask)).float()

    def _recurrent(self, inputs: Inputs) -> Tensor:
        assert self.gru is not None and self.embedding is not None and self.pooling is not None
        mask = (inputs["units"] > 0).float().unsqueeze(-1)
        hidden = self.gru(self.drop(self.embedding(inputs)) * mask, mask)
        if self.pooling.kind != "last":
            return self.out(self.pooling(hidden, mask)).float()
        # What goes from right to left ends at the first unit.
        forth, back = self.pooling(hidden, mask), hidden[:, 0]
        half = hidden.shape[2] // 2
        return self.out(torch.cat([forth[:, :half], back[:, half:]], dim=-1)).float()


class EmbeddingGraph(nn.Module):
    """What ``encode.onnx`` computes."""

    def __init__(self, net: EmbeddingNet) -> None:
        """Wrap a trained network."""
        super().__init__()
        self.net = net

    def forward(self, inputs: Inputs) -> Tensor:
        """Texts → vectors of length 1, (B, vector_dim)."""
        return unit(self.net(inputs))


def example_phrases(settings: EmbeddingSettings) -> Tensor:
    """Made-up numbers of phrases, (3, 16, PHRASES), to trace the graph on."""
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randint(
        1, settings.phrases, (3, 16, PHRASES), generator=generator, dtype=torch.int32
    )
    numbers[1, 9:] = 0
    return numbers
