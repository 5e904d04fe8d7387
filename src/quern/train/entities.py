"""The network and the loss of choices (Su, "百度实体链接比赛后记：行为建模和实体链接", 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quern.links.pair_features import SCALARS
from quern.links.pairs import INSIDE, NAME
from quern.links.settings import EntitySettings
from quern.text import TextCodec
from quern.train.encoders import EncoderSettings
from quern.train.layers import Dropout, Inputs, Linear

_FAR = 1e4  # taken off what is not there, before a softmax or a maximum
_TEXT_MARKS, _DESCRIBED_MARKS = 3, 2  # of a unit; see ``Matcher.forward``


class Side(nn.Module):
    """One of two texts, beside what it attends to in the other one, as one vector.

    The article's joint: both, their difference and their product; then a gated projection, and
    the maximum over the units.
    """

    def __init__(self, dim: int, marks: int) -> None:
        """Vectors of ``dim``, and ``marks`` numbers for each unit beside them."""
        super().__init__()
        self.product = Linear(4 * dim + marks, 2 * dim)

    def forward(self, own: Tensor, other: Tensor, marks: Tensor, mask: Tensor) -> Tensor:
        """(N, L, dim) twice, (N, L, marks), (N, L, 1) → (N, dim)."""
        joint = torch.cat([own, other, (own - other).abs(), own * other, marks], dim=-1)
        value, gate = self.product(joint).chunk(2, dim=-1)
        return (value * torch.sigmoid(gate) - (1 - mask) * _FAR).amax(1)


class Matcher(nn.Module):
    """How well a mention in its text and an entity as it is described go together.

    A linear layer over the scalars of a pair (``links/pair_features.py``) is what it knows
    before it has learned anything; what two readings of text and description add begins at 0.
    """

    mean: Tensor  # (SCALARS,), of the training pairs; a buffer, so no optimiser moves it
    scale: Tensor  # (SCALARS,), one over their standard deviation

    def __init__(self, dim: int, dropout: float) -> None:
        """Vectors of ``dim``."""
        super().__init__()
        self.width = dim
        self.places = nn.Embedding(4, dim)
        nn.init.uniform_(self.places.weight, -0.05, 0.05)
        self.query, self.key = Linear(dim, dim), Linear(dim, dim)
        # How much more a unit attends to the same unit, and to one in the same company.
        self.same, self.along = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
        self.text, self.described = Side(dim, _TEXT_MARKS), Side(dim, _DESCRIBED_MARKS)
        self.drop = Dropout(dropout)
        self.joined = Linear(6 * dim, dim)
        self.out = Linear(dim, 1, bias=False)
        self.scalars = Linear(SCALARS, 1)
        self.register_buffer("mean", torch.zeros(SCALARS))
        self.register_buffer("scale", torch.ones(SCALARS))
        with torch.no_grad():
            self.out.weight.zero_()
            self.scalars.weight.zero_()

    def forward(self, inputs: Inputs) -> Tensor:
        """Pairs, as ``links.pairs.match_arrays`` makes them, and both states → logits (N,).

        NIL's own logit is 0: what speaks for it lowers those of all candidates.
        """
        place, part = inputs["place"], inputs["part"]
        text_mask, mask = _mask(place), _mask(part)
        same, along = _shared(inputs, text_mask, mask)
        own = (inputs["text"] + self.places(place)) * text_mask
        entity = inputs["described"]
        scores = torch.matmul(self.query(own), self.key(entity).transpose(1, 2)).float()
        scores = scores / self.width**0.5 + self.same * same + self.along * along
        there = torch.softmax(scores - (1 - mask.transpose(1, 2)) * _FAR, dim=2)
        back = torch.softmax(scores - (1 - text_mask) * _FAR, dim=1).transpose(1, 2)
        text_marks = [same.amax(2), along.amax(2), inputs["objects"]]
        text = self.text(
            own, torch.matmul(there, entity), torch.stack(text_marks, dim=-1), text_mask
        )
        marks = torch.stack([same.amax(1), along.amax(1)], dim=-1)
        described = self.described(entity, torch.matmul(back, own), marks, mask)
        mention, name = _mean(inputs["text"], place == INSIDE), _mean(entity, part == NAME)
        both = [text, described, mention, name, (mention - name).abs(), mention * name]
        read = torch.relu(self.joined(self.drop(torch.cat(both, dim=-1))))
        scalars = self.scalars((inputs["scalars"] - self.mean) * self.scale)
        return (self.out(self.drop(read)).float() + scalars.float()).squeeze(-1)


def _mask(codes: Tensor) -> Tensor:
    """(N, L) → (N, L, 1): 1 where a code is, 0 over padding."""
    return (codes > 0).float().unsqueeze(-1)


def _mean(states: Tensor, chosen: Tensor) -> Tensor:
    """The mean over some units, (N, L, dim) and (N, L) → (N, dim)."""
    weight = chosen.to(states.dtype).unsqueeze(-1)
    return (states * weight).sum(1) / weight.sum(1).clamp(min=1)


def _shared(inputs: Inputs, text_mask: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Where text and description have the same unit, and where also one beside it: (N, T, D)."""
    same = (inputs["text_keys"].unsqueeze(2) == inputs["described_keys"].unsqueeze(1)).float()
    same = same * text_mask * mask.transpose(1, 2)
    before = F.pad(same, (1, 0, 1, 0))[:, :-1, :-1]
    after = F.pad(same, (0, 1, 0, 1))[:, 1:, 1:]
    return same, same * torch.maximum(before, after)


