"""Graphs kept in a file: what is added, asked for and forgotten."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quern.errors import StoreError
from quern.graphs.graph import Graph, fact_of
from quern.graphs.records import DocumentGraph, Evidence, Fact, Named, Node, Passage
from quern.graphs.store import Asked, GraphStore

SPOTS = st.tuples(st.integers(0, 9), st.integers(10, 20))
FACTS = st.dictionaries(
    st.tuples(st.sampled_from("ab"), st.sampled_from("pq"), st.sampled_from("ab~=")),
    st.lists(st.tuples(SPOTS, SPOTS, st.sampled_from([0.25, 0.75])), min_size=1, max_size=2),
    max_size=3,
)


@st.composite
def documents(draw: st.DrawFn) -> list[DocumentGraph]:
    """Some, of different ids."""
    found = []
    for id_ in draw(st.lists(st.sampled_from("uvwxyz"), unique=True, max_size=5)):
        facts = [
            fact_of(key, [Evidence(id_, *place) for place in places])
            for key, places in sorted(draw(FACTS).items())
        ]
        ids = sorted({end for fact in facts for end in (fact.subject, fact.object)})
        nodes = tuple(Node(end, draw(st.sampled_from(["N", "NN"])), ("t",)) for end in ids)
        found.append(DocumentGraph(id_, nodes, (), tuple(facts), (Passage(0, "." * 30),)))
    return found


def graph_of(store: GraphStore) -> Graph:
    """All that a store has."""
    return Graph(tuple(store.nodes()), tuple(store.facts()))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[GraphStore]:
    """An empty one."""
    with GraphStore(tmp_path / "graph.kb", create=True) as opened:
        yield opened


@settings(deadline=None, max_examples=40)
@given(documents(), st.sets(st.sampled_from("uvwxyz")), st.integers(1, 3))
def test_it_holds_what_was_added_and_not_forgotten(
    some: list[DocumentGraph], gone: set[str], lot: int
) -> None:
    with TemporaryDirectory() as folder, GraphStore(Path(folder) / "g.kb", create=True) as store:
        for at in range(0, len(some), lot):
            hashes = {one.document: "h" for one in some}
            store.add(some[at : at + lot], hashes)
        assert graph_of(store) == Graph.of(some)
        assert store.forget(gone) == len(gone & {one.document for one in some})
        left = [one for one in some if one.document not in gone]
        assert graph_of(store) == Graph.of(left)
        store.add(left, dict.fromkeys((one.document for one in left), "h"))  # read once more
        assert graph_of(store) == Graph.of(left)
        assert store.stats().documents == len(left)


def _said(document: str, facts: Sequence[tuple[str, str, str, float]]) -> DocumentGraph:
    made = [
        Fact(a, p, b, score, (Evidence(document, (0, 4), (9, 13), score),))
        for a, p, b, score in sorted(facts)
    ]
    ids = sorted({end for fact in made for end in (fact.subject, fact.object)})
    nodes = tuple(Node(id_, id_.upper()) for id_ in ids)
    named = (Named(0, 4, "Holt", ids[0], 0.5),)
    return DocumentGraph(document, nodes, named, tuple(made), (Passage(0, "Holt met Quay."),))


def test_facts_are_asked_for(store: GraphStore) -> None:
    one = _said("d1", [("holt", "born in", "quay", 0.9), ("holt", "made", "mill", 0.4)])
    two = _said("d2", [("holt", "born in", "tern", 0.6), ("holt", "made", "mill", 0.8)])
    store.add([one, two], {"d1": "1", "d2": "2"})

    def told(**asked: object) -> list[tuple[str, str]]:
        return [(f.predicate, f.object) for f in store.facts(Asked(**asked))]  # type: ignore[arg-type]

    assert told() == [("born in", "quay"), ("born in", "tern"), ("made", "mill")]
    assert told(node="mill") == [("made", "mill")]
    assert told(predicate="born in", least=0.7) == [("born in", "quay")]
    assert told(document="d1") == [("born in", "quay"), ("made", "mill")]
    (made,) = store.facts(Asked(node="mill", document="d1"))
    assert (made.score, len(made.evidence)) == (0.8, 2)  # of all documents
    assert [[f.object for f in of] for of in store.conflicts(["born in", "made"])] == [
        ["quay", "tern"]
    ]
    assert store.why(made.evidence[0]) == Passage(0, "Holt met Quay.")
    assert store.mentions("d1") == list(one.mentions)
    assert [node.name for node in store.nodes(["mill", "gone"])] == ["MILL"]
    assert store.hashes(["d1", "d3"]) == {"d1": "1"}
    assert tuple(store.stats()) == (2, 4, 3, 4, 2)


def test_what_is_not_there_is_said(store: GraphStore) -> None:
    with pytest.raises(StoreError, match="no document 'd9'"):
        store.mentions("d9")
    store.add([_said("d1", [("a", "p", "b", 0.5)])], {"d1": "1"})
    with pytest.raises(StoreError, match="no passage of 'd1' has it"):
        store.why(Evidence("d1", (0, 4), (90, 95), 0.5))
