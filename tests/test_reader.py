"""Reading documents into graphs: which things are one, which facts are one, where they stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasty import texts
from quern.errors import TextError
from quern.graphs.graph import Graph
from quern.graphs.records import DocumentGraph, Evidence, Node
from quern.graphs.resolving import Place, resolve
from quern.reader import Linking, Reader
from quern.records import Choice, Entity, Link, Mention, Span, Triple

HOLT = "Mara Holt founded the Tern Mill. Holt was born in 1961 in Quay, and Quay is small."


def triple(text: str, subject: str, predicate: str, object_: str, score: float = 0.9) -> Triple:
    """A fact between the last places of two names."""
    at, to = text.rindex(subject), text.rindex(object_)
    return Triple(
        Span(at, at + len(subject), subject),
        predicate,
        Span(to, to + len(object_), object_),
        score,
    )


class Facts:
    """Gives the same facts for a text whenever it is read."""

    def __init__(self, known: dict[str, list[Triple]]) -> None:
        self.known = known

    def __call__(self, texts: Sequence[str], min_score: float = 0.0) -> list[list[Triple]]:
        """Those known of each text."""
        return [[f for f in self.known.get(t, []) if f.score >= min_score] for t in texts]


class Entities:
    """Knows the entities of some names."""

    def __init__(self, known: dict[str, str]) -> None:
        self.known = known

    def link(
        self, texts: Sequence[str], mentions: Sequence[Sequence[Mention]], kb: object
    ) -> object:
        """A link for each mention."""
        return [
            [
                Link(
                    m.start,
                    m.end,
                    m.text,
                    m.score,
                    (id_ := self.known.get(m.text)),
                    0.5,
                    (Choice(id_, f"The {m.text}", 0.5),) if id_ else (),
                )
                for m in of_text
            ]
            for of_text in mentions
        ]


class Town:
    """A base of one entity."""

    def entities(self, ids: Iterable[str]) -> dict[str, Entity]:
        """It, where it is asked for."""
        holt = Entity("Q1", "Mara Holt", types=("person",))
        return {"Q1": holt} if "Q1" in set(ids) else {}


BORN = triple(HOLT, "Holt", "born", "1961", 0.8)
AT = triple(HOLT, "Holt", "born in", "Quay", 0.7)
MADE = Triple(Span(0, 9, "Mara Holt"), "founded", Span(22, 31, "Tern Mill"), 0.9)
READER = Reader(Facts({HOLT: [BORN, AT, MADE]}))


def test_a_part_of_a_name_is_the_same_thing() -> None:
    (read,) = READER([HOLT], ["d1"])
    ids = {node.name: node.id for node in read.nodes}
    assert set(ids) == {"Mara Holt", "Tern Mill", "1961", "Quay"}
    assert {fact.subject for fact in read.facts} == {ids["Mara Holt"]}
    assert [(m.text, m.node == ids["Mara Holt"]) for m in read.mentions] == [
        ("Mara Holt", True),
        ("Tern Mill", False),
        ("Holt", True),
        ("Quay", False),
    ]
    value = next(node for node in read.nodes if node.value)
    assert (value.id, value.known) == ("=1961", False)
    assert read.facts[0].evidence[0].document == "d1"
    for fact in read.facts:
        for place in fact.evidence:
            assert HOLT[slice(*place.subject)] in ("Holt", "Mara Holt")


def test_what_the_base_knows_has_its_id() -> None:
    linking = Linking(Entities({"Mara Holt": "Q1", "Quay": "Q2"}), Town())  # type: ignore[arg-type]
    (read,) = Reader(Facts({HOLT: [BORN, AT, MADE]}), linking)([HOLT], ["d1"])
    named = {node.id: node.name for node in read.nodes if node.known}
    assert named == {"Q1": "Mara Holt", "Q2": "The Quay"}
    assert next(node for node in read.nodes if node.id == "Q1").types == ("person",)
    assert {fact.subject for fact in read.facts} == {"Q1"}  # "Holt", too, by its longer name
    scores = {m.text: m.score for m in read.mentions}
    assert scores["Quay"] == pytest.approx(0.35)


def test_what_is_only_named_is_a_node_as_well() -> None:
    def finds(texts: Sequence[str], min_score: float = 0.0) -> list[list[Mention]]:
        return [[Mention(0, 4, "Mara", 0.4), Mention(22, 31, "Tern Mill", 0.95)] for _ in texts]

    linking = Linking(Entities({}), Town(), finds)  # type: ignore[arg-type]
    (read,) = Reader(Facts({HOLT: [MADE]}), linking)([HOLT], ["d1"])
    assert [(m.text, m.score) for m in read.mentions] == [
        ("Mara", 0.2),
        ("Mara Holt", 0.45),
        ("Tern Mill", pytest.approx(0.475)),
    ]


def test_low_scores_are_left_out_and_one_string_is_refused() -> None:
    (read,) = READER([HOLT], ["d1"], 0.75)
    assert [fact.predicate for fact in read.facts] == ["born", "founded"]
    with pytest.raises(TextError, match="one string"):
        READER(HOLT, ["d1"])


def _places(text: str, *names: str) -> list[Place]:
    return [Place(text.rindex(n), text.rindex(n) + len(n), n, None) for n in names]


@pytest.mark.parametrize(
    ("text", "names", "same"),
    [
        ("Mara Holt met Ben Holt. Then Holt left.", ("Mara Holt", "Ben Holt", "Then Holt"), 3),
        ("the grey heron virus (GHV) spread; GHV", ("grey heron virus", "GHV"), 1),
        ("海桥纺织公司成立了，海桥纺织很大", ("海桥纺织公司", "海桥纺织"), 1),
        ("海桥很大，海桥纺织公司成立了", ("海桥纺织公司",), 1),
        ("Holt came. Mara Holts left.", ("Holt", "Mara Holts"), 2),  # the longer one comes later
        ("the Quayside and the Quay", ("Quay", "Quayside"), 2),
    ],
)
def test_short_names_are_resolved(text: str, names: tuple[str, ...], same: int) -> None:
    assert len({node.id for node in resolve(text, _places(text, *names))}) == same


def test_two_longer_names_leave_a_short_one_alone() -> None:
    text = "Mara Holt met Ben Holt; one Holt, no more."
    at = text.rindex("Holt")
    places = [*_places(text, "Mara Holt", "Ben Holt"), Place(at, at + 4, "Holt", None)]
    assert len({node.id for node in resolve(text, places)}) == 3


def test_two_types_are_two_things() -> None:
    places = [Place(0, 4, "Tern", None, "river"), Place(9, 13, "Tern", None, "person")]
    river, person = resolve("Tern and Tern", places)
    assert river.id != person.id and river.types == ("river",)


SPOTS = st.tuples(st.integers(0, 9), st.integers(10, 20))
EVIDENCE = st.builds(
    Evidence, st.sampled_from("xyz"), SPOTS, SPOTS, st.sampled_from([0.25, 0.5, 0.75])
)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("pq"), EVIDENCE)), st.randoms())
def test_the_order_of_documents_does_not_matter(rows: list[tuple[str, str, Evidence]], rng) -> None:
    from quern.graphs.graph import fact_of

    documents = [
        DocumentGraph(
            place.document,
            tuple(Node(id_, name) for id_, name in ((who, who * 2), ("o", place.document))),
            (),
            (fact_of((who, what, "o"), [place]),),
        )
        for who, what, place in rows
    ]
    graph = Graph.of(documents)
    rng.shuffle(documents)
    assert Graph.of(documents) == graph
    assert {f.key for f in graph.facts} == {(who, what, "o") for who, what, _ in rows}
    assert {e for f in graph.facts for e in f.evidence} == {place for *_, place in rows}


@given(texts(), st.lists(st.tuples(st.integers(0, 30), st.integers(1, 8)), max_size=6))
def test_every_mention_has_a_node(text: str, spots: list[tuple[int, int]]) -> None:
    places = [
        Place(at, at + size, text[at : at + size], None)
        for at, size in spots
        if text[at : at + size].strip()
    ]
    nodes = resolve(text, places)
    assert len(nodes) == len(places)
    named = {place.text: node.id for place, node in zip(places, nodes, strict=True)}
    assert [named[place.text] for place in places] == [node.id for node in nodes]
