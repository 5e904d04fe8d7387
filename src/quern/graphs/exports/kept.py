"""What exports ask of a graph, in memory or in a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from quern.graphs.graph import Graph
from quern.graphs.records import Fact, Node


class Kept(Protocol):
    """Anything that gives nodes and facts, as often as it is asked, in constant memory."""

    def nodes(self) -> Iterator[Node]:
        """In the order of their ids."""

    def facts(self) -> Iterator[Fact]:
        """In the order of their keys."""


class InMemory:
    """A graph in memory, as exports ask it."""

    def __init__(self, graph: Graph) -> None:
        """Hold it."""
        self._graph = graph

    def nodes(self) -> Iterator[Node]:
        """See ``Kept``."""
        return iter(self._graph.nodes)

    def facts(self) -> Iterator[Fact]:
        """See ``Kept``."""
        return iter(self._graph.facts)
