"""A graph: the nodes and facts of any number of documents, each once."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from quern.graphs.records import DocumentGraph, Evidence, Fact, Node


class Graph(msgspec.Struct, frozen=True):
    """Nodes and facts; the same documents in any order give the same graph.

    Attributes:
        nodes: in the order of their ids.
        facts: in the order of their keys.
    """

    nodes: tuple[Node, ...] = ()
    facts: tuple[Fact, ...] = ()

    @classmethod
    def of(cls, documents: Iterable[DocumentGraph]) -> Graph:
        """What some documents say together."""
        nodes: dict[str, Node] = {}
        evidence: dict[tuple[str, str, str], list[Evidence]] = {}
        for document in documents:
            for node in document.nodes:
                nodes[node.id] = joined(node, nodes.get(node.id, node))
            for fact in document.facts:
                evidence.setdefault(fact.key, []).extend(fact.evidence)
        facts = [fact_of(key, places) for key, places in sorted(evidence.items())]
        return cls(tuple(sorted(nodes.values())), tuple(facts))


def fact_of(key: tuple[str, str, str], evidence: Iterable[Evidence]) -> Fact:
    """A fact by all the places that it was read at."""
    places = sorted(set(evidence))
    return Fact(*key, max(place.score for place in places), tuple(places))


def joined(one: Node, other: Node) -> Node:
    """A node by two descriptions; which comes first plays no part."""
    name = min(one.name, other.name, key=lambda name: (-len(name), name))
    return Node(one.id, name, tuple(sorted({*one.types, *other.types})))