class EntityNet(nn.Module):
    """The whole network."""

    def __init__(self, settings: EntitySettings, codec: TextCodec) -> None:
        """Sized by the codec's vocabulary."""
        super().__init__()
        self.encoder = EncoderSettings.of(settings).build(codec)
        self.states = Linear(settings.dim, settings.match_dim)
        self.matcher = Matcher(settings.match_dim, settings.match_dropout)
        self.frozen = False

    def freeze(self) -> None:
        """Let the encoder stay as it is, and not be trained."""
        self.frozen = True
        self.encoder.requires_grad_(False)

    def train(self, mode: bool = True) -> EntityNet:
        """As in every network; a frozen encoder drops nothing out."""
        super().train(mode)
        if self.frozen:
            self.encoder.eval()
        return self

    def encode(self, inputs: Inputs) -> Tensor:
        """Texts or descriptions → states between -1 and 1, (B, L, match_dim); 0 over padding."""
        hidden, mask = self.encoder(inputs)
        return torch.tanh(self.states(hidden)).float() * mask.float()


def entity_loss(net: EntityNet, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Cross entropy of the candidates of each mention and NIL.

    Args:
        net: the network.
        batch: what ``EntityItems.collate`` gives: arrays of texts and of descriptions under
            ``text.`` and ``described.``; pairs, and of which ``window`` at which units ``at``
            and which ``entity`` they are; the ``row`` of each pair's mention in a table, its
            ``column`` there, from 1, as 0 is NIL; the ``odds`` that it stands for others that
            were not drawn; and for each mention the ``target`` column.

    Returns:
        The one term: a mean over mentions.
    """
    texts = net.encode(_under("text.", batch))
    described = net.encode(_under("described.", batch))
    places = batch["window"].unsqueeze(1) * texts.shape[1] + batch["at"]
    logits = net.matcher(
        batch
        | {
            "text": F.embedding(places, texts.flatten(0, 1)),
            "described": described.index_select(0, batch["entity"]),
        }
    )
    target = batch["target"]
    table = torch.full((len(target), int(batch["column"].max()) + 1), -_FAR)
    table[:, 0] = 0
    table = table.index_put((batch["row"], batch["column"]), logits + batch["odds"])
    return {"entities": F.cross_entropy(table, target)}


def _under(prefix: str, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): tensor for k, tensor in batch.items() if k.startswith(prefix)}


class EncodeGraph(nn.Module):
    """What ``encode.onnx`` computes."""

    def __init__(self, net: EntityNet) -> None:
        """Wrap a trained network."""
        super().__init__()
        self.net = net

    def forward(self, inputs: Inputs) -> Tensor:
        """Texts → states."""
        return self.net.encode(inputs)


class MatchGraph(nn.Module):
    """What ``match.onnx`` computes."""

    def __init__(self, net: EntityNet) -> None:
        """Wrap a trained network."""
        super().__init__()
        self.net = net

    def forward(self, inputs: Inputs) -> Tensor:
        """Pairs and states → logits."""
        return self.net.matcher(inputs)
