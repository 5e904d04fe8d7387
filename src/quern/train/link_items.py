"""Training items of mentions: windows with their mentions and what names say of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from quern.alignment import Problem, UnitSpan, align_mentions, mentions_outside, usual_reading
from quern.links import (
    Dictionary,
    LinkFitting,
    mention_span_targets,
    mention_targets,
    name_marks,
)
from quern.links.dictionary import Floats
from quern.records import LinkExample
from quern.runtime import padded
from quern.text import Encoding, TextCodec, Window
from quern.train.batches import forget_words
from quern.train.items import WindowItems
from quern.train.links import MentionNet, mention_loss

_AT_ONCE = 1000  # texts in which names are looked up together


class LinkItem(NamedTuple):
    """One window of one training text.

    Attributes:
        line: of the text in its file.
        encoding: the text.
        window: the part of it.
        mentions: those that the window holds, in units of the window.
        names: what names say of the whole text, as ``Dictionary.features`` gives it.
    """

    line: int
    encoding: Encoding
    window: Window
    mentions: list[UnitSpan]
    names: Floats | None


class LinkItems(WindowItems[LinkItem]):
    """The training data of a mention model, as the loop wants it."""

    def __init__(
        self,
        examples: Sequence[LinkExample],
        codec: TextCodec,
        fitting: LinkFitting,
        spans: bool,
        names: Dictionary | None,
    ) -> None:
        """Align all labels and look names up; ``problems`` lists what did not fit.

        Texts are learned from in windows as large as can be; ``reading`` says how much should
        be read at once by the trained model.

        Args:
            examples: labelled texts.
            codec: what reads them.
            fitting: how labels are read.
            spans: whether targets of spans are wanted, too.
            names: learned from these very texts; a text is not told what it alone adds.
        """
        self.codec, self.fitting, self.spans, self.names = codec, fitting, spans, names
        self.items: list[LinkItem] = []
        self.problems: list[Problem] = []
        self._lengths: list[int] = []
        for at in range(0, len(examples), _AT_ONCE):
            self._add(examples[at : at + _AT_ONCE])
        self.reading = fitting.reading or usual_reading(self._lengths, codec)

    def _add(self, examples: Sequence[LinkExample]) -> None:
        encodings = [self.codec.encode(example.text) for example in examples]
        told: list[Floats | None] = [None] * len(examples)
        if self.names is not None:
            told = list(self.names.features(encodings, self.codec, examples))
        for example, encoding, names in zip(examples, encodings, told, strict=True):
            self._lengths.append(encoding.length)
            windows = self.codec.windows(encoding)
            spans, problems = align_mentions(example, encoding, self.codec)
            self.problems += problems + mentions_outside(example, spans, windows)
            for window in windows:
                held = [
                    (a - window.first, b - window.first)
                    for a, b in spans
                    if window.first <= a and b < window.stop
                ]
                self.items.append(LinkItem(example.line, encoding, window, held, names))

    def collate(self, items: Sequence[int], seed: Sequence[int]) -> dict[str, Tensor]:
        """Arrays of a batch."""
        rng = np.random.default_rng(seed)
        batch = [self.items[i] for i in items]
        length = padded(max(item.window.stop - item.window.first for item in batch))
        arrays = self.codec.arrays([(item.encoding, item.window) for item in batch], length)
        forget_words(arrays, self.fitting.unknown, rng)
        wanted: dict[str, NDArray[np.generic]] = {
            **arrays,
            "marks": np.stack([mention_targets(item.mentions, length) for item in batch]),
        }
        if self.spans:
            targets = [mention_span_targets(item.mentions, length) for item in batch]
            wanted["target_spans"] = np.stack(targets)
        if self.names is not None:
            rows = [(item.names, item.window) for item in batch if item.names is not None]
            wanted["names"] = name_marks(rows, length)
        return {name: torch.from_numpy(array) for name, array in wanted.items()}

    def loss(self, net: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The loss of a batch, by its terms."""
        assert isinstance(net, MentionNet)
        return mention_loss(net, batch)
