"""What a sentence model learns from: sentences, and which of them mean the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from quern.records import SentenceExample
from quern.runtime import padded
from quern.sentences import SentenceFitting, SentenceSettings, arrays_of
from quern.text import Encoding, TextCodec, Window
from quern.train.batches import Order, forget_words
from quern.train.embedding import EmbeddingNet
from quern.train.losses import center, over_groups, over_pairs
from quern.train.neighbours import near_groups
from quern.train.row_table import RowTable

Numbers = NDArray[np.int64]
Embed = Callable[[Sequence[int]], NDArray[np.float32]]  # unit vectors of some items
_POOL = 50  # batches of pairs that are sorted by length together


class SentenceItem(NamedTuple):
    """A sentence, or a window of a long one, and the number of its group."""

    line: int
    encoding: Encoding
    window: Window
    group: int


class SentenceItems:
    """The labelled sentences of a training, and the rows of their groups.

    Attributes:
        items: in the order of the lines; one for each window.
        names: of the groups, by number.
        empty: lines of sentences without a unit, which say nothing and are left out.
        tables: what is learned of groups, by name.
        embed: gives vectors of items by the weights as they stand; set by the training.
    """

    def __init__(
        self,
        examples: Sequence[SentenceExample],
        codec: TextCodec,
        settings: SentenceSettings,
        fitting: SentenceFitting,
        seed: int,
    ) -> None:
        """Encode sentences and number their groups."""
        self.codec, self.settings, self.fitting = codec, settings, fitting
        numbers: dict[str, int] = {}
        self.items: list[SentenceItem] = []
        self.empty: list[int] = []
        for example in examples:
            encoding = codec.encode(example.text)
            if not encoding.length:
                self.empty.append(example.line)
            for window in codec.windows(encoding):
                group = numbers.setdefault(example.group, len(numbers))
                self.items.append(SentenceItem(example.line, encoding, window, group))
        self.names = list(numbers)
        self.tables: dict[str, RowTable] = {}
        count, dim = len(self.names), settings.vector_dim
        if not fitting.paired:
            self.tables["groups"] = RowTable.drawn(count, dim, seed)
        if fitting.center:
            self.tables["centers"] = RowTable.drawn(count, dim, seed + 1)
        self.embed: Embed | None = None

    def __len__(self) -> int:
        return len(self.items)

    @cached_property
    def groups(self) -> Numbers:
        """The group of each item."""
        return np.array([item.group for item in self.items], dtype=np.int64)

    @cached_property
    def lengths(self) -> Numbers:
        """Units of each item."""
        return np.array([item.window.stop - item.window.first for item in self.items])

    # -- the order of an epoch ------------------------------------------------------------

    def order(self, size: int, seed: int, epoch: int) -> Order | PairedOrder:
        """The batches of an epoch; see ``SentenceFitting`` for what decides."""
        rng = np.random.default_rng([seed, epoch])
        drawn = self._drawn(rng)
        if not self.fitting.paired:
            drawn = rng.permutation(drawn)
            return Order(
                len(drawn), size, [seed, epoch], lambda at: drawn[at], lambda of: self.lengths[of]
            )
        pairs = self._pairs(drawn, rng)
        near = None
        if self.fitting.hard and epoch and self.embed is not None:
            near = near_groups(self.groups, self.embed)
        return PairedOrder(pairs, self, max(1, size // 2), rng, near)

    def _drawn(self, rng: np.random.Generator) -> Numbers:
        """As many items as there are, each about as often as ``balance`` wants it."""
        count = len(self.items)
        if not self.fitting.balance:
            return np.arange(count)
        sizes = np.bincount(self.groups)[self.groups].astype(np.float64)
        shares = np.cumsum(sizes**-self.fitting.balance)
        places = (np.arange(count) + rng.random()) / count * shares[-1]
        return np.minimum(np.searchsorted(shares, places), count - 1)

    def _pairs(self, drawn: Numbers, rng: np.random.Generator) -> Numbers:
        """Two items of one group in each row, (n, 2); who is left over is paired once more.

        A group's only sentence is its own partner: dropout makes two of it (Gao et al.,
        "SimCSE", 2021).
        """
        order = np.lexsort((rng.random(len(drawn)), self.groups[drawn]))
        drawn = drawn[order]
        of = self.groups[drawn]
        first = np.flatnonzero(np.r_[True, of[1:] != of[:-1]])
        place = np.arange(len(drawn)) - np.repeat(first, np.diff(np.r_[first, len(drawn)]))
        firsts = np.flatnonzero(place % 2 == 0)
        after = np.minimum(firsts + 1, len(drawn) - 1)
        alone = (of[after] != of[firsts]) | (after == firsts)
        partner = np.where(alone, firsts - (place[firsts] > 0), after)
        pairs = np.stack([drawn[firsts], drawn[partner]], axis=1)
        return rng.permutation(pairs)

    # -- batches --------------------------------------------------------------------------

    def collate(self, items: Sequence[int], seed: Sequence[int]) -> dict[str, Tensor]:
        """Arrays of a batch, and which groups its loss runs over."""
        rng = np.random.default_rng(seed)
        batch = [self.items[i] for i in items]
        length = padded(max(item.window.stop - item.window.first for item in batch))
        parts = [(item.encoding, item.window) for item in batch]
        arrays = dict(arrays_of(self.codec, parts, length, self.settings))
        forget_words(arrays, self.fitting.unknown, rng)
        groups = self.groups[list(items)]
        arrays["groups"] = groups
        if "groups" in self.tables:
            arrays["classes"], arrays["offsets"] = self._classes(groups, rng)
            arrays["own"] = np.searchsorted(arrays["classes"], groups)
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def _classes(
        self, groups: Numbers, rng: np.random.Generator
    ) -> tuple[Numbers, NDArray[np.float32]]:
        """The groups of a softmax, ascending, and the logarithm of how many each stands for."""
        count, others = len(self.names), self.fitting.classes
        own = np.unique(groups)
        if not others or len(own) + others >= count:
            return np.arange(count), np.zeros(count, dtype=np.float32)
        drawn = np.unique(rng.integers(count, size=others))
        drawn = drawn[~np.isin(drawn, own)]
        classes = np.concatenate([own, drawn])
        stands_for = np.log((count - len(own)) / max(1, len(drawn)))
        offsets = np.where(np.arange(len(classes)) < len(own), 0.0, stands_for)
        order = np.argsort(classes)
        return classes[order], offsets[order].astype(np.float32)

    def lines(self, items: Sequence[int]) -> list[int]:
        """Line numbers of some items."""
        return [self.items[i].line for i in items]

    def loss(self, net: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The loss of a batch, by its terms."""
        assert isinstance(net, EmbeddingNet)
        vectors, groups = net(batch), batch["groups"]
        with torch.autocast("cpu", enabled=False):
            if self.fitting.paired:
                terms = {"pairs": over_pairs(self.fitting, vectors, groups)}
            else:
                rows = self.tables["groups"].rows(batch["classes"])
                found = (vectors, rows, batch["own"], batch["offsets"])
                terms = {"groups": over_groups(self.fitting, found)}
            if self.fitting.center:
                own, places = torch.unique(groups, return_inverse=True)
                centers = self.tables["centers"].rows(own)[places]
                terms["center"] = self.fitting.center * center(vectors, centers)
        return terms


