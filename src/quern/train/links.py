"""The network and the loss of mentions (Su, "百度实体链接比赛后记：行为建模和实体链接", 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quern.links import FEATURES, LinkSettings
from quern.text import TextCodec
from quern.train.encoders import EncoderSettings
from quern.train.layers import (
    GatedConv,
    GlobalPointer,
    Inputs,
    Linear,
    attend,
    ordered,
    span_loss,
    taps,
)

_ANY = slice(5, 7)  # of ``Dictionary.features``: whether any name begins, or ends, here


class MentionHead(nn.Module):
    """Text, what it attends to and what names say, mixed, and read once more side by side.

    The article concatenates the three and projects them; the projection of a concatenation is
    the sum of its parts' projections.
    """

    def __init__(self, settings: LinkSettings) -> None:
        """Without heads no attention, without names none of theirs."""
        super().__init__()
        dim, width = settings.dim, settings.heads * settings.head_dim
        self.heads = settings.heads
        self.qkv = Linear(dim, 3 * width) if width else None
        self.mixed = Linear(3 * (dim + width), dim)
        self.names = Linear(3 * FEATURES, dim, bias=False) if settings.names != "none" else None
        self.beside = GatedConv(dim, 1, settings.gate_dropout)

    def forward(self, hidden: Tensor, mask: Tensor, names: Tensor | None = None) -> Tensor:
        """(B, T, dim), and with names their features (B, T, FEATURES) → (B, T, dim)."""
        x = hidden
        if self.qkv is not None:
            x = torch.cat([x, attend(self.qkv(x), mask, self.heads) * mask], dim=-1)
        h = self.mixed(taps(x, 1))
        if self.names is not None:
            assert names is not None
            h = h + self.names(taps(names.to(h.dtype), 1))
        return self.beside(torch.relu(h) * mask, mask)


class MentionNet(nn.Module):
    """The whole network."""

    def __init__(self, settings: LinkSettings, codec: TextCodec) -> None:
        """Sized by the codec's vocabulary."""
        super().__init__()
        self.encoder = EncoderSettings.of(settings).build(codec)
        self.head = MentionHead(settings)
        self.out = Linear(settings.dim, 2)
        self.names_gate = settings.names_gate
        # Made last, so that all other weights begin as they would without it.
        self.spans = GlobalPointer(settings.dim) if settings.pairing == "spans" else None

    def forward(self, inputs: Inputs) -> tuple[Tensor, Tensor | None, Tensor]:
        """Inputs → logits of starts and ends (B, T, 2), of spans (B, T, T), and the mask."""
        hidden, mask = self.encoder(inputs)
        h = self.head(hidden, mask, inputs.get("names"))
        marks = self.out(h).float()
        if self.names_gate:
            # The product with 0 or 1, in logarithms: what no name begins or ends is ruled out.
            marks = marks - (1 - inputs["names"][..., _ANY].float()) * 1e4
        return marks, None if self.spans is None else self.spans(h), mask


def mention_loss(net: MentionNet, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Cross entropies of starts and ends, and of spans where the network tells.

    Args:
        net: the network.
        batch: inputs; ``marks`` (B, T, 2); ``target_spans`` (B, T, T) where spans are told.

    Returns:
        The terms by name; each is a mean over units.
    """
    marks, spans, mask = net(batch)
    mask = mask.float()
    weight, target = mask, batch["marks"]
    if net.names_gate:
        weight = mask * batch["names"][..., _ANY].float()  # elsewhere there is nothing to learn
    found = F.binary_cross_entropy_with_logits(marks, target, reduction="none") * weight
    terms = {"mentions": found.sum() / mask.sum()}
    if spans is not None:
        sure = torch.ones_like(mask[:, 0, 0])
        terms["spans"] = span_loss(spans, batch["target_spans"], mask, sure) / mask.sum()
    return terms


class MentionGraph(nn.Module):
    """What ``mentions.onnx`` computes."""

    def __init__(self, net: MentionNet) -> None:
        """Wrap a trained network."""
        super().__init__()
        self.net = net

    def forward(self, inputs: Inputs) -> Tensor | tuple[Tensor, Tensor]:
        """Texts → probabilities of starts and ends, and of spans where the network tells."""
        marks, spans, mask = self.net(inputs)
        found = torch.sigmoid(marks) * mask
        return found if spans is None else (found, torch.sigmoid(spans) * ordered(mask))
