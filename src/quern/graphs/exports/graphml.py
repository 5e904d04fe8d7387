"""GraphML, which networkx, Gephi and yEd read."""

from __future__ import annotations

import re
from typing import IO
from xml.sax.saxutils import escape, quoteattr

from quern.graphs.exports.kept import Kept

_KEYS = (
    ("name", "node", "string"),
    ("types", "node", "string"),
    ("value", "node", "boolean"),
    ("predicate", "edge", "string"),
    ("score", "edge", "double"),
    ("documents", "edge", "string"),
)
# XML 1.0 has no place for these at all, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_graphml(kept: Kept, out: IO[bytes]) -> None:
    """A directed graph with several edges between two nodes where several facts stand.

    Characters that XML cannot hold become U+FFFD.
    """
    out.write(b"<?xml version='1.0' encoding='utf-8'?>\n")
    out.write(b'<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n')
    for name, of, kind in _KEYS:
        key = f'  <key id="{name}" for="{of}" attr.name="{name}" attr.type="{kind}"/>\n'
        out.write(key.encode())
    out.write(b'  <graph id="quern" edgedefault="directed">\n')
    for node in kept.nodes():
        said = {"name": node.name, "types": "; ".join(node.types)}
        said["value"] = "true" if node.value else "false"
        out.write(f"    <node id={_attribute(node.id)}>{_data(said)}</node>\n".encode())
    for number, fact in enumerate(kept.facts()):
        documents = dict.fromkeys(place.document for place in fact.evidence)
        said = {"predicate": fact.predicate, "score": repr(fact.score)}
        said["documents"] = "; ".join(documents)
        ends = f"source={_attribute(fact.subject)} target={_attribute(fact.object)}"
        out.write(f'    <edge id="f{number}" {ends}>{_data(said)}</edge>\n'.encode())
    out.write(b"  </graph>\n</graphml>\n")


def _data(said: dict[str, str]) -> str:
    rows = (f'<data key="{key}">{escape(_xml(text))}</data>' for key, text in said.items() if text)
    return "".join(rows)


def _attribute(text: str) -> str:
    return quoteattr(_xml(text), {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
