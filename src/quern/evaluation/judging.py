"""What a model gives for labelled texts, held against what the labels want."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, TypeVar

import msgspec

from quern.alignment import AlignedTriple, align, outside
from quern.errors import DataError
from quern.metrics import Counts, count
from quern.records import LabelledTriple, Triple, TripleExample
from quern.schema import Schema
from quern.text import Encoding
from quern.triples import ReadsTriples

_CHUNK = 256  # texts read before they are judged

Place = tuple[int, int]  # where a slice of the text begins and ends
StrictKey = tuple[int, int, str | None, str, int, int, str | None]  # as ``Triple.strict_key``
Status = Literal["right", "missed", "wrong"]
Reason = Literal["absent", "border", "window", "spelling"]
_E = TypeVar("_E")
_J = TypeVar("_J")


class Comparison(msgspec.Struct, frozen=True):
    """What must agree for a triple to be right, besides the predicate.

    Attributes:
        places: where both ends stand, rather than their words.
        types: the types of both ends.
    """

    places: bool = False
    types: bool = False

    def wanted(self, triple: LabelledTriple) -> Hashable:
        """What is compared of a label."""
        if not self.places:
            return triple.key
        s, o = triple.subject_start, triple.object_start
        if s is None or o is None:
            raise DataError(f"'{triple.predicate}': compared by place, but the label has none")
        s_end, o_end = s + len(triple.subject), o + len(triple.object)
        s_type, o_type = triple.subject_type, triple.object_type
        return self._strict((s, s_end, s_type, triple.predicate, o, o_end, o_type))

    def given(self, triple: Triple) -> Hashable:
        """What is compared of a model's answer."""
        return self._strict(triple.strict_key) if self.places else triple.key

    def _strict(self, key: StrictKey) -> Hashable:
        return key if self.types else (key[:2], key[3:6])


class Fact(msgspec.Struct, frozen=True):
    """One triple that was wanted, given, or both.

    Attributes:
        status: given and wanted ("right"), only wanted ("missed") or only given ("wrong").
        subject_place: where the subject stands, None where a label could not be placed.
        object_place: the same for the object.
        score: the model's, None for what it missed.
        reason: why no model could have given a missed one, where that is so.
    """

    status: Status
    subject: str
    predicate: str
    object: str
    subject_place: Place | None = None
    object_place: Place | None = None
    score: float | None = None
    subject_type: str | None = None
    object_type: str | None = None
    reason: Reason | None = None


class Judged(msgspec.Struct, frozen=True):
    """A labelled text and every triple that was wanted of it or given for it, each once.

    Attributes:
        example: the text and its labels.
        facts: the triples.
        unjudged: how many more were given with predicates that nobody looked for here.
    """

    example: TripleExample
    facts: tuple[Fact, ...]
    unjudged: int = 0

    @property
    def counts(self) -> Counts:
        """Wanted, given and right of this text."""
        return tally(self.facts)


def tally(facts: Sequence[Fact]) -> Counts:
    """Count facts by their status."""
    right = sum(fact.status == "right" for fact in facts)
    missed = sum(fact.status == "missed" for fact in facts)
    return Counts(wanted=right + missed, given=len(facts) - missed, right=right)


def score(model: ReadsTriples, examples: Sequence[TripleExample]) -> Counts:
    """Micro-averaged counts over triples as strings, each once a text.

    Triples with a predicate that nobody looked for in their text are not counted.
    """
    found = model([example.text for example in examples])
    return count(
        (
            {t.key for t in example.triples},
            {t.key for t in triples if was_sought(example, t.predicate)},
        )
        for example, triples in zip(examples, found, strict=True)
    )


def was_sought(example: TripleExample, predicate: str) -> bool:
    """Whether the labels of a text say anything about a predicate."""
    return example.predicates is None or predicate in example.predicates


def comparable(
    model: ReadsTriples, examples: Sequence[TripleExample], strict: bool
) -> tuple[Comparison, list[TripleExample]]:
    """How these labels can be compared, and the texts for which that is possible.

    Types count only where both the labels and the model have any.

    Raises:
        DataError: a strict comparison was asked for and no label says where it stands.
    """
    if not strict:
        return Comparison(), list(examples)
    labels = [triple for example in examples for triple in example.triples]
    if not any(_is_placed(triple) for triple in labels):
        raise DataError(
            "a strict comparison needs labels with places, and no label here has them; "
            'give triples as {"subject", "subject_start", "predicate", "object", "object_start"}, '
            "or leave out --strict to compare words"
        )
    types = any(t.subject_type or t.object_type for t in labels) and any(
        label.subject_type or label.object_type for label in model.labels
    )
    kept = [example for example in examples if all(map(_is_placed, example.triples))]
    return Comparison(places=True, types=types), kept


