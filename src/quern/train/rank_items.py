"""What a rank model learns from: texts, the items they are about, and items they are not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from quern.alignment import Problem
from quern.embedding import arrays_of, unit_rows
from quern.ranks import RankFitting, RankSettings
from quern.records import Item, RankExample
from quern.runtime import padded
from quern.text import Encoding, TextCodec, Window
from quern.train.batches import Order, forget_words
from quern.train.cosine import cosines, unit
from quern.train.embedding import EmbeddingNet
from quern.train.embedding_training import Part
from quern.train.rank_losses import margin_loss, softmax_loss, warp_loss
from quern.train.row_table import RowTable

Numbers = NDArray[np.int64]
Floats = NDArray[np.float32]
Embed = Callable[[Sequence[Part]], Floats]  # vectors of length 1 of windows

OF_ITEMS = "item."  # before the names of the arrays of items' texts
_POWER = 0.75  # of the counts, as in word2vec: what is frequent is drawn often, but less than so
_BLOCK = 512  # texts compared with all items at once


class RankItem(NamedTuple):
    """A text, or a window of a long one, and the numbers of its items."""

    line: int
    encoding: Encoding
    window: Window
    items: tuple[int, ...]
    negatives: tuple[int, ...]


class RankItems:
    """The texts of a training, and the items of its catalogue.

    Attributes:
        items: in the order of the lines; one for each window.
        catalogue: what they are about.
        problems: labels that name an item that the catalogue lacks.
        tables: the free vectors of items, where there are such.
        embed: gives vectors by the weights as they stand; set by the training.
    """

    def __init__(
        self,
        examples: Sequence[RankExample],
        catalogue: Sequence[Item],
        codec: TextCodec,
        settings: RankSettings,
        fitting: RankFitting,
        seed: int,
    ) -> None:
        """Encode texts, and those of items where they are read."""
        self.codec, self.settings, self.fitting = codec, settings, fitting
        self.catalogue = list(catalogue)
        self._numbers = {item.id: number for number, item in enumerate(catalogue)}
        self.items: list[RankItem] = []
        self.problems: list[Problem] = []
        for example in examples:
            self._add(example)
        self.tables: dict[str, RowTable] = {}
        if settings.items != "text":
            table = RowTable.drawn(len(catalogue), settings.vector_dim, seed)
            table.kept = True  # a part of the model, as the network is
            self.tables["items"] = table
        self.texts: list[tuple[Encoding, list[Window]]] = []
        if settings.items != "free":
            encodings = [codec.encode(item.text) for item in catalogue]
            self.texts = [(each, codec.windows(each)) for each in encodings]
        self.embed: Embed | None = None
        self._near: Numbers | None = None

    def __len__(self) -> int:
        return len(self.items)

    def _add(self, example: RankExample) -> None:
        for id_ in (*example.items, *example.negatives):
            if id_ not in self._numbers:
                detail = f"'{id_}' is not in the catalogue"
                self.problems.append(Problem(example.line, "unknown", detail))
        items = tuple(self._numbers[i] for i in example.items if i in self._numbers)
        negatives = tuple(self._numbers[i] for i in example.negatives if i in self._numbers)
        if items:
            encoding = self.codec.encode(example.text)
            for window in self.codec.windows(encoding):
                self.items.append(RankItem(example.line, encoding, window, items, negatives))

    @cached_property
    def lengths(self) -> Numbers:
        """Units of each window."""
        return np.array([item.window.stop - item.window.first for item in self.items])

    @cached_property
    def _shares(self) -> NDArray[np.float64]:
        """Sums of the shares by which items are drawn, in their order.

        Popularity is the catalogue's where it gives that of every item (0 counts as the least
        above it, so that none is left out); else how many texts name an item, and one more.
        """
        counts = np.ones(len(self.catalogue))
        given = [item.popularity for item in self.catalogue]
        if self.fitting.negatives == "popularity":
            if any(given) and None not in given:
                counts = np.array(given, dtype=np.float64)
                counts = np.maximum(counts, counts[counts > 0].min())
            else:
                for item in self.items:
                    counts[list(item.items)] += 1
        shares = np.cumsum(counts**_POWER)
        return np.asarray(shares / shares[-1])

    # -- batches --------------------------------------------------------------------------

    def order(self, size: int, seed: int, epoch: int) -> Order:
        """The batches of an epoch; the hardest items are looked up anew."""
        drawn = np.random.default_rng([seed, epoch]).permutation(len(self.items))
        self._near = None
        if self.fitting.negatives == "hard" and epoch and self.embed is not None:
            self._near = self._hardest()
        return Order(
            len(drawn), size, [seed, epoch], lambda at: drawn[at], lambda of: self.lengths[of]
        )

    def _hardest(self) -> Numbers:
        """The items nearest to each text, its own among them, (texts, sampled + 1 at most)."""
        assert self.embed is not None
        vectors = self.embed([(item.encoding, item.window) for item in self.items])
        items = self.vectors()
        count = min(self.fitting.sampled + 1, len(items))
        near = np.zeros((len(vectors), count), dtype=np.int64)
        for at in range(0, len(vectors), _BLOCK):
            found = vectors[at : at + _BLOCK] @ items.T
            near[at : at + _BLOCK] = np.argpartition(-found, count - 1, axis=1)[:, :count]
        return near

    def vectors(self) -> Floats:
        """The vectors of all items by the weights as they stand, (items, dim)."""
        assert self.embed is not None
        sums = np.zeros((len(self.catalogue), self.settings.vector_dim), dtype=np.float32)
        if "items" in self.tables:
            sums += self.rows()
        if self.texts:
            sums += self._of_texts()
        return unit_rows(sums)

    def rows(self) -> Floats:
        """What was learned of each item by itself, (items, dim), of length 1."""
        return unit_rows(self.tables["items"].weight.numpy())

    def _of_texts(self) -> Floats:
        """The mean of the vectors of each text's windows, weighted by their units."""
        assert self.embed is not None
        parts = [(e, w) for e, windows in self.texts for w in windows]
        of = np.repeat(np.arange(len(self.texts)), [len(windows) for _, windows in self.texts])
        sizes = np.array([w.stop - w.first for _, w in parts], dtype=np.float32)
        sums = np.zeros((len(self.texts), self.settings.vector_dim), dtype=np.float32)
        np.add.at(sums, of, self.embed(parts) * sizes[:, None])
        return unit_rows(sums)

    def collate(self, items: Sequence[int], seed: Sequence[int]) -> dict[str, Tensor]:
        """Arrays of a batch, the candidates of all its texts, and which are wrong for each."""
        rng = np.random.default_rng(seed)
        batch = [self.items[i] for i in items]
        length = padded(max(item.window.stop - item.window.first for item in batch))
        parts = [(item.encoding, item.window) for item in batch]
        arrays = dict(arrays_of(self.codec, parts, length, self.settings))
        forget_words(arrays, self.fitting.unknown, rng)
        right = np.array([rng.choice(item.items) for item in batch])
        candidates, offsets = self._candidates(items, batch, right, rng)
        place = np.full(len(self.catalogue), -1)
        place[candidates] = np.arange(len(candidates))
        wrong = np.ones((len(batch), len(candidates)), dtype=np.float32)
        for row, item in enumerate(batch):
            known = place[list(item.items)]
            wrong[row, known[known >= 0]] = 0
        arrays |= {"candidates": candidates, "offsets": offsets, "wrong": wrong}
        arrays["own"] = place[right]
        if self.texts:
            arrays |= self._item_arrays(candidates, rng)
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def _candidates(
        self,
        items: Sequence[int],
        batch: Sequence[RankItem],
        right: Numbers,
        rng: np.random.Generator,
    ) -> tuple[Numbers, Floats]:
        """The items of a step, in random order, and the logarithm of how many each stands for."""
        own = np.unique([*right, *(n for item in batch for n in item.negatives)])
        count = len(self.catalogue)
        kind = self.fitting.negatives
        if kind == "batch":
            drawn = own[:0]
        elif self._near is not None:
            drawn = np.unique(self._near[list(items)])
        else:
            places = rng.random(self.fitting.sampled)
            drawn = np.unique(np.minimum(np.searchsorted(self._shares, places), count - 1))
        drawn = np.setdiff1d(drawn, own)
        found = np.concatenate([own, drawn]).astype(np.int64)
        offsets = np.zeros(len(found), dtype=np.float32)
        if len(drawn) and self._near is None:
            # Each stands for 1 / how probably it is among those drawn (Horvitz and Thompson), so
            # that the sum over them is, in the mean, that over all which are not there anyway.
            shares = np.diff(self._shares, prepend=0.0)[drawn]
            probable = -np.expm1(self.fitting.sampled * np.log1p(-np.minimum(shares, 1 - 1e-9)))
            offsets[len(own) :] = -np.log(probable)
        order = rng.permutation(len(found))
        return found[order], offsets[order]

    def _item_arrays(
        self, candidates: Numbers, rng: np.random.Generator
    ) -> dict[str, NDArray[np.generic]]:
        """Arrays of the candidates' texts, of a long one a window at random."""
        parts: list[Part] = []
        for number in candidates.tolist():
            encoding, windows = self.texts[number]
            window = windows[rng.integers(len(windows))] if windows else Window(0, 0)
            parts.append((encoding, window))
        length = padded(max(window.stop - window.first for _, window in parts))
        arrays = arrays_of(self.codec, parts, length, self.settings)
        return {OF_ITEMS + name: array for name, array in arrays.items()}

    def lines(self, items: Sequence[int]) -> list[int]:
        """Line numbers of some texts."""
        return [self.items[i].line for i in items]

    def loss(self, net: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The loss of a batch, by its terms."""
        assert isinstance(net, EmbeddingNet)
        vectors, items = net(batch), self._item_vectors(net, batch)
        with torch.autocast("cpu", enabled=False):
            found = cosines(vectors, items)
            own, wrong, fitting = batch["own"], batch["wrong"], self.fitting
            if fitting.loss == "margin":
                return {"margin": margin_loss(found, own, wrong, fitting.margin)}
            if fitting.loss == "warp":
                count = len(self.catalogue)
                return {"warp": warp_loss(found, own, wrong, fitting.margin, count)}
            offsets = batch["offsets"]
            return {"softmax": softmax_loss(found, own, wrong, fitting.scale, offsets)}

    def _item_vectors(self, net: EmbeddingNet, batch: dict[str, Tensor]) -> Tensor:
        made = []
        if "items" in self.tables:
            made.append(unit(self.tables["items"].rows(batch["candidates"])))
        if self.texts:
            of_items = {
                name.removeprefix(OF_ITEMS): array
                for name, array in batch.items()
                if name.startswith(OF_ITEMS)
            }
            # What has no text has no vector of one, in training as in the folder.
            told = (of_items["units"] > 0).any(1, keepdim=True)
            made.append(unit(net(of_items)) * told)
        return torch.stack(made).sum(0)
