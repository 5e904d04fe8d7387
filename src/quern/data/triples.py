"""Labelled triples, a text a line, and facts without texts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from quern.data.lines import (
    BadLine,
    bad_lines,
    not_utf8,
    numbered_lines,
    open_bytes,
    scan,
    to_the_end,
    whole,
)
from quern.errors import DataError
from quern.records import LabelledSpan, LabelledTriple, TripleExample

_Triple = tuple[str, str, str] | LabelledTriple


class _TripleLine(msgspec.Struct):
    text: str
    triples: list[_Triple]
    complete: bool = True
    predicates: list[str] | None = None
    entities: list[LabelledSpan] = []
    id: str | int | None = None


_TRIPLE_LINE = msgspec.json.Decoder(_TripleLine)
_FACT_LINE: msgspec.json.Decoder[_Triple] = msgspec.json.Decoder(_Triple)


def scan_triples(path: Path) -> Iterator[TripleExample | BadLine]:
    """Read triple data line by line, bad lines as values rather than errors.

    Raises:
        DataError: the file is missing or cannot be read to its end.
    """
    return scan(path, lambda line, number: _example(_TRIPLE_LINE.decode(line), number))


def _triple(given: _Triple) -> LabelledTriple:
    triple = given if isinstance(given, LabelledTriple) else LabelledTriple(*given)
    if not (triple.subject and triple.predicate and triple.object):
        raise ValueError(f"a triple has an empty part: {list(triple.key)}")
    return triple


def _example(row: _TripleLine, number: int) -> TripleExample:
    triples = tuple(map(_triple, row.triples))
    for triple in triples:
        if row.predicates is not None and triple.predicate not in row.predicates:
            raise ValueError(
                f"a triple's predicate '{triple.predicate}' is not in this line's \"predicates\""
            )
    return TripleExample(
        text=row.text,
        triples=triples,
        complete=row.complete,
        predicates=None if row.predicates is None else tuple(row.predicates),
        entities=tuple(row.entities),
        id=None if row.id is None else str(row.id),
        line=number,
    )


def read_triples(path: Path) -> list[TripleExample]:
    """Read triple data whole.

    Raises:
        DataError: lines that cannot be read (the first few named), or no line at all.
    """
    return whole(path, scan_triples(path), "triples")


def read_facts(path: Path) -> list[LabelledTriple]:
    """Read facts without texts: a triple a line, as an object or as a list of three strings.

    Raises:
        DataError: lines that cannot be read (the first few named), or no line at all.
    """
    facts, bad = [], []
    with open_bytes(path) as stream:
        for number, line in to_the_end(numbered_lines(stream), str(path)):
            try:
                facts.append(_triple(_FACT_LINE.decode(line)))
            except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
                bad.append(BadLine(number, not_utf8(line) or str(error)))
    wanted = 'a line is {"subject": …, "predicate": …, "object": …} or a list of the three'
    if bad:
        raise DataError(bad_lines(path, bad, f"Mend them: {wanted}"))
    if not facts:
        raise DataError(f"{path}: no lines; {wanted}")
    return facts