def judge(
    model: ReadsTriples,
    examples: Sequence[TripleExample],
    comparison: Comparison | None = None,
    threads: int = 1,
    schema: Schema | None = None,
) -> Iterator[Judged]:
    """Run the model over labelled texts and judge its answers, in the order of the texts.

    Args:
        model: the model.
        examples: texts with their labels.
        comparison: what must agree; words, where nothing else is said.
        threads: chunks of texts worked on at the same time.
        schema: rules for the answers, applied before they are judged.
    """
    how = comparison or Comparison()

    def work(chunk: Sequence[TripleExample]) -> list[Judged]:
        found = model([example.text for example in chunk])
        if schema is not None:
            found = [schema.apply(e.text, t) for e, t in zip(chunk, found, strict=True)]
        return [
            _judge(model, example, triples, how)
            for example, triples in zip(chunk, found, strict=True)
        ]

    yield from in_chunks(work, examples, threads)


def in_chunks(
    work: Callable[[Sequence[_E]], Iterable[_J]], examples: Sequence[_E], threads: int
) -> Iterator[_J]:
    """What ``work`` makes of chunks of examples, in their order, several at the same time."""
    chunks = [examples[at : at + _CHUNK] for at in range(0, len(examples), _CHUNK)]
    pool = ThreadPoolExecutor(threads)
    try:
        for judged in pool.map(work, chunks):
            yield from judged
    finally:
        pool.shutdown(cancel_futures=True)


def _judge(
    model: ReadsTriples, example: TripleExample, triples: Sequence[Triple], how: Comparison
) -> Judged:
    given: dict[Hashable, Triple] = {}
    for triple in triples:
        key = how.given(triple)
        if key not in given or triple.score > given[key].score:
            given[key] = triple
    wanted = {how.wanted(label): label for label in example.triples}
    judged = {key: t for key, t in given.items() if was_sought(example, t.predicate)}
    facts = [
        _given(triple, "right" if key in wanted else "wrong") for key, triple in judged.items()
    ]
    missed = [label for key, label in wanted.items() if key not in judged]
    if missed:
        encoding = model.codec.encode(example.text)
        facts += [_missed(model, example, label, encoding, how) for label in missed]
    return Judged(example, tuple(facts), len(given) - len(judged))


def _given(triple: Triple, status: Status) -> Fact:
    s, o = triple.subject, triple.object
    return Fact(
        status,
        s.text,
        triple.predicate,
        o.text,
        (s.start, s.end),
        (o.start, o.end),
        triple.score,
        triple.subject_type,
        triple.object_type,
    )


def _missed(
    model: ReadsTriples,
    example: TripleExample,
    label: LabelledTriple,
    encoding: Encoding,
    how: Comparison,
) -> Fact:
    placed, codec = _align(model, example, label, encoding)[0], model.codec
    subject: Place | None
    object_: Place | None
    if placed is not None:
        ends = (codec.span(encoding, *placed.subject), codec.span(encoding, *placed.object))
        subject, object_ = ((span.start, span.end) for span in ends)
    else:
        subject = _search(example.text, label.subject, label.subject_start)
        object_ = _search(example.text, label.object, label.object_start)
    # Where words are compared, any place would do.
    bare = label if how.places else LabelledTriple(label.subject, label.predicate, label.object)
    return Fact(
        "missed",
        label.subject,
        label.predicate,
        label.object,
        subject,
        object_,
        subject_type=label.subject_type,
        object_type=label.object_type,
        reason=_align(model, example, bare, encoding)[1],
    )


def _align(
    model: ReadsTriples, example: TripleExample, label: LabelledTriple, encoding: Encoding
) -> tuple[AlignedTriple | None, Reason | None]:
    """Where a label stands in units, and why no model could find it there."""
    alone = msgspec.structs.replace(example, triples=(label,))
    placed, problems = align(alone, encoding, model.codec)
    problems += outside(alone, placed, model.windows(encoding))
    lost: list[Reason] = [p.kind for p in problems if p.kind in ("absent", "border", "window")]
    if lost or not placed:
        return None, lost[0] if lost else None
    read = [model.codec.span(encoding, *of).text for of in (placed[0].subject, placed[0].object)]
    return placed[0], None if read == [label.subject, label.object] else "spelling"


def _search(text: str, part: str, start: int | None) -> Place | None:
    """Where to show an end that stands on no unit borders."""
    at = text.find(part) if start is None or not text.startswith(part, start) else start
    return None if at < 0 else (at, at + len(part))


def _is_placed(triple: LabelledTriple) -> bool:
    return triple.subject_start is not None and triple.object_start is not None
