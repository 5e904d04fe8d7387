"""Training items of choices: windows with their mentions, and the candidates of each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from quern.alignment import Problem, standing_mentions
from quern.links import EntityFitting, EntitySettings, Options
from quern.links.described import described
from quern.links.pairs import (
    Context,
    Described,
    Floats,
    Pair,
    contexts,
    match_arrays,
    object_marks,
    objects_in,
    read_described,
)
from quern.records import Entity, LabelledMention, LinkExample, ids_of
from quern.runtime import padded
from quern.text import Encoding, TextCodec, Window
from quern.train.batches import forget_words
from quern.train.entities import EntityNet, entity_loss
from quern.train.items import WindowItems


class Question(NamedTuple):
    """A mention with its candidates.

    Attributes:
        context: the mention in its text.
        entities: numbers of the candidates' descriptions.
        objects: of each candidate, see ``pairs.Pair``.
        scalars: of each candidate, (candidates, ``SCALARS``).
        right: which candidate is meant; None for NIL, and where it is none of them.
    """

    context: Context
    entities: list[int]
    objects: list[Floats]
    scalars: Floats
    right: int | None


class EntityItem(NamedTuple):
    """One window of one training text.

    Attributes:
        line: of the text in its file.
        encoding: the text.
        window: the part of it.
        questions: its mentions that have candidates.
    """

    line: int
    encoding: Encoding
    window: Window
    questions: list[Question]


class Descriptions:
    """What is read of entities, each once."""

    def __init__(self, codec: TextCodec, limit: int) -> None:
        """Read ``limit`` units of each."""
        self._codec, self._limit = codec, limit
        self._numbers: dict[str, int] = {}
        self.read: list[Described] = []

    def number(self, entity: Entity) -> int:
        """The place of an entity in ``read``."""
        if entity.id not in self._numbers:
            self._numbers[entity.id] = len(self.read)
            self.read.append(read_described(self._codec, described(entity), self._limit))
        return self._numbers[entity.id]


class EntityItems(WindowItems[EntityItem]):
    """The training data of a choosing model, as the loop wants it.

    Attributes:
        descriptions: of all candidates.
    """

    def __init__(
        self,
        examples: Sequence[LinkExample],
        options: Iterable[Sequence[Options]],
        codec: TextCodec,
        settings: EntitySettings,
        fitting: EntityFitting,
    ) -> None:
        """Put mentions and candidates together.

        Args:
            examples: labelled texts.
            options: for each text, for each of its ``standing_mentions``, what it may mean.
            codec: what reads them.
            settings: of the network.
            fitting: how labels are read.
        """
        self.codec, self.settings, self.fitting = codec, settings, fitting
        self.descriptions = Descriptions(codec, settings.described)
        self.items: list[EntityItem] = []
        self.problems: list[Problem] = []
        for example, of_text in zip(examples, options, strict=True):
            mentions, problems = standing_mentions(example)
            self.problems += problems
            self._add(example, mentions, of_text)

    def _add(
        self, example: LinkExample, mentions: Sequence[LabelledMention], options: Sequence[Options]
    ) -> None:
        encoding = self.codec.encode(example.text)
        places = [mention.place for mention in mentions]
        around = contexts(self.codec, encoding, places, self.settings.context)
        windows: dict[Window, list[Question]] = {}
        for mention, context, option in zip(mentions, around, options, strict=True):
            if not option.proposals:
                continue  # NIL it is, whatever the network says
            wanted = ids_of(mention.kb_id)
            entities = [proposal.entity for proposal in option.proposals]
            right = [n for n, entity in enumerate(entities) if ids_of(entity.id) == wanted]
            spans = [objects_in(encoding, self.codec, entity.facts) for entity in entities]
            question = Question(
                context,
                [self.descriptions.number(entity) for entity in entities],
                [object_marks(context, each) for each in spans],
                option.scalars,
                right[0] if right else None,
            )
            windows.setdefault(context.window, []).append(question)
        self.items += [EntityItem(example.line, encoding, *each) for each in windows.items()]

    @property
    def questions(self) -> list[Question]:
        """Those of all windows."""
        return [question for item in self.items for question in item.questions]

    def collate(self, items: Sequence[int], seed: Sequence[int]) -> dict[str, Tensor]:
        """Arrays of a batch, see ``entity_loss``."""
        rng = np.random.default_rng(seed)
        batch = [self.items[i] for i in items]
        pairs: list[Pair] = []
        of: list[tuple[int, int, int, int, float]] = []
        target: list[int] = []
        for window, item in enumerate(batch):
            for question in item.questions:
                drawn, odds = _drawn(question, self.fitting.wrong, rng)
                row = len(target)
                target.append(0 if question.right is None else 1 + drawn.index(question.right))
                for column, n in enumerate(drawn, 1):
                    entity = question.entities[n]
                    read = self.descriptions.read[entity]
                    marks, told = question.objects[n], question.scalars[n]
                    pairs.append(Pair(question.context, read, marks, told))
                    of.append((window, entity, row, column, 0 if n == question.right else odds))
        windows, entities, rows, columns, odds_ = map(np.array, zip(*of, strict=True))
        numbers, which = np.unique(entities, return_inverse=True)
        parts = [(item.encoding, item.window) for item in batch]
        read_ = [self.descriptions.read[n] for n in numbers]
        of_entities = [(each.encoding, each.window) for each in read_]
        length = padded(max(len(pair.context.place) for pair in pairs))
        arrays = {
            **self._arrays("text.", parts, rng),
            **self._arrays("described.", of_entities, rng),
            **match_arrays(pairs, length, padded(max(each.length for each in read_))),
            "at": _places(pairs, length),
            "window": windows,
            "entity": which,
            "row": rows,
            "column": columns,
            "odds": odds_.astype(np.float32),
            "target": np.array(target),
        }
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def _arrays(
        self, prefix: str, parts: Sequence[tuple[Encoding, Window]], rng: np.random.Generator
    ) -> dict[str, np.ndarray]:
        length = padded(max(window.stop - window.first for _, window in parts))
        arrays = self.codec.arrays(parts, length)
        forget_words(arrays, self.fitting.unknown, rng)
        return {prefix + name: array for name, array in arrays.items()}

    def loss(self, net: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The loss of a batch, by its terms."""
        assert isinstance(net, EntityNet)
        return entity_loss(net, batch)


def _drawn(question: Question, wrong: int, rng: np.random.Generator) -> tuple[list[int], float]:
    """The right candidate and some wrong ones, and what to add to the logits of these.

    Each stands for several, as the logarithm of how many says (Bengio and Senécal, "Adaptive
    Importance Sampling", 2008).
    """
    count = len(question.entities)
    others = [n for n in range(count) if n != question.right]
    if len(others) <= wrong:
        return list(range(count)), 0.0
    drawn = rng.choice(others, wrong, replace=False).tolist()
    kept = drawn if question.right is None else [*drawn, question.right]
    return sorted(kept), math.log(len(others) / wrong)


def _places(pairs: Sequence[Pair], length: int) -> np.ndarray:
    """Which units of their windows the contexts are, (pairs, length); 0 pads."""
    at = np.zeros((len(pairs), length), dtype=np.int64)
    for i, (context, _, _, _) in enumerate(pairs):
        first = context.first - context.window.first
        units = len(context.place)
        at[i, :units] = np.arange(first, first + units)
    return at
