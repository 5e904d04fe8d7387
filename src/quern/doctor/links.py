"""Labelled mentions as training sees them: what fits, what is lost, what is odd."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec

from quern.alignment import align_mentions, mentions_outside
from quern.data import BadLine
from quern.doctor.findings import Finding, Kind, Place, findings
from quern.doctor.lengths import lengths_of
from quern.doctor.report import Lengths
from quern.evaluation.link_figures import RecallAt
from quern.records import LabelledMention, LinkExample
from quern.text import CodecRules, TextCodec, Vocabulary
from quern.text.keys import keys_of

_COUNTED = "dev is not learned from, but each counts as missed in every score"

# In the order of the report.
LINK_KINDS: Mapping[str, Kind] = {
    "bad": Kind(
        "lines that cannot be read",
        "mend them; docs/links.md shows the forms that a line can have",
        stops=("train", "dev"),
    ),
    "nothing": Kind(
        "files without a mention",
        "label some texts: training needs mentions to learn from",
        dev="label some texts: training needs mentions to choose the best weights by",
        stops=("train", "dev"),
    ),
    "absent": Kind(
        "mentions that do not stand where they are said to begin",
        "count offsets in characters (code points) from 0; "
        "or train without these mentions: --allow absent",
        dev=f"count offsets in characters (code points) from 0; {_COUNTED}",
        stops=("train",),
    ),
    "border": Kind(
        "mentions that cut through a word or number",
        "label whole words and numbers; or train without them: --allow border",
        dev=f"label whole words and numbers; {_COUNTED}",
        stops=("train",),
    ),
    "window": Kind(
        "mentions that no window holds",
        "raise overlap to as many units, and window above it (in training: --set overlap=… "
        "--set window=…); or train without them: --allow window",
        dev=f"raise overlap to as many units, and window above it; {_COUNTED}",
        stops=("train",),
    ),
    "crossing": Kind(
        "mentions that share characters with another",
        "nothing, if the texts say so: of such mentions a model gives one; "
        "else keep the one that is meant",
    ),
    "lacking": Kind(
        "mentions whose entity the knowledge base lacks",
        "add these entities to the base (quern kb import, quern kb add), or label the mentions "
        "as NIL (null): no answer can be right there",
    ),
    "unproposed": Kind(
        "mentions whose entity is no candidate",
        "give the entities these names as aliases (quern kb edit), where others would use them "
        "too: no model can choose what is not proposed",
    ),
    "entities": Kind(
        "places with several entities",
        'keep one; where a mention stands for several together, join their ids by "|"',
    ),
    "edges": Kind(
        "mentions with white space at an edge",
        "take the white space off: no answer will ever have it",
    ),
    "conflict": Kind(
        "lines that repeat a text with other mentions",
        "put all mentions of a text on one line: each line teaches that nothing else is named",
    ),
    "duplicate": Kind(
        "lines that repeat a text and its mentions",
        "keep one of the lines, unless the text should weigh more",
    ),
    "empty": Kind(
        "texts with nothing but white space",
        "take these lines out; there is nothing to read in them",
    ),
    "overlap": Kind(
        "dev texts that stand in train as well",
        "take them out of one of the two: a score on texts already seen is too high",
    ),
}


class Reach(msgspec.Struct, frozen=True):
    """How far the candidates of a knowledge base reach.

    Attributes:
        linked: labels whose entity the base has, several at one place counted for each.
        lacking: those whose entity it lacks.
        unproposed: of ``linked``, those whose entity is no candidate.
        candidates: of ``linked``, which share has its entity among the first k: a ceiling of
            every score.
    """

    linked: int
    lacking: int
    unproposed: int
    candidates: tuple[RecallAt, ...]


class LinkFile(msgspec.Struct, frozen=True):
    """What one file of link data holds.

    Attributes:
        lines: lines that are not blank.
        bad: those that cannot be read.
        texts: those that can.
        bare: texts without mentions.
        mentions: labels in all.
        nil: those whose entity the knowledge base lacks.
        names: different names, case, width, script and punctuation aside.
        entities: different entities, NIL left out.
        lost: labels that have no place in the text or in a window.
        known: share of the mentions whose name another text of train labels.
        reach: how far the candidates of a knowledge base reach, where one was given.
    """

    lines: int
    bad: int
    texts: int
    bare: int
    mentions: int
    nil: int
    names: int
    entities: int
    lost: int
    known: float
    lengths: Lengths
    reach: Reach | None = None


class LinkReport(msgspec.Struct, frozen=True):
    """The doctor's report on link data.

    Attributes:
        accepted: whether training takes the data without losing anything.
        window: units of a window.
        overlap: units that neighbouring windows share.
    """

    accepted: bool
    window: int
    overlap: int
    train: LinkFile
    dev: LinkFile | None
    findings: tuple[Finding, ...]

    def first(self, limit: int) -> LinkReport:
        """The same with at most ``limit`` places for each finding."""
        some = tuple(finding.first(limit) for finding in self.findings)
        return msgspec.structs.replace(self, findings=some)


def examine_links(
    train: Iterable[LinkExample | BadLine],
    dev: Iterable[LinkExample | BadLine] | None = None,
    rules: CodecRules | None = None,
) -> LinkReport:
    """Look at labelled mentions as training would.

    Args:
        train: examples to train on, lines that could not be read among them.
        dev: examples to choose by.
        rules: how texts are cut into windows.
    """
    codec = TextCodec(Vocabulary(()), rules)  # placing labels needs no vocabulary
    one = _Look(train, codec)
    two = None if dev is None else _Look(dev, codec)
    found = findings("train", one.found, LINK_KINDS)
    if two is not None:
        for text, first in two.texts.items():
            if text in one.texts:
                place = Place(first.line, f"train line {one.texts[text].line}")
                two.found["overlap"].append(place)
        found += findings("dev", two.found, LINK_KINDS)
    order = list(LINK_KINDS)
    found.sort(key=lambda finding: order.index(finding.kind))  # stable: train before dev
    return LinkReport(
        accepted=not any(finding.stops for finding in found),
        window=codec.rules.window,
        overlap=codec.rules.overlap,
        train=one.report(one),
        dev=None if two is None else two.report(one),
        findings=tuple(found),
    )


class _Look:
    """One file, gone through once."""

    def __init__(self, rows: Iterable[LinkExample | BadLine], codec: TextCodec) -> None:
        self.found: dict[str, list[Place]] = defaultdict(list)
        self.texts: dict[str, LinkExample] = {}
        self.names: dict[str, set[str]] = defaultdict(set)  # key → texts that label it
        self._mentions: list[tuple[str, str]] = []  # key and text of each
        self._entities: set[str] = set()
        self._lengths: list[int] = []
        self._bad = self._bare = self._nil = self._lost = 0
        self._codec = codec
        for row in rows:
            if isinstance(row, BadLine):
                self._bad += 1
                self._note("bad", row.line, row.why)
            else:
                self._add(row)
        if not self._mentions:
            self._note("nothing", 0, f"{len(self._lengths)} text(s), not one mention")

    def report(self, train: _Look) -> LinkFile:
        """What was counted; names are looked up among those of ``train``."""
        known = sum(bool(train.names.get(key, set()) - {text}) for key, text in self._mentions)
        texts = len(self._lengths)
        return LinkFile(
            lines=texts + self._bad,
            bad=self._bad,
            texts=texts,
            bare=self._bare,
            mentions=len(self._mentions),
            nil=self._nil,
            names=len(self.names),
            entities=len(self._entities),
            lost=self._lost,
            known=known / max(1, len(self._mentions)),
            lengths=lengths_of(self._lengths, self._codec.rules.window),
        )

    def _note(self, kind: str, line: int, detail: str) -> None:
        self.found[kind].append(Place(line, detail))

    def _add(self, example: LinkExample) -> None:
        encoding = self._codec.encode(example.text)
        if not encoding.length:
            self._note("empty", example.line, "no text")
        self._lengths.append(encoding.length)
        self._bare += not example.mentions
        self._nil += sum(mention.kb_id is None for mention in example.mentions)
        self._entities |= {m.kb_id for m in example.mentions if m.kb_id is not None}
        for key in keys_of([mention.mention for mention in example.mentions]):
            self._mentions.append((key, example.text))
            self.names[key].add(example.text)
        spans, problems = align_mentions(example, encoding, self._codec)
        problems += mentions_outside(example, spans, self._codec.windows(encoding))
        self._lost += len(problems)
        for problem in problems:
            self._note(problem.kind, problem.line, problem.detail)
        self._spot_neighbours(example)
        earlier = self.texts.setdefault(example.text, example)
        if earlier is not example:
            same = set(earlier.mentions) == set(example.mentions)
            kind = "duplicate" if same else "conflict"
            self._note(kind, example.line, f"the text of line {earlier.line}")

    def _spot_neighbours(self, example: LinkExample) -> None:
        at: dict[tuple[int, int], set[str | None]] = defaultdict(set)
        for mention in example.mentions:
            at[mention.place].add(mention.kb_id)
            if mention.mention != mention.mention.strip():
                self._note("edges", example.line, repr(mention.mention))
        for (start, end), ids in at.items():
            if len(ids) > 1:
                named = ", ".join(sorted(id_ or "NIL" for id_ in ids))
                self._note("entities", example.line, f"'{example.text[start:end]}': {named}")
        for one, two in crossing(example.mentions):
            self._note("crossing", example.line, f"'{one.mention}' and '{two.mention}'")


def crossing(
    mentions: Iterable[LabelledMention],
) -> list[tuple[LabelledMention, LabelledMention]]:
    """Mentions that share characters with the furthest-reaching one before them."""
    places = {mention.place: mention for mention in mentions}
    crossed = []
    reach: LabelledMention | None = None
    for place, mention in sorted(places.items()):
        if reach is not None and place[0] < reach.place[1]:
            crossed.append((reach, mention))
        if reach is None or place[1] > reach.place[1]:
            reach = mention
    return crossed
