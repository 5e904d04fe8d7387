"""Texts with items of a catalogue as training sees them: what fits, what is odd."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from quern.data import BadLine
from quern.doctor.findings import Finding, Kind, Place, findings
from quern.doctor.lengths import lengths_of
from quern.doctor.report import Lengths
from quern.records import Item, RankExample
from quern.text import CodecRules, TextCodec, Vocabulary, normalise

_BLOCK = 65_536  # vectors looked at at once

# In the order of the report.
RANK_KINDS: Mapping[str, Kind] = {
    "bad": Kind(
        "lines that cannot be read",
        "mend them; docs/ranks.md shows what a line has",
        stops=("train", "dev", "catalogue"),
    ),
    "repeated": Kind(
        "ids that stand twice in the catalogue",
        "keep one of the lines: an item has one vector",
        stops=("catalogue",),
    ),
    "few": Kind(
        "files with too little in them",
        "give a catalogue of two items at least, and texts with items of it",
        stops=("train", "dev", "catalogue"),
    ),
    "unknown": Kind(
        "labels that name an item the catalogue lacks",
        "add the items, or mend the ids; or train without these labels: --allow unknown",
        dev="add the items, or mend the ids; as it is, these labels count in no score",
        stops=("train",),
    ),
    "contradiction": Kind(
        "texts that stand in several lines with different items",
        "give one line all the items: as it is, an item that is right in one line may be drawn as "
        "a wrong one in the other",
    ),
    "duplicate": Kind(
        "texts that stand twice with the same items",
        "keep one of the lines, unless the text should weigh more",
    ),
    "overlap": Kind(
        "dev texts that stand in train as well",
        "take them out of one of the two: a score on texts already seen is too high",
    ),
    "unseen": Kind(
        "items of dev that no text of train names",
        "name them in train; with items=free nothing can be learned of them, else only their text "
        "tells what they are",
    ),
    "unnamed": Kind(
        "items that no text of train names",
        "nothing, if their text tells what they are (items=text, items=both); with items=free they "
        "are only learned as what no text is about",
    ),
    "bare": Kind(
        "items without a text",
        "give them one, or train with items=free: of an empty text no vector can be made, and with "
        "items=text they are never found",
    ),
    "twins": Kind(
        "items with the text of another",
        "make them one item, or say in their texts what tells them apart: with items=text their "
        "vectors are the same",
    ),
    "nan": Kind(
        "vectors with a number that is not finite",
        "make them anew: one such row makes every score it takes part in NaN, and then the weights",
        stops=("vectors",),
    ),
    "zero": Kind(
        "vectors that are all zero",
        "nothing, if padding or unknown words have them; the plain cosine of such a row is 0 / 0, "
        "quern's is 0, and no text finds it",
    ),
    "same": Kind(
        "vectors that stand twice",
        "look whether their items are the same: cosines cannot tell them apart",
    ),
}


class RankFile(msgspec.Struct, frozen=True):
    """What one file of texts holds.

    Attributes:
        lines: lines that are not blank.
        bad: those that cannot be read.
        texts: those that can.
        labels: items that they name, in all.
        unknown: labels, negatives among them, of items that the catalogue lacks.
        several: texts with more than one item.
        negatives: texts with negatives.
        items: different items of the catalogue that they name.
        most: texts of the item named most often.
    """

    lines: int
    bad: int
    texts: int
    labels: int
    unknown: int
    several: int
    negatives: int
    items: int
    most: int
    lengths: Lengths


class CatalogueFile(msgspec.Struct, frozen=True):
    """What a catalogue holds.

    Attributes:
        items: lines that can be read, each id once.
        bare: items without a text.
        popular: items with a popularity.
        vectors: rows of the table that was given; None without one.
    """

    items: int
    bare: int
    popular: int
    vectors: int | None
    lengths: Lengths


class RankReport(msgspec.Struct, frozen=True):
    """The doctor's report on texts with items.

    Attributes:
        accepted: whether training takes the data.
        window: units of a window.
        overlap: units that neighbouring windows share.
    """

    accepted: bool
    window: int
    overlap: int
    train: RankFile
    dev: RankFile | None
    catalogue: CatalogueFile
    findings: tuple[Finding, ...]

    def first(self, limit: int) -> RankReport:
        """The same with at most ``limit`` places for each finding."""
        some = tuple(finding.first(limit) for finding in self.findings)
        return msgspec.structs.replace(self, findings=some)


def examine_ranks(
    train: Iterable[RankExample | BadLine],
    catalogue: Iterable[Item | BadLine],
    dev: Iterable[RankExample | BadLine] | None = None,
    vectors: NDArray[np.floating] | None = None,
    rules: CodecRules | None = None,
) -> RankReport:
    """Look at texts with items as training would.

    Two texts are the same if their letters are, case and width aside.

    Args:
        train: texts to train on, lines that could not be read among them.
        catalogue: all items.
        dev: texts to choose by.
        vectors: a table of vectors, (rows, dim), one row for each item in the order of the
            catalogue, or of anything else.
        rules: how texts are cut into windows.
    """
    codec = TextCodec(Vocabulary(()), rules)  # lengths need no vocabulary
    items = _Catalogue(catalogue, codec)
    one = _Texts(train, items, codec)
    two = None if dev is None else _Texts(dev, items, codec)
    found = findings("train", one.places, RANK_KINDS)
    if two is not None:
        found += findings("dev", {**two.places, **two.shared(one)}, RANK_KINDS)
    found += findings("catalogue", {**items.places, **items.unnamed(one)}, RANK_KINDS)
    if vectors is not None:
        found += findings("vectors", _of_vectors(vectors, items.ids), RANK_KINDS)
    order = list(RANK_KINDS)
    found.sort(key=lambda finding: order.index(finding.kind))  # stable: train before dev
    return RankReport(
        accepted=not any(finding.stops for finding in found),
        window=codec.rules.window,
        overlap=codec.rules.overlap,
        train=one.report(),
        dev=None if two is None else two.report(),
        catalogue=items.report(None if vectors is None else len(vectors)),
        findings=tuple(found),
    )


class _Catalogue:
    """The items, gone through once."""

    def __init__(self, rows: Iterable[Item | BadLine], codec: TextCodec) -> None:
        self.places: dict[str, list[Place]] = defaultdict(list)
        self._lines: dict[str, int] = {}
        self._lengths: list[int] = []
        self._popular, self._codec = 0, codec
        texts: dict[str, Item] = {}
        for row in rows:
            if isinstance(row, BadLine):
                self._note("bad", row.line, row.why)
            elif row.id in self._lines:
                self._note("repeated", row.line, f"'{row.id}', as in line {self._lines[row.id]}")
            else:
                self._add(row, texts)
        if len(self._lines) < 2:
            self._note("few", 0, f"{len(self._lines)} item(s)")

    def _note(self, kind: str, line: int, detail: str) -> None:
        self.places[kind].append(Place(line, detail))

    def _add(self, item: Item, texts: dict[str, Item]) -> None:
        self._lines[item.id] = item.line
        self._popular += item.popularity is not None
        if not item.text.strip():
            self._note("bare", item.line, f"'{item.id}'")
            return
        self._lengths.append(self._codec.encode(item.text).length)
        first = texts.setdefault(_same(item.text), item)
        if first is not item:
            said = f"'{item.id}' and '{first.id}' in line {first.line}: {item.text}"
            self._note("twins", item.line, said)

    @property
    def ids(self) -> Sequence[str]:
        """In the order of the lines."""
        return list(self._lines)

    def has(self, id_: str) -> bool:
        """Whether an item is there."""
        return id_ in self._lines

    def unnamed(self, train: _Texts) -> dict[str, list[Place]]:
        """Items that no text is about."""
        left = [(line, i) for i, line in self._lines.items() if i not in train.named]
        return {"unnamed": [Place(line, f"'{id_}'") for line, id_ in left]}

    def report(self, vectors: int | None) -> CatalogueFile:
        """What was counted."""
        return CatalogueFile(
            items=len(self._lines),
            bare=len(self.places["bare"]),
            popular=self._popular,
            vectors=vectors,
            lengths=lengths_of(self._lengths, self._codec.rules.window),
        )


class _Texts:
    """One file of texts, gone through once."""

    def __init__(
        self, rows: Iterable[RankExample | BadLine], items: _Catalogue, codec: TextCodec
    ) -> None:
        self.places: dict[str, list[Place]] = defaultdict(list)
        self.named: Counter[str] = Counter()
        self._first: dict[str, int] = {}  # the line that first names an item
        self._seen: dict[str, RankExample] = {}
        self._lengths: list[int] = []
        self._counts: Counter[str] = Counter()
        self._items, self._codec = items, codec
        for row in rows:
            if isinstance(row, BadLine):
                self._note("bad", row.line, row.why)
            else:
                self._add(row)
        if not self.named:
            self._note("few", 0, "no text with an item of the catalogue")

    def _note(self, kind: str, line: int, detail: str) -> None:
        self.places[kind].append(Place(line, detail))

    def _add(self, example: RankExample) -> None:
        self._lengths.append(self._codec.encode(example.text).length)
        self._counts["labels"] += len(example.items)
        self._counts["several"] += len(example.items) > 1
        self._counts["negatives"] += bool(example.negatives)
        for id_ in (*example.items, *example.negatives):
            if not self._items.has(id_):
                self._note("unknown", example.line, f"'{id_}'")
        known = [id_ for id_ in example.items if self._items.has(id_)]
        self.named.update(known)
        for id_ in known:
            self._first.setdefault(id_, example.line)
        first = self._seen.setdefault(_same(example.text), example)
        if first is not example:
            if set(first.items) == set(example.items):
                self._note("duplicate", example.line, f"as in line {first.line}")
            else:
                ours, others = ("', '".join(of.items) for of in (example, first))
                said = f"'{ours}', and '{others}' in line {first.line}: {example.text}"
                self._note("contradiction", example.line, said)

    def shared(self, train: _Texts) -> dict[str, list[Place]]:
        """What stands in ``train`` as well, and what only stands here."""
        texts = [
            Place(example.line, f"train line {train._seen[text].line}")
            for text, example in self._seen.items()
            if text in train._seen
        ]
        unseen = [Place(line, f"'{i}'") for i, line in self._first.items() if i not in train.named]
        return {"overlap": texts, "unseen": unseen}

    def report(self) -> RankFile:
        """What was counted."""
        return RankFile(
            lines=len(self._lengths) + len(self.places["bad"]),
            bad=len(self.places["bad"]),
            texts=len(self._lengths),
            labels=self._counts["labels"],
            unknown=len(self.places["unknown"]),
            several=self._counts["several"],
            negatives=self._counts["negatives"],
            items=len(self.named),
            most=max(self.named.values(), default=0),
            lengths=lengths_of(self._lengths, self._codec.rules.window),
        )


def _of_vectors(vectors: NDArray[np.floating], ids: Sequence[str]) -> dict[str, list[Place]]:
    """Rows of a table that no direction can be taken of, and those that are alike."""
    places: dict[str, list[Place]] = defaultdict(list)
    first: dict[bytes, int] = {}
    named = len(vectors) == len(ids)  # else the rows belong to something else

    def row_of(number: int) -> str:
        return f"row {number}" + (f" ('{ids[number]}')" if named else "")

    for at in range(0, len(vectors), _BLOCK):
        block = np.asarray(vectors[at : at + _BLOCK])
        finite = np.logical_and.reduce(np.isfinite(block), axis=1)
        there = np.logical_or.reduce(block != 0, axis=1)
        for number, row in enumerate(block, at):
            if not finite[number - at]:
                places["nan"].append(Place(0, row_of(number)))
            elif not there[number - at]:
                places["zero"].append(Place(0, row_of(number)))
            elif (other := first.setdefault(row.tobytes(), number)) != number:
                places["same"].append(Place(0, f"{row_of(number)} and {row_of(other)}"))
    return places


def _same(text: str) -> str:
    return normalise(text.strip())[0]
