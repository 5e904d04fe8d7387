"""From texts to what they say: facts between things, and which things are meant."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, product
from pathlib import Path
from typing import NamedTuple, Protocol

from quern.errors import DataError, TextError
from quern.graphs.graph import fact_of
from quern.graphs.passages import passages
from quern.graphs.records import DocumentGraph, Evidence, Named, Node
from quern.graphs.resolving import Place, parts_of, resolve, value
from quern.kb import KnowledgeBase
from quern.links import EntityModel, ReadsMentions
from quern.links.candidates import Base
from quern.records import Link, Mention, Span, Triple, ids_of
from quern.shipped import TripleReader, find
from quern.tasks import load_entities, load_links

_LITTLE = 0.25  # share of digits from which on an object is a plain value
_Spot = tuple[int, int]


class ReadsFacts(Protocol):
    """Anything that reads the facts of texts."""

    def __call__(self, texts: Sequence[str], min_score: float = 0.0) -> list[list[Triple]]:
        """The facts of every text."""


class Linking(NamedTuple):
    """What says which entities of a knowledge base are meant.

    Attributes:
        entities: chooses among the candidates of a mention.
        kb: the knowledge base, as it is at each request.
        mentions: finds what is named besides the ends of facts, where it is to be found.
    """

    entities: EntityModel
    kb: Base
    mentions: ReadsMentions | None = None


class Reader:
    """Reads documents: facts, what they name, and which of it is the same thing.

    Attributes:
        seconds: spent so far on each stage: facts, mentions, entities, graph.
    """

    def __init__(
        self,
        facts: ReadsFacts,
        linking: Linking | None = None,
        values: Sequence[str] = (),
    ) -> None:
        """Put models together.

        Args:
            facts: reads triples.
            linking: without it, things are told apart by their names alone.
            values: predicates whose objects are plain values, beside those that are mostly digits.
        """
        self._facts, self._linking, self._values = facts, linking, frozenset(values)
        self.seconds: dict[str, float] = defaultdict(float)

    @classmethod
    def open(
        cls,
        model: str | Path | None = None,
        *,
        links: str | Path | None = None,
        entities: str | Path | None = None,
        kb: KnowledgeBase | None = None,
        values: Sequence[str] = (),
    ) -> Reader:
        """Open model folders, or shipped models by their names.

        Args:
            model: reads facts; without it, each text is read by the model that ships for it.
            links: finds what is named besides; wants ``entities``.
            entities: says which entities are meant; wants ``kb``.
            kb: the knowledge base.
            values: see ``__init__``.

        Raises:
            FolderError: one of them is not a model folder, or does another task.
            DataError: one is wanted by another, and was not given.
        """
        facts = _facts_of(TripleReader(model))
        if (entities is None) != (kb is None) or (links is not None and entities is None):
            raise DataError("linking wants both entities=MODEL and kb=…; links=MODEL is for it")
        if entities is None or kb is None:
            return cls(facts, values=values)
        finder = None if links is None else load_links(find(links), kb=kb.names)
        return cls(facts, Linking(load_entities(find(entities)), kb, finder), values)

    def __call__(
        self, texts: Sequence[str], documents: Sequence[str], min_score: float = 0.0
    ) -> list[DocumentGraph]:
        """What each document says.

        Args:
            texts: of any length.
            documents: their ids.
            min_score: leave out facts and mentions that score lower.

        Raises:
            TextError: ``texts`` is one string.
            StoreError: the knowledge base cannot be read.
        """
        if isinstance(texts, str):
            raise TextError("one string was given where a list of texts is wanted")
        with self._timed("facts"):
            facts = self._facts(texts, min_score)
        links = self._links(texts, facts, min_score)
        with self._timed("graph"):
            known = self._known(links)
            rows = zip(documents, texts, facts, links, strict=True)
            return [self._document(*row, known) for row in rows]

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[stage] += time.perf_counter() - began

    def _links(
        self, texts: Sequence[str], facts: Sequence[Sequence[Triple]], min_score: float
    ) -> list[list[Link]]:
        """What the things of each text mean: the ends of facts, and what else is named."""
        things = [self._things(of_text) for of_text in facts]
        if self._linking is None:
            return [[Link(*of, None, 1.0) for of in map(_fields, some)] for some in things]
        entities, kb, finder = self._linking
        if finder is not None:
            with self._timed("mentions"):
                found = finder(texts, min_score)
            things = [_together(*both) for both in zip(things, found, strict=True)]
        with self._timed("entities"):
            return entities.link(texts, things, kb)

    def _known(self, links: Sequence[Sequence[Link]]) -> dict[str, Node]:
        """What the base says of the entities that are meant."""
        if self._linking is None:
            return {}
        ids = {part for of_text in links for link in of_text for part in ids_of(link.id)}
        found = self._linking.kb.entities(ids)
        return {id_: Node(id_, entity.name, entity.types) for id_, entity in found.items()}

    def _things(self, facts: Sequence[Triple]) -> list[Mention]:
        """The ends of facts that are things, each place once, with the best of its scores."""
        best: dict[_Spot, Mention] = {}
        for fact in facts:
            ends = (fact.subject,) if self._is_value(fact) else (fact.subject, fact.object)
            for span in ends:
                old = best.get((span.start, span.end))
                score = max(fact.score, old.score if old else 0.0)
                mention = Mention(span.start, span.end, span.text, score)
                best[span.start, span.end] = mention
        return sorted(best.values())

    def _is_value(self, fact: Triple) -> bool:
        said = fact.object.text
        digits = sum(map(str.isdigit, said))
        return fact.predicate in self._values or digits >= _LITTLE * len(said)

    def _document(
        self,
        document: str,
        text: str,
        facts: Sequence[Triple],
        links: Sequence[Link],
        known: Mapping[str, Node],
    ) -> DocumentGraph:
        types = _types(facts)
        places = [
            Place(*spot, link.text, _node(link), types.get(spot, ""))
            for link in links
            for spot in [(link.start, link.end)]
        ]
        meant = [
            [known.get(part.id, part) for part in parts_of(node)] for node in resolve(text, places)
        ]
        of_spot = {place[:2]: nodes for place, nodes in zip(places, meant, strict=True)}
        evidence: dict[tuple[str, str, str], list[Evidence]] = {}
        values: list[Node] = []
        for fact in facts:
            subject, object_ = _spot(fact.subject), _spot(fact.object)
            if self._is_value(fact):
                objects: Sequence[Node] = [value(fact.object.text, fact.object_type or "")]
                values += objects
            else:
                objects = of_spot[object_]
            place = Evidence(document, subject, object_, fact.score)
            for one, other in product(of_spot[subject], objects):
                evidence.setdefault((one.id, fact.predicate, other.id), []).append(place)
        named = [
            Named(link.start, link.end, link.text, node.id, link.score * link.link_score)
            for link, nodes in zip(links, meant, strict=True)
            for node in nodes
        ]
        every = {node.id: node for node in chain(values, *meant)}
        return DocumentGraph(
            document,
            tuple(sorted(every.values())),
            tuple(sorted(named)),
            tuple(fact_of(key, places) for key, places in sorted(evidence.items())),
            passages(text, chain.from_iterable(evidence.values())),
        )


def _facts_of(reader: TripleReader) -> ReadsFacts:
    def facts(texts: Sequence[str], min_score: float = 0.0) -> list[list[Triple]]:
        return [reading.triples for reading in reader(texts, min_score)]

    return facts


def _types(facts: Sequence[Triple]) -> dict[_Spot, str]:
    """What facts say of the types of their ends."""
    types: dict[_Spot, str] = {}
    for fact in facts:
        for span, type_ in ((fact.subject, fact.subject_type), (fact.object, fact.object_type)):
            if type_:
                types.setdefault(_spot(span), type_)
    return types


def _together(things: Sequence[Mention], found: Sequence[Mention]) -> list[Mention]:
    """The ends of facts, and what else is named; of a place in both the better score."""
    best = {(m.start, m.end): m for m in sorted([*things, *found], key=lambda m: m.score)}
    return sorted(best.values())


def _node(link: Link) -> Node | None:
    if link.id is None:
        return None
    names = {choice.id: choice.name for choice in link.choices}
    return Node(link.id, names.get(link.id, link.text))


def _fields(mention: Mention) -> tuple[int, int, str, float]:
    return mention.start, mention.end, mention.text, mention.score


def _spot(span: Span) -> _Spot:
    return span.start, span.end
