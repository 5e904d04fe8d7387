"""Frozen records: what goes into the tasks and what comes out of them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

NIL = "NIL"  # the id of what is in no knowledge base
TOGETHER = "|"  # joins the ids of a mention that names several entities at once


def ids_of(id_: str | None) -> frozenset[str]:
    """The entities that a label or an answer names: none for NIL, several for ``A|B``."""
    return frozenset() if id_ is None else frozenset(id_.split(TOGETHER))


def together(ids: Iterable[str]) -> str:
    """One id for several entities; their order, which says nothing, is that of their ids."""
    return TOGETHER.join(sorted(set(ids)))


class Span(msgspec.Struct, frozen=True, order=True):
    """A slice of the caller's string: ``text[start:end]``, in code points."""

    start: int
    end: int
    text: str


class Triple(msgspec.Struct, frozen=True):
    """One fact drawn out of a text, with the places it was read from.

    ``uncertain`` is set, and written, only where facts were asked for that the model would
    not have given by itself.
    """

    subject: Span
    predicate: str
    object: Span
    score: float
    subject_type: str | None = None
    object_type: str | None = None
    uncertain: bool | msgspec.UnsetType = msgspec.UNSET

    @property
    def key(self) -> tuple[str, str, str]:
        """The fact as strings, which is what a plain evaluation compares."""
        return (self.subject.text, self.predicate, self.object.text)

    @property
    def strict_key(self) -> tuple[int, int, str | None, str, int, int, str | None]:
        """The fact as places and types, which is what a strict evaluation compares."""
        s, o = self.subject, self.object
        return (s.start, s.end, self.subject_type, self.predicate, o.start, o.end, self.object_type)


