"""What is read out of documents: nodes, facts between them, and where they were read."""

from __future__ import annotations

import msgspec

Place = tuple[int, int]  # where something begins and ends in its document, in code points


class Node(msgspec.Struct, frozen=True, order=True):
    """A thing that documents speak of.

    Attributes:
        id: of the entity in the knowledge base; ``~`` and a number made of name and type for one
            that the base lacks, ``=`` and the words for a plain value (a date, a number).
        name: what it is called.
        types: what it is.
    """

    id: str
    name: str
    types: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        """Whether the knowledge base has it."""
        return not self.id.startswith((LOCAL, VALUE))

    @property
    def value(self) -> bool:
        """Whether it is a plain value rather than a thing."""
        return self.id.startswith(VALUE)


LOCAL, VALUE = "~", "="


class Named(msgspec.Struct, frozen=True, order=True):
    """A place in a document where a node is named: ``text[start:end]``.

    Attributes:
        start: where it begins, in code points.
        end: where it ends.
        text: the words.
        node: id of what is named.
        score: how sure it is that this node is meant.
    """

    start: int
    end: int
    text: str
    node: str
    score: float


class Evidence(msgspec.Struct, frozen=True, order=True):
    """A place where a fact was read.

    Attributes:
        document: the document's id.
        subject: where the subject is named.
        object: where the object is named.
        score: how sure the fact is, read here.
    """

    document: str
    subject: Place
    object: Place
    score: float


class Fact(msgspec.Struct, frozen=True, order=True):
    """A fact between two nodes, once, however often it was read.

    Attributes:
        subject: id of a node.
        predicate: what is said of it.
        object: id of a node.
        score: of the surest evidence.
        evidence: where it was read, in the order of documents and places.
    """

    subject: str
    predicate: str
    object: str
    score: float
    evidence: tuple[Evidence, ...]

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same fact."""
        return self.subject, self.predicate, self.object


class Passage(msgspec.Struct, frozen=True, order=True):
    """The sentence, or sentences, in which facts were read.

    Attributes:
        start: where it begins in its document, in code points.
        text: it.
    """

    start: int
    text: str

    def holds(self, evidence: Evidence) -> bool:
        """Whether both ends of a fact stand in it."""
        places = (evidence.subject, evidence.object)
        return all(self.start <= a and b <= self.start + len(self.text) for a, b in places)


class DocumentGraph(msgspec.Struct, frozen=True):
    """What one document says.

    Attributes:
        document: its id.
        nodes: what it speaks of, in the order of their ids.
        mentions: where it names them, in the order of their places.
        facts: what it says, in the order of their keys.
        passages: where it says that, in order, none within another.
    """

    document: str
    nodes: tuple[Node, ...]
    mentions: tuple[Named, ...]
    facts: tuple[Fact, ...]
    passages: tuple[Passage, ...] = ()
