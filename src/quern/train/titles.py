"""The network that reads a document and writes its title.

After See, Liu and Manning, "Get To The Point: Summarization with Pointer-Generator Networks"
(2017), with the attention and the input feeding of Luong et al., "Effective Approaches to
Attention-based Neural Machine Translation" (2015).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quern.text import TextCodec
from quern.titles import END, TitleSettings
from quern.train.cosine import unit
from quern.train.embedding import Pooling
from quern.train.encoders import EncoderSettings
from quern.train.layers import Dropout, GRUCell, Inputs, Linear, UnitEmbedding
from quern.train.recurrent import BothWays

_FAR = 1e4
_LEAST = 1e-20  # below every probability that counts
ROOM = 8  # places of units beyond the limit, for padding


class Read(NamedTuple):
    """A batch of documents as the network has read them.

    Attributes:
        states: (B, S, dim), of their units, zeros over padding.
        pooled: (B, dim).
    """

    states: Tensor
    pooled: Tensor


class Looks(NamedTuple):
    """What the steps of titles look at.

    Attributes:
        states: (B, S, dim), of the documents' units.
        sources: (B, S), ids that the units have as steps of a title; 0 over padding.
    """

    states: Tensor
    sources: Tensor

    def same(self, steps: Tensor) -> Tensor:
        """Ones at the units that are written as each step is: (B, K) → (B, K, S)."""
        return (steps.unsqueeze(-1) == self.sources.unsqueeze(1)).float()


class Told(NamedTuple):
    """What some steps are told of the step before.

    Attributes:
        given: (B, K, dim), what it was.
        projected: (B, K, 3 dim), the same as the first layer takes it.
        behind: (B, K, S), ones at the units of the document that stand behind one like it.
    """

    given: Tensor
    projected: Tensor
    behind: Tensor


class Carried(NamedTuple):
    """What one step hands to the next.

    Attributes:
        hidden: (B, K, layers·dim).
        feed: (B, K, dim), what the last step's piece was chosen by.
        coverage: (B, K, S), attention so far, summed.
    """

    hidden: Tensor
    feed: Tensor
    coverage: Tensor


class Made(NamedTuple):
    """What the pieces of some steps are chosen by.

    Attributes:
        out: (…, dim).
        attention: (…, S).
        gate: (…, 1), logit of writing a piece rather than taking a unit over.
    """

    out: Tensor
    attention: Tensor
    gate: Tensor


class Decoder(nn.Module):
    """Recurrent layers that write a title, looking at the document's units as they go."""

    never: Tensor  # (pieces,), far below zero where an id is never written

    def __init__(self, settings: TitleSettings, pieces: int) -> None:
        """One table holds the pieces as they are read and as they are written."""
        super().__init__()
        dim, self.settings = settings.dim, settings
        self.pieces = nn.Parameter(torch.randn(dim, pieces) / dim**0.5)
        self.bias = nn.Parameter(torch.zeros(pieces))
        never = torch.zeros(pieces)
        never[:END] = -_FAR
        self.register_buffer("never", never)
        self.cells = nn.ModuleList(GRUCell(dim, dim) for _ in range(settings.layers))
        self.drop = Dropout(settings.dropout)
        if settings.attention:
            # Coverage, and what stands behind the last step, are further components of a unit.
            self.query = Linear(dim, dim + settings.covers + settings.copy)
            self.fed = Linear(dim, 3 * dim, bias=False)
            self.mix = Linear(2 * dim, dim)
        else:
            self.mix = Linear(dim, dim)
        if settings.copy:
            self.again = Linear(dim, dim, bias=False)
            self.gate = Linear(3 * dim, 1)

    def forward(self, begun: Tensor, previous: Tensor, looks: Looks) -> Made:
        """All steps of titles, told what stands before each.

        Args:
            begun: (B, layers·dim), what the first step is handed.
            previous: (B, T), the step before each.
            looks: the documents.

        Returns:
            Of every step, (B, T, …).
        """
        told = self.told(previous, looks)
        carried = self.begin(begun.unsqueeze(1), looks)
        made = []
        for at in range(previous.shape[1]):
            here = Told(*(part[:, at : at + 1] for part in told))
            step, carried = self.step(here, carried, looks)
            made.append(step)
        out, attention, gate = (torch.cat(parts, dim=1) for parts in zip(*made, strict=True))
        return Made(self.drop(out), attention, gate)

    def begin(self, hidden: Tensor, looks: Looks) -> Carried:
        """What the first step is handed, (B, 1, …)."""
        feed = hidden.new_zeros(hidden.shape[0], 1, self.settings.dim)
        coverage = hidden.new_zeros(hidden.shape[0], 1, looks.sources.shape[1])
        return Carried(hidden, feed, coverage)

    def told(self, previous: Tensor, looks: Looks) -> Told:
        """What steps are told of those before them, (B, K).

        To the vector of a piece is added what the document says where it has the same unit (the
        "selective read" of Gu et al., "CopyNet", 2016); a unit that is no piece has that alone.
        """
        pieces = self.pieces.shape[1]
        known = (previous < pieces).float().unsqueeze(-1)
        rows = self.pieces.index_select(1, previous.clamp(max=pieces - 1).flatten())
        given = rows.t().reshape(*previous.shape, -1) * known
        behind = known
        if self.settings.copy:
            same = looks.same(previous)
            mean = torch.matmul(same, looks.states) / same.sum(-1, keepdim=True).clamp(min=1)
            given = given + self.again(mean)
            behind = F.pad(same[..., :-1], (1, 0))
        given = self.drop(given)
        first = self.cells[0]
        assert isinstance(first, GRUCell)
        return Told(given, first.x(given), behind)

    def step(self, told: Told, carried: Carried, looks: Looks) -> tuple[Made, Carried]:
        """One step of each title.

        Args:
            told: of the step before.
            carried: by the step before.
            looks: the documents.
        """
        projected = told.projected
        if self.settings.attention:
            projected = projected + self.fed(carried.feed)
        states: list[Tensor] = []
        layers = carried.hidden.chunk(self.settings.layers, dim=-1)
        for cell, hidden in zip(self.cells, layers, strict=True):
            assert isinstance(cell, GRUCell)
            states.append(cell(cell.x(states[-1]) if states else projected, hidden))
        hidden, top = torch.cat(states, dim=-1), states[-1]
        if not self.settings.attention:
            made = Made(torch.tanh(self.mix(top)), carried.coverage, top[..., :1])
            return made, Carried(hidden, carried.feed, carried.coverage)
        attention = self._attend(top, told.behind, carried.coverage, looks)
        context = torch.matmul(attention, looks.states)
        out = torch.tanh(self.mix(torch.cat([top, context], dim=-1)))
        gate = top[..., :1]
        if self.settings.copy:
            gate = self.gate(torch.cat([top, context, told.given], dim=-1))
        coverage = carried.coverage + attention if self.settings.covers else carried.coverage
        return Made(out, attention, gate), Carried(hidden, out, coverage)

    def _attend(self, top: Tensor, behind: Tensor, coverage: Tensor, looks: Looks) -> Tensor:
        """Where to look: (B, K, dim) → (B, K, S)."""
        query, dim = self.query(top), self.settings.dim
        found = torch.matmul(query[..., :dim], looks.states.transpose(1, 2)) / dim**0.5
        if self.settings.covers:
            found = found + query[..., dim : dim + 1] * coverage
        if self.settings.copy:
            found = found + query[..., -1:] * behind
        there = (looks.sources > 0).float().unsqueeze(1)
        return torch.softmax(found - _FAR * (1 - there), dim=-1)

    def logits(self, out: Tensor) -> Tensor:
        """Of all pieces, (…, dim) → (…, pieces)."""
        # One after the other: the exporter would fold the sum of both into a number of its own.
        return torch.matmul(out, self.pieces).float() + self.bias + self.never

    def mixture(self, made: Made, sources: Tensor, room: Tensor) -> Tensor:
        """Log probabilities of all pieces, and of the units of each document that are none.

        Args:
            made: (B, K, …).
            sources: (B, S).
            room: (B, new), added to those of the units.

        Returns:
            (B, K, pieces + new); without copying, (B, K, pieces).
        """
        logits = self.logits(made.out)
        if not self.settings.copy:
            return torch.log_softmax(logits, dim=-1)
        gate = torch.sigmoid(made.gate)
        chances = F.pad(torch.softmax(logits, dim=-1) * gate, (0, room.shape[1]))
        places = sources.long().unsqueeze(1).expand_as(made.attention)
        chances = chances.scatter_add(2, places, made.attention * (1 - gate))
        found = torch.log(chances.clamp(min=_LEAST))
        pieces = logits.shape[-1]
        return torch.cat([found[..., :pieces], found[..., pieces:] + room.unsqueeze(1)], dim=-1)


