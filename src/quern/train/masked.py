"""Masked units: a network that guesses hidden units of raw text, and so learns to read it.

After Devlin et al., "BERT" (2019), with spans of one to four units hidden as in Joshi et al.,
"SpanBERT" (2020); the candidates are sampled as in Jean et al., "On Using Very Large Target
Vocabulary for Neural Machine Translation" (2015).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from quern.errors import TrainingError
from quern.runtime import padded
from quern.text import PAD, UNKNOWN, TextCodec
from quern.train.batches import Order, Places, permuted
from quern.train.encoders import EncoderSettings
from quern.train.layers import Linear
from quern.train.raw import RawCorpus

HIDDEN = 0.15  # share of the units
SPAN = 4  # units hidden together, at most
SAMPLED = 2048  # wrong candidates a step, shared by all hidden units
HELD_OUT = 2000  # pieces, at most, and one in twenty
# Hidden units of a batch are padded to a multiple of this. For every shape that it meets, oneDNN
# compiles matrix products and keeps them; with counts that hardly repeat, that was gigabytes.
_MULTIPLE = 256


class MaskedNet(nn.Module):
    """The encoder, and candidates scored by the very vectors that they have as inputs."""

    def __init__(self, settings: EncoderSettings, codec: TextCodec) -> None:
        """Sized by the codec's vocabulary."""
        super().__init__()
        self.encoder = settings.build(codec)
        self.guess = Linear(settings.dim, settings.dim)
        self.bias = nn.Parameter(torch.zeros(len(codec.vocabulary)))

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """A batch of B pieces of T units → (K, dim), a guess at each of its ``places``."""
        hidden, _ = self.encoder(batch)
        return F.gelu(self.guess(hidden.flatten(0, 1).index_select(0, batch["places"]))).float()

    def score(self, guesses: Tensor, candidates: Tensor | None = None) -> Tensor:
        """(K, dim) → logits of some candidates, or of the whole vocabulary."""
        vectors = self.encoder.embedding.unit.weight
        if candidates is None:
            return guesses @ vectors.t() + self.bias
        return guesses @ F.embedding(candidates, vectors).t() + self.bias[candidates]


