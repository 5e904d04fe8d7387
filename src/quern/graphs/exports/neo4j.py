"""CSV files for Neo4j's bulk import (neo4j-admin database import)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import IO

from quern.graphs.exports.kept import Kept
from quern.graphs.records import Node

NODES, FACTS = "nodes.csv", "facts.csv"
_BETWEEN = ";"  # what the import splits labels at


def write_nodes(kept: Kept, out: IO[bytes]) -> None:
    """A row for each node; its types are labels, ``Value`` and ``Thing`` beside them."""
    heads = ("id:ID", "name", ":LABEL")
    _write(out, heads, ([node.id, node.name, _labels(node)] for node in kept.nodes()))


def write_facts(kept: Kept, out: IO[bytes]) -> None:
    """A row for each fact; documents stand in an array."""
    heads = (":START_ID", ":TYPE", ":END_ID", "score:double", "documents:string[]")
    rows = (
        [fact.subject, fact.predicate, fact.object, repr(fact.score), _several(documents)]
        for fact in kept.facts()
        for documents in [dict.fromkeys(place.document for place in fact.evidence)]
    )
    _write(out, heads, rows)


def _labels(node: Node) -> str:
    return _several(["Value" if node.value else "Thing", *node.types])


def _several(names: Iterable[str]) -> str:
    return _BETWEEN.join(name.replace(_BETWEEN, ",") for name in names)


def _write(out: IO[bytes], heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    stream = io.TextIOWrapper(out, encoding="utf-8", errors="replace", newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(heads)
    writer.writerows(rows)
    stream.flush()
    stream.detach()
