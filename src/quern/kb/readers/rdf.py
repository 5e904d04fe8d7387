"""Entities as RDF: N-Triples and Turtle, read by pyoxigraph (extra ``rdf``)."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from quern.data import open_bytes
from quern.errors import DataError, MissingExtra
from quern.kb.readers.rows import Reading, Row
from quern.records import Entity

if TYPE_CHECKING:
    from pyoxigraph import Quad

_RDFS = "http://www.w3.org/2000/01/rdf-schema#"
_SKOS = "http://www.w3.org/2004/02/skos/core#"
_SCHEMA = ("http://schema.org/", "https://schema.org/")
_TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
_NAMES = frozenset(
    (
        *(_SKOS + "prefLabel", _RDFS + "label", "http://xmlns.com/foaf/0.1/name"),
        *(base + "name" for base in _SCHEMA),
    )
)
_ALIASES = frozenset((_SKOS + "altLabel", *(base + "alternateName" for base in _SCHEMA)))
_DESCRIPTIONS = frozenset(
    (
        *(_SKOS + "definition", _RDFS + "comment", "http://purl.org/dc/terms/description"),
        *(base + "description" for base in _SCHEMA),
    )
)


class _Word(NamedTuple):
    """A literal and its language."""

    text: str
    language: str


class _Gathered:
    """What statements say of one subject, and the number of the first of them."""

    def __init__(self, line: int) -> None:
        self.line = line
        self.names: list[_Word] = []
        self.aliases: list[_Word] = []
        self.descriptions: list[_Word] = []
        self.types: list[str] = []
        self.facts: list[tuple[str, str]] = []


def entities(path: Path, reading: Reading) -> Iterator[Row]:
    """An entity for each subject, its IRI the id.

    Labels are names (the first in the languages wanted is *the* name, the others aliases),
    comments are descriptions (the first one, the others facts), ``rdf:type`` gives types, and
    whatever else is said becomes facts. A subject without a label is called by the last part of
    its IRI. The statements of a file are gathered in memory.
    """
    subjects: dict[str, _Gathered] = {}
    for number, quad in enumerate(_statements(path), 1):
        subject = quad.subject
        if not hasattr(subject, "value") or _blank(subject):
            yield number, f"{subject} is said something of, and has no id outside this file"
            continue
        gathered = subjects.setdefault(subject.value, _Gathered(number))
        if quad.predicate.value in reading.ignore:
            continue
        if _blank(quad.object):
            yield number, f"{quad.object} is pointed at, and has no id outside this file"
            continue
        _gather(gathered, quad)
    for iri, gathered in subjects.items():
        yield gathered.line, _entity(iri, gathered, reading.languages)


def _blank(term: object) -> bool:
    return str(term).startswith("_:")


def _statements(path: Path) -> Iterator[Quad]:
    try:
        from pyoxigraph import RdfFormat, parse
    except ModuleNotFoundError as error:
        raise MissingExtra("reading RDF", "rdf") from error
    lines = ".nt" in (suffix.lower() for suffix in path.suffixes[-2:])
    form = RdfFormat.N_TRIPLES if lines else RdfFormat.TURTLE  # which reads both, more slowly
    try:
        with open_bytes(path) as stream:
            yield from parse(stream, form)
    except (SyntaxError, ValueError, OSError, EOFError, zlib.error) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise DataError(f"{path}{line}: not RDF: {error}") from error


def _gather(gathered: _Gathered, quad: Quad) -> None:
    predicate, object_ = quad.predicate.value, quad.object
    literal = hasattr(object_, "datatype")
    value = str(getattr(object_, "value", object_))
    word = _Word(value, getattr(object_, "language", None) or "")
    if literal and predicate in _NAMES:
        gathered.names.append(word)
    elif literal and predicate in _ALIASES:
        gathered.aliases.append(word)
    elif literal and predicate in _DESCRIPTIONS:
        gathered.descriptions.append(word)
    elif predicate == _TYPE:
        gathered.types.append(value)
    else:
        gathered.facts.append((predicate, value))


def _entity(iri: str, gathered: _Gathered, languages: tuple[str, ...]) -> Entity:
    names = _ranked(gathered.names, languages) or [re.split(r"[/#:]", iri.rstrip("/#:"))[-1]]
    descriptions = _ranked(gathered.descriptions, languages)
    others = tuple((_RDFS + "comment", text) for text in descriptions[1:])
    aliases = (*names[1:], *_ranked(gathered.aliases, languages))
    return Entity(
        iri,
        names[0],
        tuple(dict.fromkeys(alias for alias in aliases if alias != names[0])),
        descriptions[0] if descriptions else "",
        tuple(gathered.types),
        (*gathered.facts, *others),
    )


def _ranked(words: list[_Word], languages: tuple[str, ...]) -> list[str]:
    """Literals, those in the languages wanted first; ``zh`` is wanted in ``zh-hans``, too."""

    def rank(word: _Word) -> int:
        tag = f"{word.language}-".lower()
        fit = (n for n, wanted in enumerate(languages) if tag.startswith(f"{wanted}-".lower()))
        return next(fit, len(languages))

    return [word.text for word in sorted(words, key=rank)]
