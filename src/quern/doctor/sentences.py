"""Groups of sentences as training sees them: what fits, what is odd."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

import msgspec

from quern.data import BadLine, are_classes
from quern.doctor.findings import Finding, Kind, Place, findings
from quern.doctor.lengths import lengths_of
from quern.doctor.report import Lengths
from quern.records import SentenceExample
from quern.text import CodecRules, TextCodec, Vocabulary, normalise, wordless

# In the order of the report.
SENTENCE_KINDS: Mapping[str, Kind] = {
    "bad": Kind(
        "lines that cannot be read",
        "mend them; docs/sentences.md shows what a line has",
        stops=("train", "dev"),
    ),
    "groups": Kind(
        "files with too few groups",
        "give sentences of two groups at least: one alone is told apart from nothing",
        dev="give sentences of two groups at least, and a group with two of them, to choose by",
        stops=("train", "dev"),
    ),
    "contradiction": Kind(
        "sentences that stand in several groups",
        "join the groups, if they mean the same, or keep the sentence in one of them: as it is, "
        "training pulls it apart",
    ),
    "wordless": Kind(
        "sentences without any letter",
        "take these lines out, unless numbers or marks alone have a meaning here",
    ),
    "short": Kind(
        "sentences of a single unit",
        "look whether they are whole: one character or word seldom says what a group means",
    ),
    "alone": Kind(
        "groups of a single sentence",
        "nothing, if no other says the same; else add one: it is only learned as what no other "
        "means",
        dev="nothing: they are looked among, but cannot be found",
    ),
    "duplicate": Kind(
        "sentences that stand twice in a group",
        "keep one of the lines, unless the sentence should weigh more",
    ),
    "overlap": Kind(
        "dev sentences that stand in train as well",
        "take them out of one of the two: a score on sentences already seen is too high",
    ),
    "seen": Kind(
        "groups of dev that train has as well",
        "nothing, if groups are classes that stay the same in use; else hold whole groups out: "
        "what counts is how well new meanings are told apart",
    ),
}


class SentenceFile(msgspec.Struct, frozen=True):
    """What one file of sentences holds.

    Attributes:
        lines: lines that are not blank.
        bad: those that cannot be read.
        sentences: those that can.
        groups: different groups.
        alone: groups of a single sentence.
        tenth: a tenth of the groups have no more sentences.
        median: half of them have no more.
        ninetieth: nine tenths of them have no more.
        largest: sentences of the largest group.
        known: groups that train has as well; None for train itself.
        classes: whether groups are so few and large that they are taken for classes.
    """

    lines: int
    bad: int
    sentences: int
    groups: int
    alone: int
    tenth: int
    median: int
    ninetieth: int
    largest: int
    known: int | None
    classes: bool
    lengths: Lengths


class SentenceReport(msgspec.Struct, frozen=True):
    """The doctor's report on groups of sentences.

    Attributes:
        accepted: whether training takes the data.
        window: units of a window.
        overlap: units that neighbouring windows share.
    """

    accepted: bool
    window: int
    overlap: int
    train: SentenceFile
    dev: SentenceFile | None
    findings: tuple[Finding, ...]

    def first(self, limit: int) -> SentenceReport:
        """The same with at most ``limit`` places for each finding."""
        some = tuple(finding.first(limit) for finding in self.findings)
        return msgspec.structs.replace(self, findings=some)


def examine_sentences(
    train: Iterable[SentenceExample | BadLine],
    dev: Iterable[SentenceExample | BadLine] | None = None,
    rules: CodecRules | None = None,
) -> SentenceReport:
    """Look at groups of sentences as training would.

    Two sentences are the same if their letters are, case and width aside.

    Args:
        train: sentences to train on, lines that could not be read among them.
        dev: sentences to choose by.
        rules: how texts are cut into windows.
    """
    codec = TextCodec(Vocabulary(()), rules)  # lengths need no vocabulary
    one = _Look(train, codec)
    two = None if dev is None else _Look(dev, codec)
    found = findings("train", one.found("train"), SENTENCE_KINDS)
    if two is not None:
        found += findings("dev", {**two.found("dev"), **two.shared(one)}, SENTENCE_KINDS)
    order = list(SENTENCE_KINDS)
    found.sort(key=lambda finding: order.index(finding.kind))  # stable: train before dev
    return SentenceReport(
        accepted=not any(finding.stops for finding in found),
        window=codec.rules.window,
        overlap=codec.rules.overlap,
        train=one.report(),
        dev=None if two is None else two.report(one),
        findings=tuple(found),
    )


class _Look:
    """One file, gone through once."""

    def __init__(self, rows: Iterable[SentenceExample | BadLine], codec: TextCodec) -> None:
        self._places: dict[str, list[Place]] = defaultdict(list)
        self._groups: Counter[str] = Counter()
        self._first: dict[str, int] = {}  # the line in which a group begins
        self._lines: dict[str, dict[str, int]] = defaultdict(dict)  # sentence → group → line
        self._lengths: list[int] = []
        self._codec = codec
        self._bad = 0
        for row in rows:
            if isinstance(row, BadLine):
                self._bad += 1
                self._note("bad", row.line, row.why)
            else:
                self._add(row)

    def _note(self, kind: str, line: int, detail: str) -> None:
        self._places[kind].append(Place(line, detail))

    def _add(self, example: SentenceExample) -> None:
        length = self._codec.encode(example.text).length
        self._lengths.append(length)
        self._groups[example.group] += 1
        self._first.setdefault(example.group, example.line)
        if wordless(example.text):
            self._note("wordless", example.line, repr(example.text))
        elif length == 1:
            self._note("short", example.line, repr(example.text))
        lines = self._lines[normalise(example.text.strip())[0]]
        if example.group in lines:
            self._note("duplicate", example.line, f"as in line {lines[example.group]}")
        elif lines:
            other, line = next(iter(lines.items()))
            said = f"in group '{example.group}', and in '{other}' in line {line}: {example.text}"
            self._note("contradiction", example.line, said)
        lines.setdefault(example.group, example.line)

    def found(self, file: str) -> Mapping[str, list[Place]]:
        """The cases of each kind."""
        for group, count in self._groups.items():
            if count == 1:
                self._note("alone", self._first[group], f"'{group}'")
        largest = max(self._groups.values(), default=0)
        if len(self._groups) < 2 or (file == "dev" and largest < 2):
            self._note("groups", 0, f"{len(self._groups)} group(s), the largest of {largest}")
        return self._places

    def shared(self, train: _Look) -> dict[str, list[Place]]:
        """What stands in ``train`` as well."""
        texts = [
            Place(line, f"train line {next(iter(train._lines[text].values()))}")
            for text, lines in self._lines.items()
            if text in train._lines
            for line in list(lines.values())[:1]
        ]
        groups = [
            Place(self._first[group], f"'{group}', train line {train._first[group]}")
            for group in self._groups
            if group in train._groups
        ]
        return {"overlap": texts, "seen": [] if train.classes else groups}

    @property
    def classes(self) -> bool:
        """Whether groups are taken for classes."""
        return are_classes(len(self._lengths), len(self._groups))

    def report(self, train: _Look | None = None) -> SentenceFile:
        """What was counted; ``train`` is what a dev file is held against."""
        sizes = sorted(self._groups.values()) or [0]
        # The lower of two in the middle, as for lengths.
        tenth, median, ninetieth = (sizes[(len(sizes) - 1) * part // 10] for part in (1, 5, 9))
        return SentenceFile(
            lines=len(self._lengths) + self._bad,
            bad=self._bad,
            sentences=len(self._lengths),
            groups=len(self._groups),
            alone=sizes.count(1),
            tenth=tenth,
            median=median,
            ninetieth=ninetieth,
            largest=sizes[-1],
            known=None if train is None else len(self._groups.keys() & train._groups.keys()),
            classes=self.classes,
            lengths=lengths_of(self._lengths, self._codec.rules.window),
        )
