"""Entities as JSON lines: ours, and those of the CCKS2019 contest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from quern.data import not_utf8, numbered_lines, open_bytes, to_the_end
from quern.kb.readers.rows import Reading, Row
from quern.records import Entity

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_SUMMARY = "摘要"  # the predicate whose object describes an entity in CCKS2019


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    id: str | int
    name: str
    aliases: tuple[str, ...] = ()
    description: str = ""
    types: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    popularity: float | None = None


class _Fact(msgspec.Struct, forbid_unknown_fields=True):
    predicate: str
    object: str


class _CcksLine(msgspec.Struct, forbid_unknown_fields=True):
    subject_id: str | int
    subject: str
    alias: tuple[str, ...] = ()
    type: tuple[str, ...] = ()
    data: tuple[_Fact, ...] = ()


_AnyLine = TypeVar("_AnyLine")


def entities(path: Path, reading: Reading) -> Iterator[Row]:
    """Lines of ``{"id", "name", "aliases", "description", "types", "facts", "popularity"}``."""
    return _read(path, reading, _Line, _entity)


def ccks2019(path: Path, reading: Reading) -> Iterator[Row]:
    """Lines of the contest's ``kb_data``: what is said under 摘要 first becomes the description."""
    return _read(path, reading, _CcksLine, _ccks_entity)


def is_ccks2019(line: bytes) -> bool:
    """Whether a line is of the contest's format."""
    try:
        row = msgspec.json.decode(line)
    except _UNREADABLE:
        return False
    return isinstance(row, dict) and "subject_id" in row


def _read(
    path: Path, reading: Reading, kind: type[_AnyLine], make: Callable[[_AnyLine], Entity]
) -> Iterator[Row]:
    typed, loose = msgspec.json.Decoder(kind), msgspec.json.Decoder(dict[str, Any])
    with open_bytes(path) as stream:
        for number, line in to_the_end(numbered_lines(stream), str(path)):
            try:
                if reading.ignore:
                    row = loose.decode(line)
                    kept = {key: row[key] for key in row if key not in reading.ignore}
                    yield number, make(msgspec.convert(kept, kind))
                else:
                    yield number, make(typed.decode(line))
            except _UNREADABLE as error:
                yield number, not_utf8(line) or _explained(str(error))


def _explained(error: str) -> str:
    if "unknown field" in error:
        return f"{error}; leave it out with --ignore, or make it one of the facts"
    return error


def _entity(line: _Line) -> Entity:
    return Entity(
        str(line.id),
        line.name,
        line.aliases,
        line.description,
        line.types,
        line.facts,
        line.popularity,
    )


def _ccks_entity(line: _CcksLine) -> Entity:
    summaries = [fact.object for fact in line.data if fact.predicate == _SUMMARY]
    facts = [(fact.predicate, fact.object) for fact in line.data]
    if summaries:
        facts.remove((_SUMMARY, summaries[0]))
    return Entity(
        str(line.subject_id),
        line.subject,
        line.alias,
        summaries[0] if summaries else "",
        line.type,
        tuple(facts),
    )