def masked_loss(net: MaskedNet, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Cross entropy of the hidden units among themselves and the sampled ones.

    Args:
        net: the network.
        batch: inputs; ``places`` and ``targets`` (K,) of the hidden units, padded by targets
            of ``PAD``, which do not count; ``sampled`` (S,) with ``frequent`` (V,), the
            logarithm of how often each unit is expected there.
    """
    guesses = net(batch)
    targets, sampled, frequent = batch["targets"], batch["sampled"], batch["frequent"]
    right = (guesses * F.embedding(targets, net.encoder.embedding.unit.weight)).sum(-1)
    right = right + net.bias[targets] - frequent[targets]
    wrong = net.score(guesses, sampled) - frequent[sampled]
    wrong = wrong.masked_fill(targets.unsqueeze(1) == sampled, -1e4)
    logits = torch.cat([right.unsqueeze(1), wrong], dim=1)
    real = targets != PAD
    return {"masked": (logits.logsumexp(1) - right)[real].mean()}


class MaskedItems:
    """Pieces of raw text with hidden units, as the loop wants them.

    An epoch of the loop is a part of the corpus: ``parts`` of them read it once. Which piece
    is read where is computed when it is asked for, so that memory does not grow with the corpus.

    Attributes:
        held_out: pieces to score by; they come first in the order that ``seed`` draws, and
            all behind them are trained on.
    """

    def __init__(self, corpus: RawCorpus, codec: TextCodec, parts: int, seed: int) -> None:
        """``seed`` decides which pieces are held out.

        Raises:
            TrainingError: the codec knows words; those around a hidden unit would tell it.
        """
        if codec.words:
            raise TrainingError(
                "an encoder with word vectors cannot be pre-trained: the words around a hidden "
                "unit would tell it; pre-train without, and train triples with --vectors"
            )
        self._corpus, self._codec, self._parts, self._seed = corpus, codec, parts, seed
        self._table = corpus.table(codec)
        held = min(HELD_OUT, max(1, len(corpus.ends) // 20))
        self._trained = len(corpus.ends) - held  # pieces
        self.held_out = self._drawn(np.arange(held))
        ranks = np.arange(len(codec.vocabulary))
        chance = np.log1p(1 / (ranks + 1)) / np.log(len(ranks) + 1)  # log-uniform, by rank
        self._chance = np.cumsum(chance / chance.sum())
        self._frequent = torch.from_numpy(np.log(chance / chance.sum() * SAMPLED)).float()

    def order(self, size: int, seed: int, epoch: int) -> Order:
        """The batches of one epoch: a part of the corpus, which a pass over it has shuffled."""
        turn, part = divmod(epoch, self._parts)

        def drawn(places: Places) -> Places:
            shuffled = permuted(part + places * self._parts, self._trained, [seed, turn])
            return self._drawn(len(self.held_out) + shuffled)

        count = len(range(part, self._trained, self._parts))
        return Order(count, size, [seed, epoch, 1], drawn, self._corpus.lengths)

    def _drawn(self, places: Places) -> Places:
        return permuted(places, len(self._corpus.ends), [self._seed, 0])

    def lines(self, items: Sequence[int]) -> list[int]:
        """Pieces have no line numbers; their own stand for them."""
        return list(items)

    def collate(self, items: Sequence[int], seed: Sequence[int]) -> dict[str, Tensor]:
        """The batch of some pieces, with units hidden and candidates sampled by ``seed``."""
        rng = np.random.default_rng(seed)
        pieces = [self._corpus.piece(i) for i in items]
        length = padded(max(map(len, pieces)))
        features = np.zeros((len(pieces), length, self._table.shape[1]), dtype=np.int32)
        hidden = np.zeros((len(pieces), length), dtype=bool)
        for row, piece in enumerate(pieces):
            features[row, : len(piece)] = self._table[piece >> 1]
            features[row, : len(piece), 1] += piece & 1
            hidden[row, : len(piece)] = hide(len(piece), rng)
        targets = features[..., 0][hidden]
        known = targets > UNKNOWN
        room = (0, -known.sum() % _MULTIPLE)
        features[hidden] = 0
        features[..., 0][hidden] = UNKNOWN
        sampled = np.searchsorted(self._chance, rng.random(SAMPLED))
        arrays = {
            "units": features[..., 0],
            "shapes": features[..., 1],
            "grams": features[..., 2:],
            "places": np.pad(np.flatnonzero(hidden)[known], room),
            "targets": np.pad(targets[known].astype(np.int64), room, constant_values=PAD),
            "sampled": np.minimum(sampled, len(self._chance) - 1),
        }
        batch = {n: torch.from_numpy(np.ascontiguousarray(a)) for n, a in arrays.items()}
        return {**batch, "frequent": self._frequent}

    def loss(self, net: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The loss of a batch."""
        assert isinstance(net, MaskedNet)
        return masked_loss(net, batch)


def hide(length: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which of so many units to hide: spans at random, about ``HIDDEN`` of all, one at least."""
    hidden = np.zeros(length, dtype=bool)
    while hidden.sum() < max(1, int(HIDDEN * length)):
        size = int(rng.integers(1, SPAN + 1))
        first = int(rng.integers(length))
        hidden[first : first + size] = True
    return hidden


@torch.no_grad()
def guessed(net: MaskedNet, items: MaskedItems, batch_size: int) -> dict[str, float]:
    """How well hidden units of the held-out pieces are guessed, among the whole vocabulary.

    Returns:
        ``accuracy``, the share guessed right, and ``loss``, the mean cross entropy in nats.
    """
    net.eval()
    right = count = 0
    loss = 0.0
    for at in range(0, len(items.held_out), batch_size):
        batch = items.collate(items.held_out[at : at + batch_size].tolist(), [0, at])
        logits, targets = net.score(net(batch)), batch["targets"]
        real = targets != PAD
        right += int((logits.argmax(1) == targets)[real].sum())
        loss += float(F.cross_entropy(logits, targets, reduction="sum", ignore_index=PAD))
        count += int(real.sum())
    return {"accuracy": right / max(1, count), "loss": loss / max(1, count)}
