"""Labels as people write them → unit spans as models need them, every failure named."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Literal, NamedTuple

import msgspec

from quern.records import NIL, LabelledMention, LabelledTriple, LinkExample, TripleExample
from quern.text import Encoding, TextCodec, Window

UnitSpan = tuple[int, int]  # first and last unit, both included
Occurrence = Literal["nearest", "first"]
READINGS = (32, 48, 64, 96, 128, 192)  # units; smaller ones would read headings alone
KEPT_TOGETHER = 0.995  # share of the triples
Kind = Literal["absent", "border", "ambiguous", "window", "entity", "unknown"]


class Problem(msgspec.Struct, frozen=True):
    """Why a label was lost; or, where ambiguous, guessed; or, an entity, not made use of."""

    line: int
    kind: Kind
    detail: str

    @property
    def lost(self) -> bool:
        """Whether a triple is gone, rather than placed by guess."""
        return self.kind not in ("ambiguous", "entity")


class Label(msgspec.Struct, frozen=True, order=True):
    """What a triple model tells apart: a predicate with the types of its two ends, if any."""

    predicate: str
    subject_type: str | None = None
    object_type: str | None = None

    @classmethod
    def of(cls, triple: LabelledTriple) -> Label:
        """The label that a labelled triple asks for."""
        return cls(triple.predicate, triple.subject_type, triple.object_type)

    @property
    def sort_key(self) -> tuple[str, str, str]:
        """An order that bears missing types."""
        return (self.predicate, self.subject_type or "", self.object_type or "")


class AlignedTriple(NamedTuple):
    """A labelled triple on unit borders."""

    subject: UnitSpan
    label: Label
    object: UnitSpan


def align(
    example: TripleExample,
    encoding: Encoding,
    codec: TextCodec,
    occurrence: Occurrence = "nearest",
) -> tuple[list[AlignedTriple], list[Problem]]:
    """Place every labelled triple of ``example`` on units of ``encoding``.

    Where a string occurs more than once and no offset says which is meant, ``occurrence``
    decides: the pair of places nearest to each other, or the first place of each.

    Returns:
        The placed triples (each once) and the problems, in the order of the labels.
    """
    placed: dict[AlignedTriple, None] = {}
    problems: list[Problem] = []
    for triple in example.triples:
        ends: list[list[UnitSpan]] = []
        for part, start in (
            (triple.subject, triple.subject_start),
            (triple.object, triple.object_start),
        ):
            places, kind = _places(part, start, encoding, codec)
            if kind is not None:
                detail = _describe(kind, part, start, len(places), triple.predicate)
                problems.append(Problem(example.line, kind, detail))
            ends.append(places)
        subjects, objects = ends
        if subjects and objects:
            subject, object_ = _choose(subjects, objects, occurrence)
            placed[AlignedTriple(subject, Label.of(triple), object_)] = None
    return list(placed), problems


class AlignedEntity(NamedTuple):
    """A labelled entity on unit borders; the type is empty where none is given."""

    span: UnitSpan
    type: str


def align_entities(
    example: TripleExample, encoding: Encoding, codec: TextCodec
) -> tuple[list[AlignedEntity], list[Problem]]:
    """Place every labelled entity of ``example``; what does not fit is left out and named."""
    placed: list[AlignedEntity] = []
    problems: list[Problem] = []
    for entity in example.entities:
        places, kind = _places(entity.text, entity.start, encoding, codec)
        if kind is None:
            placed.append(AlignedEntity(places[0], entity.type or ""))
        else:
            detail = _describe(kind, entity.text, entity.start, 0, "entity")
            problems.append(Problem(example.line, "entity", detail))
    return placed, problems


def align_mentions(
    example: LinkExample, encoding: Encoding, codec: TextCodec
) -> tuple[list[UnitSpan], list[Problem]]:
    """Place every labelled mention of ``example`` on units of ``encoding``, each place once."""
    placed: dict[UnitSpan, None] = {}
    problems: list[Problem] = []
    for given in example.mentions:
        places, kind = _places(given.mention, given.start, encoding, codec)
        if kind is None:
            placed[places[0]] = None
        else:
            detail = _describe(kind, given.mention, given.start, 0, given.kb_id or NIL)
            problems.append(Problem(example.line, kind, detail))
    return list(placed), problems


def standing_mentions(example: LinkExample) -> tuple[list[LabelledMention], list[Problem]]:
    """The labelled mentions that stand where they are said to, the first of those at one place."""
    placed: dict[tuple[int, int], LabelledMention] = {}
    problems: list[Problem] = []
    for given in example.mentions:
        start, end = given.place
        if start >= 0 and given.mention.strip() and example.text[start:end] == given.mention:
            placed.setdefault(given.place, given)
        else:
            detail = _describe("absent", given.mention, start, 0, given.kb_id or NIL)
            problems.append(Problem(example.line, "absent", detail))
    return list(placed.values()), problems


def standing(example: LinkExample) -> LinkExample:
    """A text with those of its mentions that ``standing_mentions`` gives."""
    mentions, _ = standing_mentions(example)
    return msgspec.structs.replace(example, mentions=tuple(mentions))


def mentions_outside(
    example: LinkExample, spans: Sequence[UnitSpan], windows: Sequence[Window]
) -> list[Problem]:
    """One problem for each mention that no window holds."""
    return [
        Problem(example.line, "window", f"a mention of {b - a + 1} units fits no window")
        for a, b in spans
        if not any(w.first <= a and b < w.stop for w in windows)
    ]


def in_window(triples: list[AlignedTriple], window: Window) -> list[AlignedTriple]:
    """The triples that ``window`` holds whole, counted from its first unit."""
    first = window.first
    return [
        AlignedTriple(
            (s[0] - first, s[1] - first),
            label,
            (o[0] - first, o[1] - first),
        )
        for s, label, o in triples
        if first <= min(s[0], o[0]) and max(s[1], o[1]) < window.stop
    ]


def outside(
    example: TripleExample, triples: list[AlignedTriple], windows: list[Window]
) -> list[Problem]:
    """One problem for each triple that no window holds."""
    return [
        Problem(
            example.line,
            "window",
            f"the ends of '{label.predicate}' stretch over "
            f"{max(s[1], o[1]) - min(s[0], o[0]) + 1} units, and no window holds them all",
        )
        for s, label, o in triples
        if not any(w.first <= min(s[0], o[0]) and max(s[1], o[1]) < w.stop for w in windows)
    ]


def smallest_reading(
    placed: Sequence[tuple[Encoding, Sequence[AlignedTriple]]], codec: TextCodec
) -> int | None:
    """How many units should be read at once: the fewest that keep the labels together.

    Networks that learned from single sentences find less where several are read together, and
    labels that reach from one sentence to another want more. Hence the smallest reading whose
    windows hold nearly all triples that windows without regard to sentences hold.

    Args:
        placed: labelled texts.
        codec: tells the size of a window.

    Returns:
        ``reading`` as ``TextCodec.windows`` takes it.
    """

    def held(size: int | None) -> int:
        return sum(
            any(first <= min(s[0], o[0]) and max(s[1], o[1]) < stop for first, stop in windows)
            for encoding, triples in placed
            if (windows := codec.windows(encoding, size))
            for s, _, o in triples
        )

    wanted = KEPT_TOGETHER * held(None)
    sizes = (size for size in READINGS if size <= codec.rules.window)
    return next((size for size in sizes if held(size) >= wanted), None)


def usual_reading(lengths: Sequence[int], codec: TextCodec) -> int | None:
    """How many units a network sees at once when it learns from texts one by one.

    Where what is looked for lies within a sentence, nothing has to be kept together; but what a
    network that learned from short texts should read at once is no more than these.

    Args:
        lengths: of the texts, in units.
        codec: tells the size of a window.

    Returns:
        ``reading`` as ``TextCodec.windows`` takes it; nearly all texts are no longer.
    """
    sizes = (size for size in READINGS if size <= codec.rules.window)
    wanted = KEPT_TOGETHER * len(lengths)
    return next((n for n in sizes if sum(length <= n for length in lengths) >= wanted), None)


def _places(
    part: str, start: int | None, encoding: Encoding, codec: TextCodec
) -> tuple[list[UnitSpan], Kind | None]:
    if start is not None:
        end = start + len(part)
        if start < 0 or not part or encoding.text[start:end] != part:
            return [], "absent"
        place = codec.locate(encoding, start, end)
        return ([place], None) if place else ([], "border")
    places = codec.occurrences(encoding, part)
    if not places:
        return [], "border" if part and part in encoding.text else "absent"
    return places, "ambiguous" if len(places) > 1 else None


def _choose(
    subjects: list[UnitSpan], objects: list[UnitSpan], occurrence: Occurrence
) -> tuple[UnitSpan, UnitSpan]:
    if occurrence == "first":
        return subjects[0], objects[0]
    return min(product(subjects, objects), key=lambda pair: (*_distance(*pair), pair))


def _distance(a: UnitSpan, b: UnitSpan) -> tuple[bool, int]:
    """Units between two spans; overlapping ends are rarely meant where another pair is free."""
    gap = max(a[0] - b[1], b[0] - a[1])
    return gap <= 0, gap


def _describe(kind: Kind, part: str, start: int | None, count: int, predicate: str) -> str:
    where = "" if start is None else f" at character {start}"
    return {
        "absent": f"'{part}' ({predicate}) does not stand in the text{where}",
        "border": f"'{part}' ({predicate}){where} cuts through a word or number",
        "ambiguous": f"'{part}' ({predicate}) occurs {count} times and has no offset",
    }[kind]