class TitleNet(nn.Module):
    """The whole network: what reads, the vector of the document, and what writes."""

    def __init__(self, settings: TitleSettings, codec: TextCodec, pieces: int) -> None:
        """Sized by the codec's vocabulary and the number of pieces."""
        super().__init__()
        self.settings, dim = settings, settings.dim
        self.encoder = self.embedding = self.gru = None
        places = settings.limit + ROOM
        if settings.reading == "conv":
            self.encoder = EncoderSettings.of(settings).build(codec, places)
        else:
            self.embedding = UnitEmbedding(
                len(codec.vocabulary), codec.rules.buckets, settings.gram_dim, dim, places
            )
            self.drop = Dropout(settings.dropout)
            self.gru = BothWays(dim, dim)
        # Attention learns from products of states, which begin small (Ba et al., 2016).
        self.norm = nn.LayerNorm(dim)
        self.pooling = Pooling(dim, "attention")
        self.vector = Linear(dim, settings.vector_dim)
        self.begin = Linear(dim, settings.layers * dim)
        self.decoder = Decoder(settings, pieces)

    def read(self, inputs: Inputs) -> Read:
        """Inputs of ``TextCodec.arrays`` → what is known of the documents."""
        if self.encoder is not None:
            states, mask = self.encoder(inputs)
        else:
            assert self.embedding is not None and self.gru is not None
            mask = (inputs["units"] > 0).float().unsqueeze(-1)
            states = self.gru(self.drop(self.embedding(inputs)) * mask, mask)
        states, mask = self.norm(states.float()), mask.float()
        return Read(states * mask, self.pooling(states, mask))

    def begun(self, read: Read) -> Tensor:
        """What the first step of a title is handed, (B, layers·dim)."""
        return torch.tanh(self.begin(read.pooled))

    def vectors(self, read: Read) -> Tensor:
        """Vectors of documents, (B, vector_dim), of length 1."""
        return unit(self.vector(read.pooled).float())


