"""One file of triple data, as training sees it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from quern.alignment import AlignedTriple, Label, align, outside
from quern.data import BadLine
from quern.doctor.ceiling import reachable
from quern.doctor.findings import Place
from quern.doctor.lengths import lengths_of
from quern.doctor.report import Best, FileReport
from quern.metrics import Counts
from quern.records import LabelledTriple, TripleExample
from quern.text import Encoding, TextCodec, Window

Row = TripleExample | BadLine
Fact = tuple[str, str, str]
_Typed = tuple[Fact, str | None, str | None]


class Seen(NamedTuple):
    """What the first line with some text says of it."""

    line: int
    predicates: tuple[str, ...] | None
    facts: frozenset[_Typed]

    @classmethod
    def of(cls, example: TripleExample) -> Seen:
        """What ``example`` says, places left out: another place of a fact is no contradiction."""
        facts = frozenset((t.key, t.subject_type, t.object_type) for t in example.triples)
        return cls(example.line, example.predicates, facts)

    def among(self, predicates: tuple[str, ...] | None) -> frozenset[_Typed]:
        """The facts with some predicates, None for all."""
        if predicates is None:
            return self.facts
        return frozenset(fact for fact in self.facts if fact[0][1] in predicates)


class Look:
    """One file of triple data, gone through once.

    Attributes:
        found: the cases of each kind of finding.
        labels: how often each label is used.
        texts: every text, with what its first line says of it.
        facts: the triples of every text, as strings.
    """

    def __init__(self, rows: Iterable[Row], codec: TextCodec) -> None:
        """Go through ``rows``."""
        self.found: dict[str, list[Place]] = defaultdict(list)
        self.labels: Counter[Label] = Counter()
        self.texts: dict[str, Seen] = {}
        self.facts: list[frozenset[Fact]] = []
        self._codec = codec
        self._counts, self._with_nearest = Counts(), Counts()
        self._lengths: list[int] = []
        self._bare = self._incomplete = self._partial = self._lost = 0
        for row in rows:
            if isinstance(row, BadLine):
                self._note("bad", row.line, row.why)
            else:
                self._add(row)
        if not self.labels:
            self._note("nothing", 0, f"{len(self._lengths)} text(s), not one triple")

    def report(self) -> FileReport:
        """What was counted."""
        texts, bad = len(self._lengths), len(self.found["bad"])
        return FileReport(
            lines=texts + bad,
            bad=bad,
            texts=texts,
            bare=self._bare,
            incomplete=self._incomplete,
            partial=self._partial,
            triples=self.labels.total(),
            lost=self._lost,
            guessed=len(self.found["ambiguous"]),
            lengths=lengths_of(self._lengths, self._codec.rules.window),
            best=Best(**self._counts.figures()),
            best_with_nearest=Best(**self._with_nearest.figures()),
        )

    def _note(self, kind: str, line: int, detail: str) -> None:
        self.found[kind].append(Place(line, detail))

    def _add(self, example: TripleExample) -> None:
        encoding = self._codec.encode(example.text)
        if not encoding.length:
            self._note("empty", example.line, "no text")
        self._lengths.append(encoding.length)
        self._bare += not example.triples
        self._incomplete += not example.complete
        self._partial += example.predicates is not None
        self.labels.update(map(Label.of, example.triples))
        self.facts.append(frozenset(triple.key for triple in example.triples))
        self._spot_repeats(example)
        self._spot_entities(example)
        self._spot_edges(example)
        self._measure(example, encoding)

    # -- what needs no alignment ---------------------------------------------------------

    def _spot_repeats(self, example: TripleExample) -> None:
        for triple, times in Counter(example.triples).items():
            if times > 1:
                self._note("repeated", example.line, f"{_told(triple.key)} stands {times} times")
        seen = Seen.of(example)
        earlier = self.texts.setdefault(example.text, seen)
        if earlier is seen:
            return
        detail = f"the text of line {earlier.line}"
        if earlier.among(seen.predicates) != seen.among(earlier.predicates):
            self._note("conflict", example.line, detail)
        elif earlier.predicates == seen.predicates:
            self._note("duplicate", example.line, detail)

    def _spot_entities(self, example: TripleExample) -> None:
        for entity in example.entities:
            start, end = entity.start, entity.start + len(entity.text)
            ends = entity.end is None or entity.end == end
            if not (ends and _stands(entity.text, start, example.text)):
                stop = "" if entity.end is None else f" to {entity.end}"
                self._note("entity", example.line, f"'{entity.text}' at character {start}{stop}")

    def _spot_edges(self, example: TripleExample) -> None:
        for triple in example.triples:
            if any(part != part.strip() for part in triple.key):
                self._note("edges", example.line, _told(triple.key))

    # -- alignment and decoding ------------------------------------------------------------

    def _measure(self, example: TripleExample, encoding: Encoding) -> None:
        """Place every label, decode what was placed, and count what comes back."""
        windows = self._codec.windows(encoding)
        placed: dict[AlignedTriple, None] = {}
        for triple in example.triples:
            place = self._place(example, triple, encoding, windows)
            if place is None:
                self._lost += 1
                continue
            placed[place] = None
            parts = triple.key
            if self._strings(encoding, place) != parts and parts == _stripped(parts):
                detail = f"{_told(parts)}; the text: {_told(self._strings(encoding, place))}"
                self._note("spelling", example.line, detail)
        reached = reachable(list(placed), windows)
        labelled = {triple.key for triple in example.triples}
        self._counts.add(labelled, {self._strings(encoding, triple) for triple in reached})
        nearest = reachable(list(placed), windows, "nearest")
        self._with_nearest.add(labelled, {self._strings(encoding, triple) for triple in nearest})
        for given in sorted(self._strings(encoding, r) for r in reached - placed.keys()):
            self._note("surplus", example.line, f"decoding also gives {_told(given)}")

    def _place(
        self,
        example: TripleExample,
        triple: LabelledTriple,
        encoding: Encoding,
        windows: list[Window],
    ) -> AlignedTriple | None:
        """Where a label stands as training sees it; None where it is lost."""
        astray = [
            f"'{part}' ({triple.predicate}) does not stand at character {start}"
            for part, start in (
                (triple.subject, triple.subject_start),
                (triple.object, triple.object_start),
            )
            if start is not None and not _stands(part, start, example.text)
        ]
        if astray:
            self._note("offset", example.line, "; ".join(astray))
            return None
        alone = msgspec.structs.replace(example, triples=(triple,))
        placed, problems = align(alone, encoding, self._codec)
        problems += outside(alone, placed, windows)
        lost = [problem for problem in problems if problem.lost]
        if problems:
            worst = lost or problems
            detail = "; ".join(problem.detail for problem in worst)
            self._note(worst[0].kind, example.line, detail)
        return None if lost else placed[0]

    def _strings(self, encoding: Encoding, triple: AlignedTriple) -> Fact:
        subject, label, object_ = triple
        span = self._codec.span
        return span(encoding, *subject).text, label.predicate, span(encoding, *object_).text


def _stands(part: str, start: int, text: str) -> bool:
    return start >= 0 and text.startswith(part, start)


def _stripped(parts: Fact) -> Fact:
    return parts[0].strip(), parts[1].strip(), parts[2].strip()


def _told(parts: Fact) -> str:
    return "({!r}, {!r}, {!r})".format(*parts)
