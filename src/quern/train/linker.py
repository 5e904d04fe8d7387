"""The networks of mentions and of choices as one, whose encoder is one: batches of each in turn."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from quern.train.batches import InTurn
from quern.train.entities import EntityNet
from quern.train.entity_items import EntityItems
from quern.train.link_items import LinkItems
from quern.train.links import MentionNet
from quern.train.loop import Weights


class LinkerNet(nn.Module):
    """Both networks; whatever one teaches the encoder, the other begins its next step with."""

    def __init__(self, mentions: MentionNet, entities: EntityNet) -> None:
        """They must have the same encoder, not one alike."""
        super().__init__()
        assert entities.encoder is mentions.encoder
        self.mentions, self.entities = mentions, entities

    def of(self, part: nn.Module, weights: Weights) -> Weights:
        """Of weights of the whole those of a part, under the names that they have there."""
        # What two parts share has one name here, that of the first.
        names = {parameter: name for name, parameter in self.named_parameters()}
        return {name: weights[names[parameter]] for name, parameter in part.named_parameters()}


class LinkerItems:
    """Items of both kinds, those of mentions first; a batch holds items of one kind.

    Each kind keeps its own windows, company and loss, and the loop sees one task.
    """

    def __init__(self, mentions: LinkItems, entities: EntityItems) -> None:
        """Put them behind each other."""
        self.mentions, self.entities = mentions, entities

    def __len__(self) -> int:
        """Windows of both kinds."""
        return len(self.mentions) + len(self.entities)

    def order(self, size: int, seed: int, epoch: int) -> InTurn:
        """The batches of an epoch, an epoch of each kind."""
        return InTurn(
            (0, self.mentions.order(size, seed, epoch)),
            (len(self.mentions), self.entities.order(size, seed, epoch)),
        )

    def _of_kind(self, items: Sequence[int]) -> tuple[LinkItems | EntityItems, list[int]]:
        """The kind of a batch, and the numbers of its items there."""
        first = len(self.mentions)
        if items[0] < first:
            return self.mentions, list(items)
        return self.entities, [item - first for item in items]

    def collate(self, items: Sequence[int], seed: Sequence[int]) -> dict[str, Tensor]:
        """Arrays of a batch."""
        kind, own = self._of_kind(items)
        return kind.collate(own, seed)

    def lines(self, items: Sequence[int]) -> list[int]:
        """Line numbers of the items of a batch."""
        kind, own = self._of_kind(items)
        return kind.lines(own)

    def loss(self, net: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The loss of a batch, by its terms."""
        assert isinstance(net, LinkerNet)
        if "marks" in batch:  # which only batches of mentions have
            return self.mentions.loss(net.mentions, batch)
        return self.entities.loss(net.entities, batch)
