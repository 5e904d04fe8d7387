"""Documents with titles as training sees them: what fits, what a limit would lose, what is odd."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from quern.data import BadLine
from quern.doctor.findings import Finding, Kind, Place, findings
from quern.doctor.lengths import lengths_of
from quern.doctor.report import Lengths
from quern.records import TitleExample
from quern.text import CodecRules, TextCodec, Vocabulary, normalise, wordless

_SHARES = (0.95, 0.99, 0.995)  # of texts that a limit leaves whole
PROPOSED = 0.99  # the one that is proposed
_COUNTS = (1, 2, 3, 5, 10, 20, 50)

# In the order of the report.
TITLE_KINDS: Mapping[str, Kind] = {
    "bad": Kind(
        "lines that cannot be read",
        "mend them; docs/data.md shows what a line has (an empty body or title cannot be read)",
        stops=("train", "dev"),
    ),
    "few": Kind(
        "files without a title",
        "give documents with titles: there is nothing to learn from",
        dev="give documents with titles: there is nothing to choose the best weights by",
        stops=("train", "dev"),
    ),
    "wordless": Kind(
        "titles without any letter",
        "take these lines out: marks and numbers alone say nothing of a document",
    ),
    "longer": Kind(
        "titles longer than their body",
        "look whether the two are swapped, or the body was cut; of so little no title can be made",
    ),
    "contradiction": Kind(
        "lines that repeat a body with another title",
        "keep the better title, unless both are right: training learns something between the two",
    ),
    "duplicate": Kind(
        "lines that repeat a body and its title",
        "keep one of the lines, unless the document should weigh more",
    ),
    "overlap": Kind(
        "dev bodies that stand in train as well",
        "take them out of one of the two: a score on documents already seen is too high",
    ),
}


class Limit(msgspec.Struct, frozen=True):
    """What it would mean to read no more than so many units of a text.

    Attributes:
        share: of the texts that stay whole, at least.
        units: the limit.
        cut: texts that are longer.
        lost: share of all units that lie behind it.
    """

    share: float
    units: int
    cut: int
    lost: float


class Coverage(msgspec.Struct, frozen=True):
    """What a vocabulary of the words met so often in titles of train would reach.

    Attributes:
        count: the least count of a word.
        words: of the vocabulary.
        covered: share of the words of the titles that are in it.
        copied: the same with those that stand in the body and can be copied from there.
    """

    count: int
    words: int
    covered: float
    copied: float


class TitleFile(msgspec.Struct, frozen=True):
    """What one file of documents with titles holds.

    Attributes:
        lines: lines that are not blank.
        bad: those that cannot be read.
        titles: those that can.
        first_line: titles that are the first line of their body.
        words: words of all titles.
        copied: share of these that stand in their body.
        bodies: how long bodies are.
        lengths: how long titles are.
        body_limits: limits of a body, and what each would lose.
        title_limits: the same of a title.
        coverage: what vocabularies of titles of train reach.
    """

    lines: int
    bad: int
    titles: int
    first_line: int
    words: int
    copied: float
    bodies: Lengths
    lengths: Lengths
    body_limits: tuple[Limit, ...]
    title_limits: tuple[Limit, ...]
    coverage: tuple[Coverage, ...]


class TitleReport(msgspec.Struct, frozen=True):
    """The doctor's report on documents with titles.

    Attributes:
        accepted: whether training takes the data.
        window: units of a window.
        overlap: units that neighbouring windows share.
    """

    accepted: bool
    window: int
    overlap: int
    train: TitleFile
    dev: TitleFile | None
    findings: tuple[Finding, ...]

    def first(self, limit: int) -> TitleReport:
        """The same with at most ``limit`` places for each finding."""
        some = tuple(finding.first(limit) for finding in self.findings)
        return msgspec.structs.replace(self, findings=some)


def examine_titles(
    train: Iterable[TitleExample | BadLine],
    dev: Iterable[TitleExample | BadLine] | None = None,
    rules: CodecRules | None = None,
) -> TitleReport:
    """Look at documents with titles as training would.

    Two texts are the same if their letters are, case and width aside. A word is a unit with a
    letter or digit: a run of letters, a number, a Han character.

    Args:
        train: documents to train on, lines that could not be read among them.
        dev: documents to choose by.
        rules: how texts are cut into windows.
    """
    codec = TextCodec(Vocabulary(()), rules)  # lengths need no vocabulary
    one = _Look(train, codec)
    two = None if dev is None else _Look(dev, codec)
    found = findings("train", one.places, TITLE_KINDS)
    if two is not None:
        found += findings("dev", {**two.places, **two.shared(one)}, TITLE_KINDS)
    order = list(TITLE_KINDS)
    found.sort(key=lambda finding: order.index(finding.kind))  # stable: train before dev
    return TitleReport(
        accepted=not any(finding.stops for finding in found),
        window=codec.rules.window,
        overlap=codec.rules.overlap,
        train=one.report(one),
        dev=None if two is None else two.report(one),
        findings=tuple(found),
    )


def limits(lengths: Sequence[int]) -> tuple[Limit, ...]:
    """The least limits that leave certain shares of the texts whole; none without a text."""
    ordered, total = sorted(lengths), sum(lengths)
    found = []
    for share in _SHARES if ordered else ():
        units = ordered[-(-round(share * 1000) * len(ordered) // 1000) - 1]
        longer = [length - units for length in ordered if length > units]
        found.append(Limit(share, units, len(longer), sum(longer) / max(1, total)))
    return tuple(found)


class _Look:
    """One file, gone through once."""

    def __init__(self, rows: Iterable[TitleExample | BadLine], codec: TextCodec) -> None:
        self.places: dict[str, list[Place]] = defaultdict(list)
        self.words: Counter[str] = Counter()  # of titles
        self._copied: Counter[str] = Counter()  # those of them that stand in the body
        self._seen: dict[str, TitleExample] = {}
        self._bodies: list[int] = []
        self._titles: list[int] = []
        self._first_line = 0
        self._codec = codec
        for row in rows:
            if isinstance(row, BadLine):
                self._note("bad", row.line, row.why)
            else:
                self._add(row)
        if not self._titles:
            self._note("few", 0, "no line that can be read")

    def _note(self, kind: str, line: int, detail: str) -> None:
        self.places[kind].append(Place(line, detail))

    def _add(self, example: TitleExample) -> None:
        body, title = self._units(example.body), self._units(example.title)
        self._bodies.append(len(body))
        self._titles.append(len(title))
        if len(title) > len(body):
            self._note("longer", example.line, f"{len(title)} units, the body has {len(body)}")
        if wordless(example.title):
            self._note("wordless", example.line, repr(example.title))
        line = example.body.strip().splitlines()[0] if example.body.strip() else ""
        self._first_line += _same(line) == _same(example.title)
        there = set(body)
        words = [unit for unit in title if any(map(str.isalnum, unit))]
        self.words.update(words)
        self._copied.update(word for word in words if word in there)
        first = self._seen.setdefault(_same(example.body), example)
        if first is not example:
            if _same(first.title) == _same(example.title):
                self._note("duplicate", example.line, f"as in line {first.line}")
            else:
                said = f"'{example.title}', and '{first.title}' in line {first.line}"
                self._note("contradiction", example.line, said)

    def _units(self, text: str) -> list[str]:
        encoding = self._codec.encode(text)
        borders = zip(encoding.starts.tolist(), encoding.ends.tolist(), strict=True)
        return [normalise(text[start:end])[0] for start, end in borders]

    def shared(self, train: _Look) -> dict[str, list[Place]]:
        """What stands in ``train`` as well."""
        bodies = [
            Place(example.line, f"train line {train._seen[body].line}")
            for body, example in self._seen.items()
            if body in train._seen
        ]
        return {"overlap": bodies}

    def report(self, train: _Look) -> TitleFile:
        """What was counted; vocabularies are those of ``train``."""
        window, bad = self._codec.rules.window, len(self.places["bad"])
        total = self.words.total()
        return TitleFile(
            lines=len(self._titles) + bad,
            bad=bad,
            titles=len(self._titles),
            first_line=self._first_line,
            words=total,
            copied=self._copied.total() / max(1, total),
            bodies=lengths_of(self._bodies, window),
            lengths=lengths_of(self._titles, window),
            body_limits=limits(self._bodies),
            title_limits=limits(self._titles),
            coverage=tuple(self._coverage(train.words, count) for count in _COUNTS),
        )

    def _coverage(self, counts: Counter[str], count: int) -> Coverage:
        total = max(1, self.words.total())
        known = {word for word, met in counts.items() if met >= count}
        covered = sum(met for word, met in self.words.items() if word in known)
        copied = sum(met for word, met in self._copied.items() if word not in known)
        return Coverage(count, len(known), covered / total, (covered + copied) / total)


def _same(text: str) -> str:
    return normalise(text.strip())[0]
