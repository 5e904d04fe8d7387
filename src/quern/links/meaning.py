"""What a rank model learns from to find entities by what a mention says rather than by its letters.

Its items are the entities of a knowledge base, its texts their names and the mentions of labelled
texts. What stands around a mention is not read: candidates come from the words, and the choice
between them from the rest of the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from quern.links.abbreviations import abbreviations, expanded
from quern.records import NIL, Entity, Item, LinkExample, Ranked, RankExample, ids_of


class Finds(Protocol):
    """Anything that finds the entities nearest to some words."""

    def search(self, texts: Sequence[str], k: int = 10) -> list[list[Ranked]]:
        """The ``k`` nearest of each, the nearest first."""


def items_of(entities: Iterable[Entity]) -> list[Item]:
    """A catalogue of entities, each with its name as its text."""
    return [Item(entity.id, entity.name, entity.popularity) for entity in entities]


def called(entities: Iterable[Entity]) -> list[RankExample]:
    """Every name of every entity, with the entity."""
    return [
        RankExample(name, (entity.id,))
        for entity in entities
        for name in dict.fromkeys((entity.name, *entity.aliases))
    ]


def spoken(examples: Iterable[LinkExample], known: frozenset[str]) -> list[RankExample]:
    """The mentions of labelled texts with the entities that they mean; short forms spelled out.

    Args:
        examples: labelled texts.
        known: ids of the base; a mention that means none of them says nothing.
    """
    found = []
    for example in examples:
        short = abbreviations(example.text)
        for mention in example.mentions:
            ids = tuple(sorted((ids_of(mention.kb_id) - {NIL}) & known))
            if ids:
                found.append(RankExample(expanded(mention.mention, short), ids, line=example.line))
    return found
