"""Training items of a student: windows of texts, with what labels and a teacher say of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from quern.alignment import Label, UnitSpan
from quern.errors import TrainingError
from quern.priors import Priors, home_of
from quern.records import TripleExample
from quern.text import Encoding, TextCodec, Window
from quern.train.batches import Places
from quern.train.soft import LIKELY, Soft, SoftTargets, dense
from quern.train.triple_items import Item, TripleItems
from quern.triples import Floats, TripleFitting, subject_targets


class SoftItems(TripleItems):
    """Labelled texts, then texts without labels, in the windows that the teacher read.

    Where a line's labels are complete, targets are ``trust`` parts of the labels and the rest of
    the teacher. Elsewhere what is labelled is true, and of all else the teacher speaks.
    """

    def __init__(
        self,
        examples: Sequence[TripleExample],
        codec: TextCodec,
        labels: Sequence[Label],
        reading: int | None,
        fitting: TripleFitting,
        trust: float,
        spans: bool = False,
        priors: Priors | None = None,
    ) -> None:
        """Align the labels; what the teacher says comes later, through ``listen``.

        Args:
            examples: the labelled texts.
            codec: the student's.
            labels: the teacher's, in its order.
            reading: the teacher's.
            fitting: how labels are read.
            trust: weight of complete labels, from 0 to 1.
            spans: ask for targets of spans too.
            priors: what the student knows, if it is to know anything.
        """
        self._reading, self._trust = reading, trust
        self._texts = len(examples)
        self._last_line = max((example.line for example in examples), default=0)
        self._soft: SoftTargets | None = None
        super().__init__(examples, codec, labels, fitting, spans, priors)
        self.reading = reading

    def listen(self, soft: SoftTargets) -> None:
        """Take what the teacher says of the labelled texts, and then of others.

        Raises:
            TrainingError: it read other windows of the labelled texts.
        """
        units = [item.window.stop - item.window.first for item in self.items]
        if soft.lengths[: len(units)].tolist() != units:
            raise _otherwise(soft, "the labelled texts")
        self._soft = soft

    @property
    def soft(self) -> SoftTargets:
        """What the teacher says.

        Raises:
            TrainingError: nothing yet.
        """
        if self._soft is None:
            raise TrainingError("the teacher has not read the texts yet; let it read them first")
        return self._soft

    @property
    def raw(self) -> tuple[int, int]:
        """Texts without labels in which the teacher holds a subject likely, and in which not."""
        return self.soft.told(self._texts)

    def __len__(self) -> int:
        """Windows."""
        return len(self.soft)

    def windows(self, encoding: Encoding) -> list[Window]:
        """The parts of a text that are learned from: as the teacher read them."""
        return self.codec.windows(encoding, self._reading)

    def lengths(self, items: Places) -> NDArray[np.integer]:
        """Units of some items."""
        return self.soft.lengths[items]

    def lines(self, items: Sequence[int]) -> list[int]:
        """Line numbers of some items; texts without labels are counted on after the last line."""
        return [
            self.items[i].line
            if i < len(self.items)
            else self._last_line + 1 + int(self.soft.texts[i]) - self._texts
            for i in items
        ]

    def _item(self, index: int) -> Item:
        soft = self.soft[index]
        if index < len(self.items):
            item = self.items[index]
            complete = item.absent == 1 and bool((item.absent_objects == 1).all())
            trust = (self._trust, self._trust) if complete else (1.0, 0.0)
            return item._replace(soft=soft, trust=trust)
        encoding = self.codec.encode(soft.text)
        if encoding.length != soft.before + soft.units:
            raise _otherwise(self.soft, f"'{soft.text[:40]}'")
        return Item(
            line=self.lines([index])[0],
            encoding=encoding,
            window=Window(soft.before, encoding.length),
            triples=[],
            entities=[],
            absent=1.0,
            absent_objects=self._sure,
            home=home_of(soft.text),
            soft=soft,
            trust=(1.0, 0.0),
        )

    def _augmented(self, item: Item, rng: np.random.Generator) -> Item:
        new = super()._augmented(item, rng)
        return new if new is item else new._replace(soft=None)  # the teacher has not read it

    def _targets(self, item: Item, subject: UnitSpan, length: int) -> dict[str, Floats]:
        targets = super()._targets(item, subject, length)
        soft = item.soft
        if soft is None:
            return targets
        said = {"subjects": dense(soft.marks, length, 2)}
        if self.spans:
            said["spans"] = dense(soft.spans, length, length)
        if subject in soft.objects:
            objects = dense(soft.objects[subject], length, 2 * len(self.labels))
            said["objects"] = objects.reshape(length, -1, 2)
            targets["absent_objects"] = self._sure
        # Of any other subject the teacher was not asked: it is not likely to be one. So no
        # objects are known but those that are labelled.
        targets["absent"] = np.array(1, dtype=np.float32)
        mixed = {name: _mixed(targets[name], array, item.trust) for name, array in said.items()}
        return targets | mixed

    def _subject(self, item: Item, rng: np.random.Generator) -> UnitSpan:
        """Draw a start, then an end at or after it, both in proportion to their targets."""
        if item.soft is None:
            return super()._subject(item, rng)
        marks = self._marks(item, item.soft)
        last = np.nonzero(marks[:, 1])[0][-1:]
        starts = marks[: last[0] + 1, 0] if len(last) else marks[:0, 0]
        if not starts.any():
            return super()._subject(item._replace(triples=[]), rng)
        start = _drawn(starts, rng)
        return start, start + _drawn(marks[start:, 1], rng)

    def _marks(self, item: Item, soft: Soft) -> Floats:
        hard = subject_targets(item.triples, soft.units)
        marks = _mixed(hard, dense(soft.marks, soft.units, 2), item.trust)
        return np.where(marks >= LIKELY, marks, 0)


def _otherwise(soft: SoftTargets, what: str) -> TrainingError:
    return TrainingError(
        f"{soft.path}: the teacher read {what} in other units or windows than the student does; "
        "delete this folder, so that it reads them anew"
    )


def _mixed(hard: Floats, soft: Floats, trust: tuple[float, float]) -> Floats:
    """Targets between labels and teacher; ``trust`` weighs labels that say yes, and no."""
    weight: Floats = np.where(hard > 0, *trust).astype(np.float32)
    mixed: Floats = weight * hard + (1 - weight) * soft
    return mixed


def _drawn(weights: Floats, rng: np.random.Generator) -> int:
    """An index in proportion to its weight."""
    sums = np.cumsum(weights, dtype=np.float64)
    return int(np.searchsorted(sums, rng.random() * sums[-1], side="right"))
