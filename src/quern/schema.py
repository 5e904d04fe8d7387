"""What a user knows about predicates, as rules for the triples that a model gives."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Literal, TypeAlias, get_args

import msgspec

from quern.errors import DataError
from quern.records import Span, Triple

Rule = Literal["types", "marks", "value", "inverse", "symmetric", "single"]
Effect = Literal["dropped", "changed", "added"]
RULES: tuple[Rule, ...] = get_args(Rule)  # in the order in which they are applied
EFFECTS: tuple[Effect, ...] = get_args(Effect)

Counts: TypeAlias = Counter[tuple[Rule, Effect]]
Place = tuple[int, int]  # where a slice of the text begins and ends


class Ends(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is said of the two ends of a predicate; nothing where a tuple is empty."""

    subject: tuple[str, ...] = ()
    object: tuple[str, ...] = ()


class PredicateRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rules of one predicate: a field for each, whose default says nothing.

    Attributes:
        types: the types that each end may have; an end without a type is not judged.
        marks: pairs of marks, such as ``《》``, between which an end stands whole.
        value: a regular expression that the whole object matches.
        inverse: the predicate that states the same fact from object to subject.
        symmetric: whether the predicate is its own inverse.
        single: whether a subject has at most one object.
    """

    types: Ends = Ends()
    marks: Ends = Ends()
    value: str | None = None
    inverse: str | None = None
    symmetric: bool = False
    single: bool = False


_SILENT = PredicateRules()


class Schema:
    """Rules for predicates; what they give, they leave as it is when applied once more.

    Attributes:
        predicates: the rules of each predicate.
        mirrors: every predicate that has an inverse, with that inverse.
        counts: how many triples each rule has dropped, changed and added so far.
    """

    def __init__(self, predicates: Mapping[str, PredicateRules]) -> None:
        """Check the rules of each predicate, and of all together.

        Raises:
            DataError: a rule makes no sense, or contradicts another.
        """
        self.predicates = dict(predicates)
        for name, rules in self.predicates.items():
            _check(name, rules)
        self.mirrors = _mirrors(self.predicates)
        self.counts: Counts = Counter()
        self._lock = Lock()

    @classmethod
    def load(cls, path: str | Path) -> Schema:
        """Read a schema file; ``docs/data.md`` says what it holds.

        Raises:
            DataError: the file cannot be read, or holds what a schema does not.
        """
        try:
            return cls(_parse(Path(path).read_bytes()))
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}") from error
        except DataError as error:
            raise DataError(f"{path}: {error}") from error

    def without(self, *rules: Rule) -> Schema:
        """The same schema with some rules left out."""
        silent = {rule: getattr(_SILENT, rule) for rule in rules}
        return Schema({n: msgspec.structs.replace(r, **silent) for n, r in self.predicates.items()})

    @property
    def names(self) -> list[str]:
        """All predicates that the schema speaks of."""
        return list(dict.fromkeys([*self.predicates, *self.mirrors]))

    def apply(self, text: str, triples: Sequence[Triple]) -> list[Triple]:
        """What the rules leave and add of a text's triples; ``counts`` grows by what they did.

        Triples keep their order; an added one stands behind the one it was made from.
        """
        did: Counts = Counter()
        marked = _MarkedText(text)
        kept = _filtered(triples, "types", self._has_types, did)
        kept = self._fitted(kept, marked, did)
        kept = _filtered(kept, "value", self._has_value, did)
        kept = self._mirrored(kept, "inverse", marked, did)
        kept = self._mirrored(kept, "symmetric", marked, did)
        kept = self._singled(kept, did)
        with self._lock:  # texts are read by several threads
            self.counts += did
        return kept

    def _of(self, triple: Triple) -> PredicateRules:
        return self.predicates.get(triple.predicate, _SILENT)

    def _has_types(self, triple: Triple) -> bool:
        types = self._of(triple).types
        return all(
            given is None or not allowed or given in allowed
            for given, allowed in (
                (triple.subject_type, types.subject),
                (triple.object_type, types.object),
            )
        )

    def _has_value(self, triple: Triple) -> bool:
        value = self._of(triple).value
        return value is None or re.fullmatch(value, triple.object.text) is not None

    def _fit(self, triple: Triple, marked: _MarkedText) -> Triple:
        marks = self._of(triple).marks
        subject = marked.fit(triple.subject, marks.subject)
        object_ = marked.fit(triple.object, marks.object)
        if (subject, object_) == (triple.subject, triple.object):
            return triple
        return msgspec.structs.replace(triple, subject=subject, object=object_)

    def _fitted(self, triples: Sequence[Triple], marked: _MarkedText, did: Counts) -> list[Triple]:
        if all(rules.marks == _SILENT.marks for rules in self.predicates.values()):
            return list(triples)
        fitted = [self._fit(triple, marked) for triple in triples]
        did["marks", "changed"] += sum(a is not b for a, b in zip(triples, fitted, strict=True))
        return _once(fitted, "marks", did)

    def _mirrored(
        self, triples: Sequence[Triple], rule: Rule, marked: _MarkedText, did: Counts
    ) -> list[Triple]:
        itself = rule == "symmetric"
        mirrors = {a: b for a, b in self.mirrors.items() if (a == b) == itself}
        if not mirrors:
            return list(triples)
        triples = _once(triples, rule, did)
        there = {triple.strict_key: triple for triple in triples}
        kept: list[Triple] = []
        for triple in triples:
            kept.append(triple)
            if triple.predicate not in mirrors:
                continue
            mirror = _mirror(triple, mirrors[triple.predicate])
            twin = there.get(mirror.strict_key)
            if twin is None:
                # What is added must itself stand up to the rules of its predicate.
                fits = self._fit(mirror, marked) is mirror
                if fits and self._has_types(mirror) and self._has_value(mirror):
                    kept.append(mirror)
                    did[rule, "added"] += 1
            elif (surer := _surer(triple, twin)) != triple:
                kept[-1] = surer
                did[rule, "changed"] += 1
        return kept

    def _singled(self, triples: Sequence[Triple], did: Counts) -> list[Triple]:
        """Go through facts, as words, from the best to the least; drop what finds its place taken.

        A fact and its mirror are one: they stay or go together. So nothing comes back when the
        rules are applied again.
        """
        best: dict[tuple[str, str, str], tuple[bool, float]] = {}
        for triple in triples:
            rank = (not triple.uncertain, triple.score)
            best[triple.key] = max(rank, best.get(triple.key, rank))
        taken: dict[tuple[str, str], str] = {}
        stays: dict[tuple[str, str, str], bool] = {}
        for fact in sorted(best, key=best.__getitem__, reverse=True):
            if fact in stays:
                continue
            s, p, o = fact
            sides = [fact] if p not in self.mirrors else [fact, (o, self.mirrors[p], s)]
            sides = [side for side in sides if side in best]
            claims = {(s, p): o for s, p, o in sides if self.predicates.get(p, _SILENT).single}
            free = all(taken.get(claim, o) == o for claim, o in claims.items())
            if free:
                taken.update(claims)
            stays.update(dict.fromkeys(sides, free))
        return _filtered(triples, "single", lambda triple: stays[triple.key], did)


class _MarkedText:
    """A text, and what stands between marks in it, found once for each pair of marks."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._pairs: dict[str, list[tuple[Place, Place]]] = {}

    def fit(self, span: Span, marks: Sequence[str]) -> Span:
        """The whole of what stands between the marks that ``span`` meets, if it meets one pair.

        Of pairs that hold the span, the smallest counts. The result is always the inside of a
        pair, and such a span is left as it is.
        """
        pairs = [pair for of in marks for pair in self._between(of)]
        met = [
            (outer, inner)
            for outer, inner in pairs
            if inner[0] < span.end and span.start < inner[1]
        ]
        if any(inner == (span.start, span.end) for _, inner in met):
            return span
        around = [pair for pair in met if pair[0][0] <= span.start and span.end <= pair[0][1]]
        if around:
            met = [min(around, key=lambda pair: pair[0][1] - pair[0][0])]
        if len(met) != 1:
            return span
        start, end = met[0][1]
        return Span(start, end, self._text[start:end])

    def _between(self, marks: str) -> list[tuple[Place, Place]]:
        """Every pair of marks: with them, and what stands inside without white space around."""
        if marks not in self._pairs:
            self._pairs[marks] = list(_pairs(self._text, marks))
        return self._pairs[marks]


