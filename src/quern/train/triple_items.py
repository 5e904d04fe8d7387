"""Training items of triples: windows with their triples, sampled subjects, changed texts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from quern.alignment import (
    AlignedEntity,
    AlignedTriple,
    Label,
    Problem,
    UnitSpan,
    align,
    align_entities,
    in_window,
    outside,
    smallest_reading,
)
from quern.errors import DataError
from quern.priors import Priors, home_of, known_objects, known_subjects
from quern.records import TripleExample
from quern.runtime import padded
from quern.shipped import language
from quern.text import Encoding, TextCodec, Window
from quern.train import frames
from quern.train.batches import forget_words
from quern.train.items import WindowItems
from quern.train.soft import Soft
from quern.train.triples import TripleNet, triple_loss
from quern.triples import (
    Floats,
    TripleFitting,
    entity_targets,
    object_targets,
    span_targets,
    subject_targets,
)


class Item(NamedTuple):
    """One window of one training text.

    Attributes:
        line: of the text in its file.
        encoding: the text.
        window: the part of it.
        triples: those that the window holds, in units of the window.
        entities: likewise.
        absent: weight of "no subject here".
        absent_objects: (labels,), weight of "no object here" under each label.
        home: of the text, whose own triples are no priors of it.
        soft: what a teacher says of it, where there is one.
        trust: what labels weigh beside a teacher where they say yes, and where no.
        decoys: of a text without triples, spans that might be taken for subjects.
    """

    line: int
    encoding: Encoding
    window: Window
    triples: list[AlignedTriple]
    entities: list[AlignedEntity]
    absent: float
    absent_objects: NDArray[np.float32]
    home: int
    soft: Soft | None = None
    trust: tuple[float, float] = (1.0, 1.0)
    decoys: tuple[UnitSpan, ...] = ()


class TripleItems(WindowItems[Item]):
    """The training data of a triple model, as the loop wants it."""

    def __init__(
        self,
        examples: Sequence[TripleExample],
        codec: TextCodec,
        labels: Sequence[Label],
        fitting: TripleFitting,
        spans: bool = False,
        priors: Priors | None = None,
    ) -> None:
        """Align all labels; ``problems`` lists what did not fit.

        Texts are learned from in windows as large as can be; ``reading`` says how much should
        be read at once by the trained model. ``spans`` asks for targets of spans too.

        Raises:
            DataError: frames are wanted, and no triple has names to fill them with.
        """
        self.codec = codec
        self.fitting, self.spans, self.priors = fitting, spans, priors
        self.labels = {label: k for k, label in enumerate(labels)}
        types = sorted({entity.type or "" for e in examples for entity in e.entities})
        self.types = {name: k for k, name in enumerate(types)}
        self.items: list[Item] = []
        self.problems: list[Problem] = []
        placed = [self._add(example) for example in examples]
        self.reading = fitting.reading or smallest_reading(placed, codec)
        self._ends = self._by_label()
        self._sure = np.ones(len(self.labels), dtype=np.float32)
        self._naming = [item for item in self.items if self._named(item)] if fitting.frames else []
        if fitting.frames and not self._naming:
            raise DataError(
                "frames are filled with the names in labelled triples, and there are none; give "
                "labelled lines, or leave frames out"
            )

    def _add(self, example: TripleExample) -> tuple[Encoding, list[AlignedTriple]]:
        encoding = self.codec.encode(example.text)
        windows = self.windows(encoding)
        triples, problems = align(example, encoding, self.codec, self.fitting.occurrence)
        self.problems += problems + outside(example, triples, windows)
        entities, problems = align_entities(example, encoding, self.codec)
        self.problems += problems
        absent, absent_objects = self._absent(example)
        home = home_of(example.text)
        for window in windows:
            held, first = in_window(triples, window), window.first
            named = [
                AlignedEntity((a - first, b - first), kind)
                for (a, b), kind in entities
                if first <= a and b < window.stop
            ]
            self.items.append(
                Item(example.line, encoding, window, held, named, absent, absent_objects, home)
            )
        return encoding, triples

    def windows(self, encoding: Encoding) -> list[Window]:
        """The parts of a text that are learned from."""
        return self.codec.windows(encoding)

    def _absent(self, example: TripleExample) -> tuple[float, NDArray[np.float32]]:
        """What it weighs that something is not labelled: nothing where it was not looked for."""
        weight = 1.0 if example.complete else self.fitting.absent_weight
        objects = np.full(len(self.labels), weight, dtype=np.float32)
        if example.predicates is None:
            return weight, objects
        sought = set(example.predicates)
        objects[[k for label, k in self.labels.items() if label.predicate not in sought]] = 0
        return self.fitting.absent_weight, objects

    def collate(self, items: Sequence[int], seed: Sequence[int]) -> dict[str, Tensor]:
        """Arrays of a batch, with one sampled subject for each text."""
        rng = np.random.default_rng(seed)
        batch = [self._framed(self._augmented(self._item(i), rng), rng) for i in items]
        length = padded(max(item.window.stop - item.window.first for item in batch))
        arrays: dict[str, np.ndarray] = dict(
            self.codec.arrays([(item.encoding, item.window) for item in batch], length)
        )
        if self.types:
            arrays["entities"] = np.stack(
                [entity_targets(item.entities, self.types, length) for item in batch]
            )
            named = [float(bool(item.entities)) for item in batch]
            arrays["named"] = np.array(named, dtype=np.float32)
        forget_words(arrays, self.fitting.unknown, rng)
        subjects = [self._subject(item, rng) for item in batch]
        arrays["start"] = np.array([s for s, _ in subjects], dtype=np.int64)
        arrays["end"] = np.array([e for _, e in subjects], dtype=np.int64)
        targets = [
            self._targets(item, subject, length)
            for item, subject in zip(batch, subjects, strict=True)
        ]
        for name in targets[0]:
            arrays[name] = np.stack([of_item[name] for of_item in targets])
        if self.priors is not None:
            finds = (self.priors.find(i.encoding, [i.window], i.home) for i in batch)
            known = [found for (found,) in finds]
            pairs = list(zip(known, subjects, strict=True))
            arrays["known"] = known_subjects(known, length)
            arrays["known_objects"] = known_objects(pairs, len(self.labels), length)
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def _item(self, index: int) -> Item:
        return self.items[index]

    def _targets(self, item: Item, subject: UnitSpan, length: int) -> dict[str, Floats]:
        """What the network should say of an item and one subject, as ``triple_loss`` wants it."""
        targets = {
            "subjects": subject_targets(item.triples, length),
            "objects": object_targets(item.triples, subject, self.labels, length),
            "absent": np.array(item.absent, dtype=np.float32),
            "absent_objects": item.absent_objects,
        }
        if self.spans:
            targets["spans"] = span_targets(item.triples, length)
        return targets

    def loss(self, net: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The loss of a batch, by its terms."""
        assert isinstance(net, TripleNet)
        return triple_loss(net, batch)

    def _subject(self, item: Item, rng: np.random.Generator) -> UnitSpan:
        """Draw a start, then an end at or after it, so that wrong pairs are seen too."""
        if item.decoys:
            return item.decoys[rng.integers(len(item.decoys))]
        starts = sorted({t.subject[0] for t in item.triples})
        if not starts:
            # A text without triples teaches that nothing follows from a span drawn at random.
            start = int(rng.integers(item.window.stop - item.window.first))
            reach = min(start + 4, item.window.stop - item.window.first - 1)
            return start, int(rng.integers(start, reach + 1))
        start = starts[rng.integers(len(starts))]
        ends = sorted({t.subject[1] for t in item.triples if t.subject[1] >= start})
        return start, ends[rng.integers(len(ends))]

    # -- augmentation -----------------------------------------------------------------

    def _by_label(self) -> dict[tuple[Label, bool], list[str]]:
        ends: dict[tuple[Label, bool], dict[str, None]] = defaultdict(dict)
        for item in self.items:
            for triple in item.triples:
                for is_subject, (a, b) in ((True, triple.subject), (False, triple.object)):
                    first = item.window.first
                    span = self.codec.span(item.encoding, first + a, first + b)
                    ends[triple.label, is_subject][span.text] = None
        return {key: list(texts) for key, texts in ends.items()}

    def _augmented(self, item: Item, rng: np.random.Generator) -> Item:
        """With probability ``augment``, put another end of the same label in place of one."""
        if not item.triples or rng.random() >= self.fitting.augment:
            return item
        triple = item.triples[rng.integers(len(item.triples))]
        is_subject = bool(rng.integers(2))
        a, b = triple.subject if is_subject else triple.object
        choices = self._ends[triple.label, is_subject]
        text = choices[rng.integers(len(choices))]
        return self._replaced(item, (a, b), text) or item

    def _replaced(self, item: Item, place: UnitSpan, text: str) -> Item | None:
        """``item`` with ``text`` at ``place``; None where that cannot be done cleanly."""
        a, b = place
        first, stop = item.window
        window = self.codec.span(item.encoding, first, stop - 1)
        span = self.codec.span(item.encoding, first + a, first + b)
        before = window.text[: span.start - window.start]
        after = window.text[span.end - window.start :]
        encoding = self.codec.encode(before + text + after)
        grown = encoding.length - (stop - first)
        spans = [s for t in item.triples for s in (t.subject, t.object)]
        spans += [entity.span for entity in item.entities]
        clean = all(s == place or s[1] < a or s[0] > b for s in spans)
        new = self.codec.locate(encoding, len(before), len(before) + len(text))
        if not clean or new != (a, b + grown) or encoding.length > self.codec.rules.window:
            return None

        def moved(span: UnitSpan) -> UnitSpan:
            if span == place:
                return a, b + grown
            return (span[0] + grown, span[1] + grown) if span[0] > b else span

        triples = [AlignedTriple(moved(s), label, moved(o)) for s, label, o in item.triples]
        entities = [AlignedEntity(moved(span), kind) for span, kind in item.entities]
        return item._replace(
            encoding=encoding,
            window=Window(0, encoding.length),
            triples=triples,
            entities=entities,
        )

    def _framed(self, item: Item, rng: np.random.Generator) -> Item:
        """With probability ``frames``, a frame with the ends of one of the item's triples.

        Where it has none, those of any triple of the training data.
        """
        if not self.fitting.frames or rng.random() >= self.fitting.frames:
            return item
        source, named = item, self._named(item)
        if not named:
            source = self._naming[rng.integers(len(self._naming))]
            named = self._named(source)
        triple, ends = named[rng.integers(len(named))]
        spoken = language(source.encoding.text)
        filled = frames.draw(spoken, ends, triple.label.predicate, rng)
        return self._filled(item.line, source, triple, filled) or item

    def _named(self, item: Item) -> list[tuple[AlignedTriple, tuple[frames.End, frames.End]]]:
        """The triples whose ends can stand in another sentence, with these ends."""
        named = []
        for triple in item.triples:
            subject, object_ = (self._end(item, span) for span in (triple.subject, triple.object))
            if not (subject.is_pronoun or object_.is_pronoun):
                named.append((triple, (subject, object_)))
        return named

    def _end(self, item: Item, span: UnitSpan) -> frames.End:
        first = item.window.first
        place = self.codec.span(item.encoding, first + span[0], first + span[1])
        return frames.End.of(item.encoding.text, place.start, place.end)

    def _filled(
        self, line: int, source: Item, triple: AlignedTriple, filled: frames.Filled
    ) -> Item | None:
        """A filled frame in place of what stands on a line; None where it cannot be done cleanly.

        All of it is known: what it does not state is absent, whatever is not labelled elsewhere.
        What is known of its ends counts as it does when a new text is read.
        """
        encoding = self.codec.encode(filled.text)
        subject = self.codec.locate(encoding, *filled.subject)
        object_ = self.codec.locate(encoding, *filled.object)
        if subject is None or object_ is None or encoding.length > self.codec.rules.window:
            return None
        named = [
            [AlignedEntity(new, kind) for span, kind in source.entities if span == old]
            for old, new in ((triple.subject, subject), (triple.object, object_))
        ]
        return Item(
            line=line,
            encoding=encoding,
            window=Window(0, encoding.length),
            triples=[AlignedTriple(subject, triple.label, object_)] if filled.states else [],
            entities=[*named[0], *named[1]] if all(named) else [],
            absent=1.0,
            absent_objects=self._sure,
            home=home_of(filled.text),
            decoys=() if filled.states else (subject, object_),
        )
