"""What documents say, kept in the file of a knowledge base."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from quern.errors import StoreError
from quern.graphs.graph import fact_of, joined
from quern.graphs.records import DocumentGraph, Evidence, Fact, Named, Node, Passage
from quern.kb.store import Store

_LIST = msgspec.json.Decoder(list[str])
_EVIDENCE = (
    "e.subject, e.predicate, e.object, d.id, e.subject_start, e.subject_stop, e.object_start,"
    " e.object_stop, e.score"
)


class Asked(NamedTuple):
    """Which facts are wanted; those of which all holds that is said.

    Attributes:
        node: id of the subject or the object.
        predicate: what is said.
        document: id of a document that says it.
        least: score of its surest evidence, at least.
    """

    node: str | None = None
    predicate: str | None = None
    document: str | None = None
    least: float = 0.0


class GraphStats(NamedTuple):
    """How much there is."""

    documents: int
    nodes: int
    facts: int
    evidence: int
    mentions: int


class GraphStore:
    """Documents and what they say; beside the entities of a base, or in a file of its own."""

    def __init__(self, path: str | Path, *, create: bool = False) -> None:
        """Open a file.

        Raises:
            StoreError: no such file (unless it may be made), or not one of a knowledge base.
        """
        self._store = Store(Path(path), create=create)

    def close(self) -> None:
        """Let go of the file."""
        self._store.close()

    def __enter__(self) -> GraphStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def snapshot(self) -> AbstractContextManager[None]:
        """All that is read inside is of one moment; see ``quern.store.Store``."""
        return self._store.snapshot()

    # -- documents ------------------------------------------------------------------------

    def hashes(self, documents: Collection[str]) -> dict[str, str]:
        """Of those documents that are there, what tells their texts from others."""
        rows = self._store.rows(
            "SELECT id, hash FROM documents WHERE id IN (SELECT value FROM json_each(?))",
            [msgspec.json.encode(list(documents)).decode()],
        )
        return dict(rows)

    def add(self, graphs: Sequence[DocumentGraph], hashes: Mapping[str, str]) -> None:
        """Keep what documents say, all or none; one that is there already is written anew.

        Args:
            graphs: one for each document.
            hashes: by document, what tells its text from others.

        Raises:
            BusyError: another writer would not give way.
            StoreError: the file cannot be written to.
        """
        with self._store.transaction():
            self._forget([graph.document for graph in graphs])
            for graph in graphs:
                self._store.run(
                    "INSERT INTO documents (id, hash) VALUES (?, ?)",
                    [graph.document, hashes[graph.document]],
                )
                (number,) = self._store.rows("SELECT last_insert_rowid()")[0]
                for table, rows in _rows_of(graph, number).items():
                    if rows:
                        marks = ", ".join("?" * len(rows[0]))
                        self._store.run_many(f"INSERT INTO {table} VALUES ({marks})", rows)

    def forget(self, documents: Collection[str]) -> int:
        """Remove documents and what only they said; gives how many there were.

        Raises:
            BusyError: see ``add``.
            StoreError: see ``add``.
        """
        with self._store.transaction():
            return self._forget(documents)

    def _forget(self, documents: Collection[str]) -> int:
        asked = [msgspec.json.encode(list(documents)).decode()]
        where = "(SELECT number FROM documents WHERE id IN (SELECT value FROM json_each(?)))"
        for table in ("nodes", "mentions", "evidence", "passages"):
            self._store.run(f"DELETE FROM {table} WHERE document IN {where}", asked)
        return self._store.run(f"DELETE FROM documents WHERE number IN {where}", asked)

    # -- asking ---------------------------------------------------------------------------

    def facts(self, asked: Asked | None = None) -> Iterator[Fact]:
        """Facts in the order of their keys, each with all its evidence.

        Raises:
            StoreError: the file cannot be read.
        """
        asked = asked or Asked()
        given: list[Any] = []
        where = []
        if asked.node is not None:
            where.append("(e.subject = ? OR e.object = ?)")
            given += [asked.node, asked.node]
        if asked.predicate is not None:
            where.append("e.predicate = ?")
            given.append(asked.predicate)
        if asked.document is not None:
            where.append(
                "EXISTS (SELECT 1 FROM evidence AS o JOIN documents AS s ON s.number = o.document"
                " WHERE s.id = ? AND (o.subject, o.predicate, o.object)"
                " = (e.subject, e.predicate, e.object))"
            )
            given.append(asked.document)
        condition = f" WHERE {' AND '.join(where)}" if where else ""
        rows = self._store.stream(
            f"SELECT {_EVIDENCE} FROM evidence AS e JOIN documents AS d ON d.number = e.document"
            f"{condition} ORDER BY e.subject, e.predicate, e.object",
            given,
        )
        for key, same in groupby(rows, key=lambda row: row[:3]):
            fact = fact_of(key, [_evidence(row) for row in same])
            if fact.score >= asked.least:
                yield fact

    def nodes(self, ids: Collection[str] | None = None) -> Iterator[Node]:
        """Nodes in the order of their ids; all, or those of some ids."""
        where, given = "", []
        if ids is not None:
            where = " WHERE id IN (SELECT value FROM json_each(?))"
            given = [msgspec.json.encode(list(ids)).decode()]
        rows = self._store.stream(f"SELECT id, name, types FROM nodes{where} ORDER BY id", given)
        for _, same in groupby(rows, key=lambda row: row[0]):
            node = None
            for row in same:
                one = _node(row)
                node = one if node is None else joined(node, one)
            assert node is not None
            yield node

    def find(self, said: str) -> list[str]:
        """The ids of nodes that have this id or, if none has, this name."""
        for column in ("id", "name"):
            rows = self._store.rows(
                f"SELECT DISTINCT id FROM nodes WHERE {column} = ? ORDER BY id", [said]
            )
            if rows:
                return [id_ for (id_,) in rows]
        return []

    def mentions(self, document: str) -> list[Named]:
        """Where a document names nodes, in order.

        Raises:
            StoreError: there is no such document.
        """
        number = self._number(document)
        rows = self._store.rows(
            "SELECT start, stop, words, node, score FROM mentions WHERE document = ?"
            " ORDER BY start, stop, words, node",
            [number],
        )
        return [Named(*row) for row in rows]

    def why(self, evidence: Evidence) -> Passage:
        """The sentences in which a fact was read.

        Raises:
            StoreError: nothing was kept of that document.
        """
        rows = self._store.rows(
            "SELECT start, words FROM passages WHERE document = ? AND start <= ?"
            " ORDER BY start DESC LIMIT 1",
            [self._number(evidence.document), min(evidence.subject[0], evidence.object[0])],
        )
        if not rows or not (passage := Passage(*rows[0])).holds(evidence):
            raise StoreError(f"{self._store.path}: no passage of '{evidence.document}' has it")
        return passage

    def stats(self) -> GraphStats:
        """How much there is."""
        counts = (
            "SELECT count(*) FROM documents",
            "SELECT count(DISTINCT id) FROM nodes",
            "SELECT count(*) FROM (SELECT DISTINCT subject, predicate, object FROM evidence)",
            "SELECT count(*) FROM evidence",
            "SELECT count(*) FROM mentions",
        )
        return GraphStats(*(self._store.rows(query)[0][0] for query in counts))

    def conflicts(self, single: Iterable[str]) -> Iterator[list[Fact]]:
        """Facts that cannot all be true: of predicates with one object, several of a subject."""
        for predicate in sorted(set(single)):
            facts = self.facts(Asked(predicate=predicate))
            for _, same in groupby(facts, key=lambda fact: fact.subject):
                several = list(same)
                if len(several) > 1:
                    yield sorted(several, key=lambda fact: (-fact.score, fact.key))

    def _number(self, document: str) -> int:
        rows = self._store.rows("SELECT number FROM documents WHERE id = ?", [document])
        if not rows:
            raise StoreError(f"{self._store.path}: no document '{document}'")
        return int(rows[0][0])


def _rows_of(graph: DocumentGraph, number: int) -> dict[str, list[tuple[Any, ...]]]:
    """What the tables hold of a document."""
    places = [(fact, place) for fact in graph.facts for place in fact.evidence]
    return {
        "nodes": [
            (n.id, number, n.name, msgspec.json.encode(n.types).decode() if n.types else None)
            for n in graph.nodes
        ],
        "mentions": [(number, m.start, m.end, m.text, m.node, m.score) for m in graph.mentions],
        "evidence": [
            (*fact.key, number, *place.subject, *place.object, place.score)
            for fact, place in places
        ],
        "passages": [(number, passage.start, passage.text) for passage in graph.passages],
    }


def _evidence(row: Sequence[Any]) -> Evidence:
    _, _, _, document, a, b, c, d, score = row
    return Evidence(document, (a, b), (c, d), score)


def _node(row: Sequence[Any]) -> Node:
    id_, name, types = row
    return Node(id_, name, () if types is None else tuple(_LIST.decode(types)))