def _pairs(text: str, marks: str) -> Iterator[tuple[Place, Place]]:
    opening, closing = marks[0], marks[1]
    waiting: list[int] = []
    for match in re.finditer(f"[{re.escape(marks)}\n]", text):
        at = match.start()
        if text[at] == "\n":
            waiting.clear()  # a mark that was never closed reaches no further than its line
        elif text[at] == closing and waiting:  # first, since opening and closing may be the same
            first = waiting.pop()
            inside = text[first + 1 : at]
            start = first + 1 + len(inside) - len(inside.lstrip())
            if inside.strip():
                yield (first, at + 1), (start, start + len(inside.strip()))
        elif text[at] == opening:
            waiting.append(at)


def _filtered(
    triples: Sequence[Triple], rule: Rule, keep: Callable[[Triple], bool], did: Counts
) -> list[Triple]:
    kept = [triple for triple in triples if keep(triple)]
    did[rule, "dropped"] += len(triples) - len(kept)
    return kept


def _once(triples: Sequence[Triple], rule: Rule, did: Counts) -> list[Triple]:
    """Each triple once, where it stood first."""
    kept: dict[Hashable, Triple] = {}
    for triple in triples:
        first = kept.setdefault(triple.strict_key, triple)
        kept[triple.strict_key] = _surer(first, triple)
    did[rule, "dropped"] += len(triples) - len(kept)
    return list(kept.values())