class PairedOrder:
    """Batches of pairs: the second of each pair follows the first."""

    def __init__(
        self,
        pairs: Numbers,
        items: SentenceItems,
        size: int,
        rng: np.random.Generator,
        near: Numbers | None,
    ) -> None:
        """Sort by length within pools, or, where it is known which groups are near, by that.

        Args:
            pairs: (n, 2), shuffled.
            items: what they are places of.
            size: pairs of a batch.
            rng: shuffles batches.
            near: (groups, k), the nearest of each group.
        """
        if near is None:
            lengths = items.lengths[pairs].max(axis=1)
            pool = np.arange(len(pairs)) // (size * _POOL)
            pairs = pairs[np.lexsort((lengths, pool))]
        else:
            pairs = pairs[gathered(items.groups[pairs[:, 0]], near, items.fitting.hard)]
        batches = [pairs[at : at + size] for at in range(0, len(pairs), size)]
        self._batches = [batches[i] for i in rng.permutation(len(batches))]

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self._batches:
            yield batch.reshape(-1).tolist()


def gathered(groups: Numbers, near: Numbers, share: float) -> Numbers:
    """An order of pairs in which a share of each batch are near to others in it.

    Args:
        groups: of each pair.
        near: (groups, k), the nearest of each group.
        share: of a batch.
    """
    places: dict[int, list[int]] = {}
    for place in range(len(groups) - 1, -1, -1):
        places.setdefault(int(groups[place]), []).append(place)
    taken = np.zeros(len(groups), dtype=np.bool_)
    found: list[int] = []

    def take(place: int) -> None:
        taken[place] = True
        found.append(place)

    for place in range(len(groups)):
        if taken[place]:
            continue
        take(place)
        wanted = share / (1 - share)  # near ones for each that is drawn at random
        fewest, rest = int(wanted), wanted % 1
        more = fewest + ((place * 0.618034) % 1 < rest)
        for group in near[groups[place]].tolist():
            if more <= 0:
                break
            stack = places.get(group, [])
            while stack and taken[stack[-1]]:
                stack.pop()
            if stack:
                take(stack.pop())
                more -= 1
    return np.array(found, dtype=np.int64)