class LabelledTriple(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A triple as a person labelled it; places and types where they are known."""

    subject: str
    predicate: str
    object: str
    subject_start: int | None = None
    object_start: int | None = None
    subject_type: str | None = None
    object_type: str | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """The fact as strings."""
        return (self.subject, self.predicate, self.object)


class LabelledSpan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A named place in a text, with its type where it is known."""

    text: str
    start: int
    type: str | None = None
    end: int | None = None


class TripleExample(msgspec.Struct, frozen=True):
    """One line of triple data.

    Attributes:
        text: what was read.
        triples: what was found in it.
        complete: whether a triple that is not labelled is known to be absent; where it is
            false, training trusts what is labelled more than what is not.
        predicates: what was looked for, where that is less than everything; any other
            predicate is unknown in this text rather than absent.
        entities: named places, where they are labelled too.
        id: the caller's name for the text.
        line: its line in its file, 0 where it came from elsewhere.
    """

    text: str
    triples: tuple[LabelledTriple, ...]
    complete: bool = True
    predicates: tuple[str, ...] | None = None
    entities: tuple[LabelledSpan, ...] = ()
    id: str | None = None
    line: int = 0


class Mention(msgspec.Struct, frozen=True, order=True):
    """A place in a text where something is named: ``text[start:end]``, in code points."""

    start: int
    end: int
    text: str
    score: float


class LabelledMention(msgspec.Struct, frozen=True):
    """A mention as a person labelled it.

    Attributes:
        mention: the words, as they stand in the text.
        start: where they begin.
        kb_id: the entity that is meant, None (NIL) for one that the knowledge base lacks.
    """

    mention: str
    start: int
    kb_id: str | None

    @property
    def place(self) -> tuple[int, int]:
        """Where the mention begins and ends."""
        return self.start, self.start + len(self.mention)


class LinkExample(msgspec.Struct, frozen=True):
    """One line of link data.

    Attributes:
        text: what was read.
        mentions: what is named in it; one with no entity (NIL) is a mention like any other.
        id: the caller's name for the text.
        line: its line in its file, 0 where it came from elsewhere.
    """

    text: str
    mentions: tuple[LabelledMention, ...]
    id: str | None = None
    line: int = 0


class Entity(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing of a knowledge base.

    Attributes:
        id: its name for machines; no ``|``, which joins the ids of a composite mention.
        name: what it is mostly called.
        aliases: what else it is called.
        description: what it is, in a sentence or a paragraph.
        types: what kinds of thing it is.
        facts: what is known of it, as (predicate, object).
        popularity: how often it is meant, on any scale that grows; None where nobody counted.
    """

    id: str
    name: str
    aliases: tuple[str, ...] = ()
    description: str = ""
    types: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    popularity: float | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The name and the aliases."""
        return (self.name, *self.aliases)


class NameMatch(msgspec.Struct, frozen=True, order=True):
    """A name of a knowledge base in a text: ``text[start:end]``, in code points.

    ``key`` says which name, whatever its case, width, script and punctuation.
    """

    start: int
    end: int
    text: str
    key: str


class Candidate(msgspec.Struct, frozen=True):
    """An entity that a name may stand for.

    Attributes:
        id: of the entity.
        name: what it is mostly called.
        key: of the name that fits.
        score: how well that fits: 1 for the same name, less for a similar one.
        popularity: of the entity.
    """

    id: str
    name: str
    key: str
    score: float
    popularity: float | None = None


class Choice(msgspec.Struct, frozen=True):
    """An entity that a mention may mean, and the probability that it does."""

    id: str
    name: str
    score: float


class Link(msgspec.Struct, frozen=True):
    """A mention ``text[start:end]``, and the entity that it means.

    Attributes:
        start: where it begins, in code points.
        end: where it ends.
        text: its words.
        score: of the mention; 1 where it was given.
        id: the entity, None for one that the knowledge base lacks (NIL); ``A|B`` for several
            that are meant together.
        link_score: the probability that ``id``, also None, is right.
        choices: the candidates looked at, the best first.
    """

    start: int
    end: int
    text: str
    score: float
    id: str | None
    link_score: float
    choices: tuple[Choice, ...] = ()


class SentenceExample(msgspec.Struct, frozen=True):
    """One line of sentence data.

    Attributes:
        text: a sentence.
        group: what it shares with all sentences that mean the same.
        id: the caller's name for the text.
        line: its line in its file, 0 where it came from elsewhere.
    """

    text: str
    group: str
    id: str | None = None
    line: int = 0


class SentencePair(msgspec.Struct, frozen=True):
    """Two sentences, and how alike they are, as a person saw it.

    Attributes:
        text: the one.
        other: the other.
        score: how alike: 0 or 1, or any number that grows with it.
        line: its line in its file, 0 where it came from elsewhere.
    """

    text: str
    other: str
    score: float
    line: int = 0


class FaqEntry(msgspec.Struct, frozen=True):
    """An answer, and questions that it answers.

    Attributes:
        id: of the answer.
        answer: its words.
        questions: one phrasing at least.
        line: the line in its file where it begins, 0 where it came from elsewhere.
    """

    id: str
    answer: str
    questions: tuple[str, ...]
    line: int = 0


class FaqExample(msgspec.Struct, frozen=True):
    """A question, and the answer that is right.

    Attributes:
        question: its words.
        id: of the answer, None for one that no answer is for (out of scope).
        line: its line in its file, 0 where it came from elsewhere.
        file: empty where it came from elsewhere.
    """

    question: str
    id: str | None
    line: int = 0
    file: str = ""


class Item(msgspec.Struct, frozen=True):
    """One thing of a catalogue.

    Attributes:
        id: its name for machines.
        text: what it is, empty where nobody said.
        popularity: how often it is meant, on any scale that grows; None where nobody counted.
        line: its line in its file, 0 where it came from elsewhere.
    """

    id: str
    text: str = ""
    popularity: float | None = None
    line: int = 0


class RankExample(msgspec.Struct, frozen=True):
    """One line of rank data.

    Attributes:
        text: what was read.
        items: ids of what it is about, one at least.
        negatives: ids of what it is not about, though it may seem so.
        id: the caller's name for the text.
        line: its line in its file, 0 where it came from elsewhere.
    """

    text: str
    items: tuple[str, ...]
    negatives: tuple[str, ...] = ()
    id: str | None = None
    line: int = 0


class TitleExample(msgspec.Struct, frozen=True):
    """One line of title data.

    Attributes:
        body: the document.
        title: what a person called it.
        id: the caller's name for the document.
        line: its line in its file, 0 where it came from elsewhere.
    """

    body: str
    title: str
    id: str | None = None
    line: int = 0


class Headline(msgspec.Struct, frozen=True):
    """A title for a document, and the mean of the log probabilities of the steps that wrote it."""

    text: str
    score: float


class Ranked(msgspec.Struct, frozen=True):
    """An item for a text, and how well it fits (the cosine)."""

    id: str
    score: float
