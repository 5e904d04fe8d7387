"""Entities as rows of the store, and what an entity must be like."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from quern.records import NIL, Entity
from quern.text.keys import keys_of

COLUMNS = "id, name, aliases, description, types, facts, popularity"

_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f]*")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_ENTITY = msgspec.json.Decoder(Entity)
_STRINGS = msgspec.json.Decoder(tuple[str, ...])
_FACTS = msgspec.json.Decoder(tuple[tuple[str, str], ...])
_encode = msgspec.json.Encoder().encode


def check(entity: Entity) -> None:
    """Refuse what could not be found or told apart.

    Raises:
        ValueError: with what is wrong and what to do.
    """
    _check_types(entity)
    if not entity.id or entity.id != entity.id.strip() or _CONTROL.search(entity.id):
        raise ValueError(f"the id {entity.id!r} is blank, has blanks at an end or a control code")
    if "|" in entity.id:
        raise ValueError(
            f"the id '{entity.id}' holds a '|', which joins several ids into one; "
            "put another character in its place"
        )
    if entity.id == NIL:
        raise ValueError(f"the id '{NIL}' stands for what is in no knowledge base; choose another")
    for name in entity.names:
        if _BLANK.fullmatch(name):
            raise ValueError(f"entity '{entity.id}' has a blank name; leave it out")
    if entity.popularity is not None and not (
        math.isfinite(entity.popularity) and entity.popularity >= 0
    ):
        raise ValueError(f"entity '{entity.id}' has popularity {entity.popularity}; 0 is the least")


def _check_types(entity: Entity) -> None:
    """Refuse what could be written and not be read again."""
    try:
        _ENTITY.decode(_encode(entity))
    except UnicodeEncodeError as error:
        raise ValueError(
            f"entity {entity.id!r} holds half a character, which no file can hold"
        ) from error
    except (msgspec.ValidationError, TypeError) as error:
        raise ValueError(
            f"entity {entity.id!r} cannot be kept: {error}; give strings, tuples of them, "
            "and a number for the popularity"
        ) from error


def row_of(entity: Entity) -> tuple[Any, ...]:
    """An entity as the values of ``COLUMNS``."""
    return (
        entity.id,
        entity.name,
        _encode(entity.aliases).decode() if entity.aliases else None,
        entity.description,
        _encode(entity.types).decode() if entity.types else None,
        _encode(entity.facts).decode() if entity.facts else None,
        entity.popularity,
    )


def entity_of(row: Sequence[Any]) -> Entity:
    """The entity that a row of ``COLUMNS`` stands for."""
    id_, name, aliases, description, types, facts, popularity = row
    return Entity(
        id_,
        name,
        _STRINGS.decode(aliases) if aliases else (),
        description,
        _STRINGS.decode(types) if types else (),
        _FACTS.decode(facts) if facts else (),
        popularity,
    )


def distinct_keys(names: list[tuple[str, ...]]) -> list[list[str]]:
    """For the names of each entity their keys, each once."""
    keys = iter(keys_of([name for of_one in names for name in of_one]))
    return [list(dict.fromkeys(next(keys) for _ in of_one)) for of_one in names]
