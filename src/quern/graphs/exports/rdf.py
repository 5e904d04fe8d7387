"""RDF: every fact as a triple, and what is known of it as a statement about that triple.

A fact is stated twice: plainly, for those who only want it, and as an ``rdf:Statement`` with its
score and with each place where it was read, for those who ask why (RDF 1.1 Semantics, appendix on
reification).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import groupby
from typing import IO, Any
from urllib.parse import quote

import msgspec

from quern.graphs.exports.kept import Kept
from quern.graphs.records import VALUE, Evidence, Fact, Node

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
XSD = "http://www.w3.org/2001/XMLSchema#"
OURS = "urn:quern:"
_SAFE = "-._~"  # what an IRI takes as it is, besides letters and digits
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r"}
_ESCAPED = re.compile(r'["\\\n\r]')
_HALVES = re.compile("[\ud800-\udfff]")  # halves of characters, which UTF-8 cannot hold
_LOT = 2000  # facts written at once

Term = tuple[str, str]  # an IRI or a blank node and "", or a text and the IRI of its type
Row = tuple[str, str, Term]  # subject and predicate as IRIs


def iri(kind: str, name: str) -> str:
    """The IRI of a thing of ours; any two names have two."""
    return f"{OURS}{kind}:{quote(name, _SAFE, errors='surrogatepass')}"


_iri = lru_cache(1 << 16)(iri)


def of_node(node: Node) -> Iterator[Row]:
    """What a node is called, and what it is."""
    if node.value:
        return
    subject = _iri("node", node.id)
    yield subject, f"{RDFS}label", (node.name, f"{XSD}string")
    for type_ in node.types:
        yield subject, f"{RDF}type", (_iri("type", type_), "")


def of_fact(fact: Fact) -> Iterator[Row]:
    """A fact, what is known of it, and where it was read."""
    subject, predicate = _iri("node", fact.subject), _iri("predicate", fact.predicate)
    object_ = _object(fact.object)
    yield subject, predicate, object_
    key = "\0".join(fact.key).encode("utf-8", "surrogatepass")
    stated = f"{OURS}fact:{hashlib.blake2b(key, digest_size=12).hexdigest()}"
    yield stated, f"{RDF}type", (f"{RDF}Statement", "")
    yield stated, f"{RDF}subject", (subject, "")
    yield stated, f"{RDF}predicate", (predicate, "")
    yield stated, f"{RDF}object", object_
    yield stated, f"{OURS}score", (repr(fact.score), f"{XSD}double")
    for number, place in enumerate(fact.evidence):
        yield stated, f"{OURS}evidence", (f"{stated}:{number}", "")
        yield from _of_evidence(f"{stated}:{number}", place)


def _of_evidence(subject: str, place: Evidence) -> Iterator[Row]:
    yield subject, f"{OURS}document", (_iri("document", place.document), "")
    yield subject, f"{OURS}score", (repr(place.score), f"{XSD}double")
    spots = zip(("subject", "object"), (place.subject, place.object), strict=True)
    for end, (start, stop) in spots:
        yield subject, f"{OURS}{end}-start", (str(start), f"{XSD}integer")
        yield subject, f"{OURS}{end}-end", (str(stop), f"{XSD}integer")


def _object(id_: str) -> Term:
    if id_.startswith(VALUE):
        return id_.removeprefix(VALUE), f"{XSD}string"
    return _iri("node", id_), ""


def rows_of(kept: Kept) -> Iterator[Row]:
    """All that is stated, nodes first."""
    for node in kept.nodes():
        yield from of_node(node)
    for fact in kept.facts():
        yield from of_fact(fact)


# -- forms ------------------------------------------------------------------------------


def write_ntriples(kept: Kept, out: IO[bytes]) -> None:
    """N-Triples: a line for each triple, in the order of nodes and facts."""
    _write_lines(out, (f"<{s}> <{p}> {_long(o)} .\n" for s, p, o in rows_of(kept)))


def write_turtle(kept: Kept, out: IO[bytes]) -> None:
    """Turtle: what is said of one thing stands together."""
    out.write(f"@prefix rdf: <{RDF}> .\n@prefix rdfs: <{RDFS}> .\n".encode())
    out.write(f"@prefix xsd: <{XSD}> .\n\n".encode())
    for subject, rows in groupby(rows_of(kept), key=lambda row: row[0]):
        said = " ;\n    ".join(f"{_short(p)} {_short_term(o)}" for _, p, o in rows)
        out.write(f"<{subject}> {said} .\n".encode())


def write_jsonld(kept: Kept, out: IO[bytes]) -> None:
    """JSON-LD: an object for each thing, in one list."""
    encode, first = msgspec.json.Encoder().encode, True
    out.write(b"[\n")
    for subject, rows in groupby(rows_of(kept), key=lambda row: row[0]):
        said: dict[str, Any] = {"@id": subject}
        for _, predicate, (value, type_) in rows:
            if predicate == f"{RDF}type":
                said.setdefault("@type", []).append(value)
            else:
                term = {"@value": _whole(value), "@type": type_} if type_ else {"@id": value}
                said.setdefault(predicate, []).append(term)
        out.write((b"" if first else b",\n") + encode(said))
        first = False
    out.write(b"\n]\n")


def _write_lines(out: IO[bytes], lines: Iterable[str]) -> None:
    lot: list[str] = []
    for line in lines:
        lot.append(line)
        if len(lot) >= 10 * _LOT:
            out.write("".join(lot).encode())
            lot.clear()
    out.write("".join(lot).encode())


def _whole(text: str) -> str:
    return _HALVES.sub("\ufffd", text)


def _quoted(text: str) -> str:
    return f'"{_ESCAPED.sub(_escape, _whole(text))}"'


def _escape(match: re.Match[str]) -> str:
    return _ESCAPES[match[0]]


def _long(term: Term) -> str:
    value, type_ = term
    if not type_:
        return f"<{value}>"
    return _quoted(value) if type_ == f"{XSD}string" else f'"{value}"^^<{type_}>'


def _short(name: str) -> str:
    for prefix, start in (("rdf:", RDF), ("rdfs:", RDFS), ("xsd:", XSD)):
        if name.startswith(start):
            return prefix + name.removeprefix(start)
    return f"<{name}>"


def _short_term(term: Term) -> str:
    value, type_ = term
    if not type_:
        return _short(value)
    return _quoted(value) if type_ == f"{XSD}string" else f'"{value}"^^{_short(type_)}'