class EncodeGraph(nn.Module):
    """What ``encode.onnx`` computes, once for each document."""

    def __init__(self, net: TitleNet) -> None:
        """Wrap a trained network."""
        super().__init__()
        self.net = net

    def forward(self, inputs: Inputs) -> tuple[Tensor, ...]:
        """Documents → states of their units, what the first step is handed, vectors."""
        read = self.net.read(inputs)
        states = (read.states,) if self.net.settings.attention else ()
        return (*states, self.net.begun(read), self.net.vectors(read))


class StepGraph(nn.Module):
    """What ``step.onnx`` computes: for each title of each document, how it may go on."""

    def __init__(self, net: TitleNet) -> None:
        """Wrap a trained network."""
        super().__init__()
        self.net = net

    def forward(self, inputs: Inputs) -> tuple[Tensor, ...]:
        """The step before, and what it handed on → log probabilities, and what is handed on."""
        decoder, previous, hidden = self.net.decoder, inputs["previous"], inputs["hidden"]
        none = hidden.new_zeros(hidden.shape[0], 1, 1)
        looks = Looks(inputs.get("states", none), inputs.get("sources", none[..., 0]))
        carried = Carried(hidden, inputs.get("feed", none), inputs.get("coverage", none))
        made, carried = decoder.step(decoder.told(previous, looks), carried, looks)
        found = decoder.mixture(made, looks.sources, inputs.get("room", none[..., 0]))
        return (found, *(getattr(carried, name) for name in self.net.settings.carried))
