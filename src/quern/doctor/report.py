"""The doctor's report, as frozen records."""

from __future__ import annotations

import msgspec

from quern.doctor.findings import Finding


class Bin(msgspec.Struct, frozen=True):
    """How many texts have between ``least`` and ``most`` units."""

    least: int
    most: int
    texts: int


class Lengths(msgspec.Struct, frozen=True):
    """How long the texts are, in units.

    Attributes:
        median: half of the texts are no longer.
        longest: the longest text.
        several: texts that need more than one window.
        beyond: share of all units that lie behind the first window of their text.
        bins: a histogram without empty bins at its ends.
    """

    median: int
    longest: int
    several: int
    beyond: float
    bins: tuple[Bin, ...]


class Best(msgspec.Struct, frozen=True):
    """What a model without a mistake would score, triples compared as strings."""

    f1: float
    precision: float
    recall: float


class FileReport(msgspec.Struct, frozen=True):
    """What one file holds.

    Attributes:
        lines: lines that are not blank.
        bad: those that cannot be read.
        texts: those that can.
        bare: texts without triples.
        incomplete: texts whose labels are not complete.
        partial: texts in which not all predicates were looked for.
        triples: labels in all.
        lost: labels that have no place in the text or in a window.
        guessed: labels whose place is guessed.
        best: with the default setting ``pairing=spans``.
        best_with_nearest: with ``pairing=nearest``.
    """

    lines: int
    bad: int
    texts: int
    bare: int
    incomplete: int
    partial: int
    triples: int
    lost: int
    guessed: int
    lengths: Lengths
    best: Best
    best_with_nearest: Best


class TypePair(msgspec.Struct, frozen=True):
    """How often the ends of a predicate have these types."""

    subject_type: str | None
    object_type: str | None
    train: int
    dev: int


class Predicate(msgspec.Struct, frozen=True):
    """How often a predicate is labelled, in all and for each pair of types."""

    name: str
    train: int
    dev: int
    types: tuple[TypePair, ...]


class Shared(msgspec.Struct, frozen=True):
    """What of dev stands in train as well.

    Attributes:
        texts: texts of dev that are in train, each once.
        triples: dev triples, each once a line, that are in train to the letter.
        share: their share of all dev triples.
    """

    texts: int
    triples: int
    share: float


class Report(msgspec.Struct, frozen=True):
    """The doctor's report.

    Attributes:
        accepted: whether training takes the data without losing anything.
        window: units of a window.
        overlap: units that neighbouring windows share.
        few: predicates with fewer examples in train are called out.
        shared: what of dev stands in train as well, None without dev.
    """

    accepted: bool
    window: int
    overlap: int
    few: int
    train: FileReport
    dev: FileReport | None
    predicates: tuple[Predicate, ...]
    shared: Shared | None
    findings: tuple[Finding, ...]

    def first(self, limit: int) -> Report:
        """The same with at most ``limit`` places for each finding."""
        some = tuple(finding.first(limit) for finding in self.findings)
        return msgspec.structs.replace(self, findings=some)
