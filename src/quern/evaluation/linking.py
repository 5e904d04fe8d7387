"""What was chosen for labelled mentions, and for found ones, held against the labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Literal, Protocol

import msgspec

from quern.evaluation.figures import Grade
from quern.evaluation.judging import Place, Status, in_chunks
from quern.evaluation.mentions import JudgedMentions, judge_places
from quern.records import Entity, LabelledMention, Link, LinkExample, Mention, ids_of


class Proposal(Protocol):
    """As in ``quern.links.candidates``."""

    @property
    def entity(self) -> Entity:
        """The candidate."""


# Of texts and their mentions: a link for each mention. ``EntityModel.link`` with its base.
Chooses = Callable[[Sequence[str], Sequence[Sequence[Mention]]], Sequence[Sequence[Link]]]
# Of texts and places: the candidates of each, the best-fitting first. ``Candidates.of_texts``.
Proposes = Callable[
    [Sequence[str], Sequence[Sequence[Place]]], Sequence[Sequence[Sequence[Proposal]]]
]
# Of texts alone: their links. ``Linker``.
FindsLinks = Callable[[Sequence[str]], Sequence[Sequence[Link]]]
# Of ids: the entities that the base has.
Knows = Callable[[Sequence[str]], Mapping[str, Entity]]

Kind = Literal["right", "missed", "extra", "lacking", "unproposed", "other", "nil", "not_nil"]

_Key = tuple[Place, frozenset[str]]


class LinkFact(msgspec.Struct, frozen=True):
    """A labelled mention and what was answered there, or an answer where none is labelled.

    Attributes:
        kind: ``right``, or how it is wrong: the mention was not found, or does not stand where
            its label says (``missed``), or none is labelled there (``extra``); the base lacks
            the labelled entity (``lacking``), or it is no candidate (``unproposed``); another
            was chosen (``other``), or none (``nil``), or one where none is meant (``not_nil``).
        start: where the mention begins.
        end: where it ends.
        text: its words.
        wanted: the labelled id, None for NIL.
        known: whether the base has all that is labelled.
        link: the answer, None where there is none.
        rank: how many candidates fit at least as well as the wanted one, itself counted; None
            where it is none of them.
        first: the id of the candidate that fits best, None where there is none.
    """

    kind: Kind
    start: int
    end: int
    text: str
    wanted: str | None
    known: bool
    link: Link | None
    rank: int | None = None
    first: str | None = None

    @property
    def status(self) -> Status:
        """Right, missed, or wrong in any other way."""
        if self.kind == "right" or self.kind == "missed":
            return self.kind
        return "wrong"

    @property
    def place(self) -> Place:
        """Where the mention begins and ends."""
        return self.start, self.end

    @property
    def labelled(self) -> bool:
        """Whether a mention is labelled there."""
        return self.kind != "extra"


class JudgedLinks(msgspec.Struct, frozen=True):
    """A labelled text, and every label and answer of it, in the order of their places."""

    example: LinkExample
    facts: tuple[LinkFact, ...]

    @property
    def grades(self) -> list[Grade]:
        """The scores of the choices, and whether each is right.

        Where none is labelled, or the base lacks the entity, that says nothing of the choice.
        """
        judgeable = [f for f in self.facts if f.kind != "extra" and f.kind != "lacking"]
        return [(f.link.link_score, f.kind == "right") for f in judgeable if f.link is not None]

    @property
    def mentions(self) -> JudgedMentions:
        """The same by place alone."""
        given = {f.place: f.link.score for f in self.facts if f.link is not None}
        return judge_places(self.example, given)


def labelled_ids(examples: Sequence[LinkExample]) -> list[str]:
    """The ids that labels name, each once; those of a composite one by one."""
    ids = (ids_of(mention.kb_id) for example in examples for mention in example.mentions)
    return sorted(frozenset().union(*ids))


def judge_choices(
    choose: Chooses,
    propose: Proposes,
    known: Set[str],
    examples: Sequence[LinkExample],
    threads: int = 1,
) -> Iterator[JudgedLinks]:
    """Give the labelled mentions, and judge what is chosen for them.

    Args:
        choose: what is judged.
        propose: gives the candidates that it chooses from.
        known: the ids that the base has.
        examples: texts with their labels.
        threads: chunks of texts worked on at the same time.
    """

    def work(chunk: Sequence[LinkExample]) -> list[JudgedLinks]:
        texts = [example.text for example in chunk]
        places = [_places(example) for example in chunk]
        given = [
            [Mention(*place, text[slice(*place)], 1.0) for place in of_text]
            for text, of_text in zip(texts, places, strict=True)
        ]
        rows = zip(chunk, places, choose(texts, given), propose(texts, places), strict=True)
        return [
            _judge_choices(example, at, links, proposals, known)
            for example, at, links, proposals in rows
        ]

    yield from in_chunks(work, examples, threads)


def _judge_choices(
    example: LinkExample,
    places: Sequence[Place],
    links: Sequence[Link],
    proposals: Sequence[Sequence[Proposal]],
    known: Set[str],
) -> JudgedLinks:
    answers = _by_place(links)
    proposed = {
        place: [each.entity.id for each in of_place]
        for place, of_place in zip(places, proposals, strict=True)
    }
    facts = []
    for (place, wanted), mention in _labels(example).items():
        ids = proposed.get(place, [])
        candidates = [ids_of(id_) for id_ in ids]
        rank = candidates.index(wanted) + 1 if wanted in candidates else None
        first = ids[0] if ids else None
        fact = LinkFact(
            "missed", *place, mention.mention, mention.kb_id, wanted <= known, None, rank, first
        )
        facts.append(_answered(fact, answers.get(place)))
    return JudgedLinks(example, tuple(facts))


def _places(example: LinkExample) -> list[Place]:
    """Where mentions are labelled, as far as they stand there."""
    return sorted({m.place for m in example.mentions if example.text[slice(*m.place)] == m.mention})


def _labels(example: LinkExample) -> dict[_Key, LabelledMention]:
    """The labels, each once, in the order of their places."""
    ordered = sorted(example.mentions, key=lambda mention: (mention.place, mention.kb_id or ""))
    return {(mention.place, ids_of(mention.kb_id)): mention for mention in ordered}


def _by_place(links: Sequence[Link]) -> dict[Place, Link]:
    return {(link.start, link.end): link for link in links}


def _answered(fact: LinkFact, link: Link | None) -> LinkFact:
    """The fact of a label with an answer to it."""
    kind: Kind = "missed" if link is None else _kind(fact, link)
    return msgspec.structs.replace(fact, kind=kind, link=link)


def _kind(fact: LinkFact, link: Link) -> Kind:
    if ids_of(link.id) == ids_of(fact.wanted):
        return "right"
    if fact.wanted is None:
        return "not_nil"
    if not fact.known:
        return "lacking"
    if fact.rank is None:
        return "unproposed"
    return "nil" if link.id is None else "other"


def judge_found(
    find: FindsLinks, given: Sequence[JudgedLinks], threads: int = 1
) -> Iterator[JudgedLinks]:
    """Find mentions and their entities, and judge both.

    Args:
        find: what is judged.
        given: the same texts judged with their mentions given, which tells what the base has
            and what is a candidate.
        threads: see ``judge_choices``.
    """

    def work(chunk: Sequence[JudgedLinks]) -> list[JudgedLinks]:
        found = find([judged.example.text for judged in chunk])
        return [_judge_found(judged, links) for judged, links in zip(chunk, found, strict=True)]

    yield from in_chunks(work, given, threads)


def _judge_found(given: JudgedLinks, links: Sequence[Link]) -> JudgedLinks:
    answers = _by_place(links)
    facts = [_answered(fact, answers.get(fact.place)) for fact in given.facts]
    labelled = {fact.place for fact in given.facts}
    facts += [
        LinkFact("extra", link.start, link.end, link.text, None, True, link)
        for place, link in answers.items()
        if place not in labelled
    ]
    facts.sort(key=lambda fact: fact.place)
    return JudgedLinks(given.example, tuple(facts))