def _surer(triple: Triple, twin: Triple) -> Triple:
    """The triple with what the same fact, given once more, adds to its certainty."""
    score = max(triple.score, twin.score)
    return msgspec.structs.replace(
        triple, score=score, uncertain=triple.uncertain and twin.uncertain
    )


def _mirror(triple: Triple, predicate: str) -> Triple:
    return msgspec.structs.replace(
        triple,
        subject=triple.object,
        predicate=predicate,
        object=triple.subject,
        subject_type=triple.object_type,
        object_type=triple.subject_type,
    )


# -- reading and checking ------------------------------------------------------------


def _parse(content: bytes) -> dict[str, PredicateRules]:
    """The rules of each predicate, by name."""
    try:
        value = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_unique)
    except UnicodeDecodeError as error:
        why = f"{error.reason} at byte {error.start}"
        raise DataError(f"not UTF-8 ({why}); save it as UTF-8") from error
    except json.JSONDecodeError as error:
        raise DataError(f"not JSON: {error}") from error
    named = value.get("predicates") if isinstance(value, dict) and len(value) == 1 else None
    if not isinstance(named, dict) or not named:
        raise DataError('expected one object {"predicates": {NAME: {RULE: …}}}; see docs/data.md')
    return {name: _rules(name, rules) for name, rules in named.items()}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; of two values under one key, JSON readers silently keep the last."""
    counts = Counter(key for key, _ in pairs)
    twice = [key for key, count in counts.items() if count > 1]
    if twice:
        raise DataError(f"'{twice[0]}' stands twice in one object; join the two")
    return dict(pairs)


def _rules(name: str, value: Any) -> PredicateRules:
    try:
        return msgspec.convert(value, PredicateRules)
    except msgspec.ValidationError as error:
        known = ", ".join(RULES)
        raise DataError(f"'{name}': {error}; the rules are {known} (docs/data.md)") from error


def _check(name: str, rules: PredicateRules) -> None:
    """Look at the rules of one predicate by themselves."""
    for marks in (*rules.marks.subject, *rules.marks.object):
        if len(marks) != 2 or any(mark.isalnum() or mark.isspace() for mark in marks):
            raise DataError(
                f"'{name}': marks '{marks}' are no pair; give two marks, opening and closing, "
                "such as '《》'"
            )
    if rules.value is not None:
        try:
            re.compile(rules.value)
        except re.error as error:
            raise DataError(
                f"'{name}': value '{rules.value}' is no regular expression: {error}; "
                "see docs.python.org/3/library/re.html"
            ) from error
    if rules.inverse == name:
        raise DataError(f"'{name}' is named as its own inverse; write \"symmetric\": true instead")
    if rules.symmetric and rules.inverse is not None:
        raise DataError(
            f"'{name}' is symmetric, and '{rules.inverse}' is its inverse; "
            "a symmetric predicate is its own inverse: leave one out"
        )


def _mirrors(predicates: Mapping[str, PredicateRules]) -> dict[str, str]:
    """Every predicate's inverse, though only one of the two may name the other."""
    mirrors: dict[str, str] = {name: name for name, of in predicates.items() if of.symmetric}
    for name, rules in predicates.items():
        if rules.inverse is None:
            continue
        for one, other in ((name, rules.inverse), (rules.inverse, name)):
            known = mirrors.setdefault(one, other)
            if known != other:
                raise DataError(f"'{one}' has two inverses, '{known}' and '{other}'; leave one out")
    return mirrors
