"""The network and the loss of triples (Su, "基于DGCNN和概率图的轻量级信息抽取模型", 2019)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quern.text import TextCodec
from quern.train.encoders import EncoderSettings
from quern.train.layers import (
    GlobalPointer,
    Inputs,
    Linear,
    SpanEnds,
    SpanReader,
    attend,
    ordered,
    span_loss,
    taps,
)
from quern.triples import TripleSettings


class Encoded(NamedTuple):
    """All that is known of a text before a subject is chosen; scores are logits.

    Attributes:
        subjects: (B, T, 2), starts and ends.
        hidden: (B, T, dim).
        context: (B, T, width), the text's share of what the object step adds up.
        entities: (B, T, 2), starts and ends of anything that takes part in a triple.
        relations: (B, labels), presence in the text.
        mask: (B, T, 1).
        spans: (B, T, T), first unit by last, where the network tells.
    """

    subjects: Tensor
    hidden: Tensor
    context: Tensor
    entities: Tensor
    relations: Tensor
    mask: Tensor
    spans: Tensor | None = None


class Gate(nn.Module):
    """Two layers to a logit, as the article's global helpers have them."""

    def __init__(self, dim: int, outputs: int) -> None:
        """A hidden layer as wide as its input."""
        super().__init__()
        self.inner = Linear(dim, dim)
        self.outer = Linear(dim, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(…, dim) → (…, outputs)."""
        return self.outer(torch.relu(self.inner(x)))


class Marks(nn.Module):
    """The share of marked starts and ends in a convolution of width 3."""

    def __init__(self, dim: int) -> None:
        """No bias: where nothing is marked, nothing is added."""
        super().__init__()
        self.product = Linear(6, dim, bias=False)

    def forward(self, marks: Tensor) -> Tensor:
        """(B, T, 2) → (B, T, dim)."""
        return self.product(taps(marks, 1))


class SubjectHead(nn.Module):
    """Self-attention, convolution, and the logits of subject starts and ends."""

    def __init__(self, settings: TripleSettings) -> None:
        """Without heads, the convolution reads the text alone."""
        super().__init__()
        dim, width = settings.dim, settings.heads * settings.head_dim
        self.heads = settings.heads
        self.qkv = Linear(dim, 3 * width) if width else None
        self.convolution = Linear(3 * (dim + width), dim)
        self.known = Marks(dim) if settings.priors else None
        self.out = Linear(dim, 2)

    def forward(self, hidden: Tensor, mask: Tensor, known: Tensor | None = None) -> Tensor:
        """(B, T, dim), and with priors marks of known subjects (B, T, 2) → (B, T, 2)."""
        x = hidden
        if self.qkv is not None:
            x = torch.cat([x, attend(self.qkv(x), mask, self.heads) * mask], dim=-1)
        h = self.convolution(taps(x, 1))
        if self.known is not None:
            assert known is not None
            h = h + self.known(known)
        return self.out(torch.relu(h))


class ObjectHead(nn.Module):
    """Objects of one subject: a second attention and convolution over text, subject, places.

    The article concatenates three parts (the text, the subject's vector, position embeddings
    relative to both of its ends) and projects them. A projection of a concatenation is the sum
    of its parts' projections; written so, the text's share is computed once for a text and
    not again for each of its subjects.
    """

    def __init__(self, settings: TripleSettings, labels: int) -> None:
        """``width`` of the attention's projections and ``dim`` of the convolution's."""
        super().__init__()
        dim, attention = settings.dim, settings.heads * settings.head_dim
        self.heads, self.distance, self.attention = settings.heads, settings.distance, attention
        points = settings.subject == "points"
        self.reader = SpanReader(dim, settings.points) if points else SpanEnds()
        self.text_qkv = Linear(dim, 3 * attention) if attention else None
        self.text = Linear(3 * dim, dim)
        total = 3 * attention + dim
        self.subject = Linear(2 * dim, total, bias=False)
        places = 2 * settings.distance + 1
        self.from_start = nn.Parameter(torch.zeros(places, total))
        self.from_end = nn.Parameter(torch.zeros(places, total))
        self.mixed = Linear(3 * attention, dim, bias=False) if attention else None
        self.present = Linear(dim, 1)
        self.out = Linear(dim, 2 * labels)
        self.known = Marks(dim) if settings.priors else None
        self.trust = nn.Parameter(torch.ones(labels, 2)) if settings.priors else None

    def context(self, hidden: Tensor) -> Tensor:
        """The text's share: (B, T, dim) → (B, T, 3·attention + dim)."""
        text = self.text(taps(hidden, 1))
        if self.text_qkv is None:
            return text
        return torch.cat([self.text_qkv(hidden), text], dim=-1)

    def forward(
        self,
        encoded: Encoded,
        row: Tensor,
        start: Tensor,
        end: Tensor,
        known: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """S subjects → logits of objects (S, T, labels, 2) and of their presence (S, T, 1).

        With priors, ``known`` marks the known objects of each subject, (S, T, labels, 2).
        """
        length = encoded.hidden.shape[1]
        place = torch.arange(length, device=row.device).unsqueeze(0)
        subject = self.reader(encoded.hidden, row, start, end)
        total = (
            encoded.context[row]
            + self.subject(subject).unsqueeze(1)
            + F.embedding(self._relative(place, start), self.from_start.to(subject.dtype))
            + F.embedding(self._relative(place, end), self.from_end.to(subject.dtype))
        )
        h = total
        if self.mixed is not None:
            mask = encoded.mask[row]
            a = attend(total[..., : 3 * self.attention], mask, self.heads) * mask
            h = total[..., 3 * self.attention :] + self.mixed(taps(a, 1))
        if self.known is not None:
            assert known is not None
            h = h + self.known(known.amax(2))  # something is known here, whatever the label
        h = torch.relu(h)
        logits = self.out(h).reshape(row.shape[0], length, -1, 2)
        if self.trust is not None and known is not None:
            logits = logits + (known * self.trust).to(logits.dtype)
        return logits, self.present(h)

    def _relative(self, place: Tensor, end: Tensor) -> Tensor:
        return (place - end.unsqueeze(1)).clamp(-self.distance, self.distance) + self.distance


class TripleNet(nn.Module):
    """The whole network; probabilities are products of a tag's and of its helpers'."""

    def __init__(
        self, settings: TripleSettings, codec: TextCodec, labels: int, types: int = 0
    ) -> None:
        """Sized by the codec's vocabulary and the number of labels.

        Where entities are labelled too, with ``types`` types, a head that is not exported
        learns to find them, so that the encoder does.
        """
        super().__init__()
        dim = settings.dim
        self.encoder = EncoderSettings.of(settings).build(codec)
        self.entities = Gate(dim, 2)
        self.relations = Gate(dim, labels)
        self.subjects = SubjectHead(settings)
        self.objects = ObjectHead(settings, labels)
        self.types = Gate(dim, 2 * types) if types else None
        # Made last, so that all other weights begin as they would without it.
        self.spans = GlobalPointer(dim) if settings.pairing == "spans" else None

    def encode(self, inputs: Inputs) -> Encoded:
        """Everything before a subject is chosen."""
        hidden, mask = self.encoder(inputs)
        highest = (hidden - (1 - mask) * 1e4).amax(1)
        return Encoded(
            subjects=self.subjects(hidden, mask, inputs.get("known")),
            hidden=hidden,
            context=self.objects.context(hidden),
            entities=self.entities(hidden),
            relations=self.relations(highest),
            mask=mask,
            spans=None if self.spans is None else self.spans(hidden),
        )


def log_subjects(encoded: Encoded) -> Tensor:
    """Log probabilities of subject starts and ends, (B, T, 2)."""
    return F.logsigmoid(encoded.subjects.float()) + F.logsigmoid(encoded.entities.float())


def log_objects(encoded: Encoded, row: Tensor, logits: Tensor, present: Tensor) -> Tensor:
    """Log probabilities of object starts and ends, (S, T, labels, 2)."""
    entities = F.logsigmoid(encoded.entities.float())[row].unsqueeze(2)
    relations = F.logsigmoid(encoded.relations.float())[row].unsqueeze(1).unsqueeze(-1)
    here = F.logsigmoid(present.float()).unsqueeze(-1)
    return F.logsigmoid(logits.float()) + entities + relations + here


def cross_entropy(log_p: Tensor, target: Tensor, absent: Tensor) -> Tensor:
    """Binary cross entropy of log probabilities; what is not labelled weighs ``absent``.

    Works on logarithms, since a product of probabilities underflows where its gradient is
    needed most. Targets may lie between 0 and 1; the gradient is 0 where a probability is
    its target.
    """
    # 1 - p as -expm1(log p) is exact however near p is to 1, and so is the way back down.
    log_not = torch.log((-torch.expm1(log_p)).clamp(min=1e-30))
    return -(target * log_p + absent * (1 - target) * log_not)


def triple_loss(net: TripleNet, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The article's loss: subjects' and objects' cross entropies, 1 : 1.

    Args:
        net: the network.
        batch: ``units``, ``shapes``, ``grams``; ``subjects`` (B, T, 2); one sampled subject a
            text in ``start`` and ``end`` (B,) with its ``objects`` (B, T, labels, 2);
            ``absent`` (B,) and ``absent_objects`` (B, labels), the weights of what is not
            labelled. Where entities are labelled, ``entities`` (B, T, types, 2) and
            ``named`` (B,), whether they are in this text. Where spans are told, ``spans``
            (B, T, T). With priors, ``known`` (B, T, 2) and
            ``known_objects`` (B, T, labels, 2) of the sampled subjects.

    Returns:
        The terms by name; each is a mean over units.
    """
    encoded = net.encode(batch)
    row = torch.arange(len(batch["units"]), device=batch["units"].device)
    known = batch.get("known_objects")
    logits, present = net.objects(encoded, row, batch["start"], batch["end"], known)
    mask, absent = encoded.mask.float(), batch["absent"]
    subjects = cross_entropy(log_subjects(encoded), batch["subjects"], absent[:, None, None])
    objects = cross_entropy(
        log_objects(encoded, row, logits, present),
        batch["objects"],
        batch["absent_objects"][:, None, :, None],
    )
    count = mask.sum()
    terms = {
        "subjects": (subjects.sum(-1, keepdim=True) * mask).sum() / count,
        "objects": (objects.sum((2, 3)).unsqueeze(-1) * mask).sum() / count,
    }
    if net.types is not None:
        target = batch["entities"].flatten(2)
        logits = net.types(encoded.hidden).float()
        found = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        named = batch["named"][:, None, None] * mask
        terms["entities"] = (found.sum(-1, keepdim=True) * named).sum() / count
    if encoded.spans is not None:
        terms["spans"] = span_loss(encoded.spans, batch["spans"], mask, absent) / count
    return terms


class EncoderGraph(nn.Module):
    """What ``encoder.onnx`` computes."""

    def __init__(self, net: TripleNet) -> None:
        """Wrap a trained network."""
        super().__init__()
        self.net = net

    def forward(self, inputs: Inputs) -> tuple[Tensor, ...]:
        """Texts → subjects' probabilities and all that the object step needs."""
        encoded = self.net.encode(inputs)
        # Every probability has the entities' as a factor or is multiplied here, so nothing
        # can be found in the padding.
        outputs = (
            torch.exp(log_subjects(encoded)) * encoded.mask,
            encoded.hidden,
            encoded.context,
            torch.sigmoid(encoded.entities) * encoded.mask,
            torch.sigmoid(encoded.relations),
            encoded.mask,
        )
        if encoded.spans is None:
            return outputs
        return *outputs, torch.sigmoid(encoded.spans) * ordered(encoded.mask)


class ObjectGraph(nn.Module):
    """What ``objects.onnx`` computes."""

    def __init__(self, net: TripleNet) -> None:
        """Wrap a trained network."""
        super().__init__()
        self.net = net

    def forward(self, inputs: Inputs) -> Tensor:
        """Encoded texts and S subjects → (S, T, labels, 2) probabilities."""
        encoded = Encoded(
            inputs["hidden"][..., :0],
            *(inputs[name] for name in ("hidden", "context", "entities", "relations", "mask")),
        )
        row, known = inputs["row"], inputs.get("known_objects")
        logits, present = self.net.objects(encoded, row, inputs["start"], inputs["end"], known)
        gate = encoded.entities[row].unsqueeze(2) * torch.sigmoid(present).unsqueeze(-1)
        return torch.sigmoid(logits) * gate * encoded.relations[row].unsqueeze(1).unsqueeze(-1)
