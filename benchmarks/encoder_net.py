"""The network of ``encoder.py``: BERT's, layer by layer (Devlin et al., 2019)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from benchmarks.encoder import Shape


class Layer(nn.Module):
    """Self-attention and a feed-forward part, each added and normalised."""

    def __init__(self, shape: Shape) -> None:
        """Weights are drawn as torch draws them."""
        super().__init__()
        self.heads = shape.heads
        self.query, self.key, self.value, self.mixed = (
            nn.Linear(shape.dim, shape.dim) for _ in range(4)
        )
        self.first = nn.LayerNorm(shape.dim)
        self.wide = nn.Linear(shape.dim, shape.inner)
        self.narrow = nn.Linear(shape.inner, shape.dim)
        self.second = nn.LayerNorm(shape.dim)

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        """(B, T, dim) → (B, T, dim); ``hidden`` (B, 1, 1, T) is very low where padding is."""
        query, key, value = (self._split(part(x)) for part in (self.query, self.key, self.value))
        scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1]) + hidden
        mixed = (torch.softmax(scores, -1) @ value).transpose(1, 2).reshape(x.shape)
        x = self.first(x + self.mixed(mixed))
        x = self.second(x + self.narrow(F.gelu(self.wide(x))))
        return x

    def _split(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)


class EncoderNet(nn.Module):
    """Embeddings of tokens and places, and the layers."""

    def __init__(self, vocabulary: int, longest: int, shape: Shape) -> None:
        """Sized by ``shape``."""
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, shape.dim)
        self.places = nn.Embedding(longest, shape.dim)
        self.norm = nn.LayerNorm(shape.dim)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Token ids and mask (B, T) → (B, T, dim)."""
        places = torch.arange(ids.shape[1], device=ids.device)
        x: Tensor = self.norm(self.tokens(ids) + self.places(places))
        hidden = (1.0 - mask.to(x.dtype))[:, None, None, :] * -1e4
        for layer in self.layers:
            x = layer(x, hidden)
        return x
