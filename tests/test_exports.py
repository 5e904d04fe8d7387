"""Graphs in other programs' forms, read back by those programs."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from pathlib import Path

import networkx
import pytest
import rdflib
from hypothesis import given, settings
from hypothesis import strategies as st

from nasty import texts
from quern.errors import DataError
from quern.graphs.exports import FORMS, InMemory, export
from quern.graphs.exports.rdf import OURS, RDF, RDFS, iri, rows_of
from quern.graphs.graph import Graph, fact_of
from quern.graphs.records import Evidence, Fact, Node

NAMES = texts(4).filter(bool)
RDFLIB = {"ntriples": "nt", "turtle": "turtle", "jsonld": "json-ld"}
WELL = Fact(
    "Q1",
    "born in",
    "~2",
    0.75,
    (Evidence("d 1", (0, 4), (17, 21), 0.75), Evidence("d2", (5, 9), (0, 4), 0.5)),
)
YEAR = Fact("Q1", "born", "=1961", 0.5, (Evidence("d2", (5, 9), (11, 15), 0.5),))
TOWN = Graph(
    (Node("=1961", "1961"), Node("Q1", 'Mara "Quay" Holt', ("person",)), Node("~2", "Quay")),
    (YEAR, WELL),
)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Nodes of any names, and facts between them."""
    names = draw(st.lists(NAMES, unique=True, min_size=1, max_size=4))
    nodes = {f"{draw(st.sampled_from('~Q'))}{name}": name for name in names}
    things = sorted(nodes)
    facts = {}
    for _ in range(draw(st.integers(0, 4))):
        key = (draw(st.sampled_from(things)), draw(NAMES), draw(st.sampled_from(things)))
        places = [Evidence(draw(NAMES), (0, 1), (2, 3), draw(st.floats(0, 1)))]
        facts[key] = fact_of(key, places)
    made = tuple(
        Node(id_, name, draw(st.sampled_from([(), ("type",)]))) for id_, name in nodes.items()
    )
    return Graph(tuple(sorted(made)), tuple(facts[key] for key in sorted(facts)))


def written(graph: Graph, form: str) -> bytes:
    """A graph in some form."""
    stream = io.BytesIO()
    FORMS[form][1](InMemory(graph), stream)
    return stream.getvalue()


# Of rdflib's own reader of JSON-LD.
@pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated")
@settings(deadline=None, max_examples=60)
@given(graphs())
def test_all_forms_of_rdf_say_the_same(graph: Graph) -> None:
    found = {}
    for form, name in RDFLIB.items():
        read = rdflib.Graph().parse(data=written(graph, form), format=name)
        found[form] = {(str(s), str(p), str(o)) for s, p, o in read}
    whole = re.compile("[\ud800-\udfff]")
    assert found["ntriples"] == {
        (subject, predicate, whole.sub("\ufffd", value))
        for subject, predicate, (value, _) in rows_of(InMemory(graph))
    }
    assert found["turtle"] == found["ntriples"] == found["jsonld"]


def test_a_fact_is_stated_with_its_reasons() -> None:
    read = rdflib.Graph().parse(data=written(TOWN, "turtle"), format="turtle")
    holt, quay = (rdflib.URIRef(iri("node", id_)) for id_ in ("Q1", "~2"))
    born_in = rdflib.URIRef(iri("predicate", "born in"))
    assert (holt, born_in, quay) in read
    assert (holt, rdflib.URIRef(iri("predicate", "born")), rdflib.Literal("1961")) in read
    assert str(read.value(holt, rdflib.URIRef(f"{RDFS}label"))) == 'Mara "Quay" Holt'
    (stated,) = read.subjects(rdflib.URIRef(f"{RDF}predicate"), born_in)
    assert read.value(stated, rdflib.URIRef(f"{OURS}score")).toPython() == 0.75
    places = list(read.objects(stated, rdflib.URIRef(f"{OURS}evidence")))
    said = {str(read.value(place, rdflib.URIRef(f"{OURS}document"))) for place in places}
    assert said == {f"{OURS}document:d%201", f"{OURS}document:d2"}
    starts = {
        read.value(place, rdflib.URIRef(f"{OURS}subject-start")).toPython() for place in places
    }
    assert starts == {0, 5}


@settings(deadline=None, max_examples=60)
@given(graphs())
def test_networkx_reads_the_same_edges(graph: Graph) -> None:
    read = networkx.read_graphml(io.BytesIO(written(graph, "graphml")), force_multigraph=True)
    bad = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

    def shown(text: str) -> str:
        return bad.sub("\ufffd", text)

    assert set(read.nodes) == {shown(node.id) for node in graph.nodes}
    edges = Counter((a, b) for a, b in read.edges())
    assert edges == Counter((shown(f.subject), shown(f.object)) for f in graph.facts)


def test_the_attributes_of_edges_arrive() -> None:
    read = networkx.read_graphml(io.BytesIO(written(TOWN, "graphml")), force_multigraph=True)
    assert read.nodes["Q1"] == {"name": 'Mara "Quay" Holt', "types": "person", "value": False}
    said = read.get_edge_data("Q1", "~2")
    assert said["f1"] == {"predicate": "born in", "score": 0.75, "documents": "d 1; d2"}


def test_neo4j_gets_two_files(tmp_path: Path) -> None:
    assert export(InMemory(TOWN), tmp_path / "neo", "neo4j") == "neo4j"
    with (tmp_path / "neo" / "nodes.csv").open(encoding="utf-8", newline="") as stream:
        nodes = list(csv.reader(stream))
    assert nodes[0] == ["id:ID", "name", ":LABEL"]
    assert ["Q1", 'Mara "Quay" Holt', "Thing;person"] in nodes
    assert ["=1961", "1961", "Value"] in nodes
    with (tmp_path / "neo" / "facts.csv").open(encoding="utf-8", newline="") as stream:
        facts = list(csv.DictReader(stream))
    assert [f[":TYPE"] for f in facts] == ["born", "born in"]
    assert facts[1]["documents:string[]"] == "d 1;d2"
    known = {row[0] for row in nodes[1:]}
    assert {f[end] for f in facts for end in (":START_ID", ":END_ID")} <= known


def test_the_name_of_a_file_says_its_form(tmp_path: Path) -> None:
    assert export(InMemory(TOWN), tmp_path / "g.ttl") == "turtle"
    assert (tmp_path / "g.ttl").read_bytes() == written(TOWN, "turtle")
    with pytest.raises(DataError, match=r"g\.txt: its name does not say the form \(\.nt, "):
        export(InMemory(TOWN), tmp_path / "g.txt")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be made"):
        export(InMemory(TOWN), tmp_path / "file" / "neo", "neo4j")
