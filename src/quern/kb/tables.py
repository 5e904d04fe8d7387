"""Writing entities and their names into the tables, inside a transaction."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

from quern.errors import BusyError
from quern.kb import index
from quern.kb.entities import COLUMNS, distinct_keys, entity_of, row_of
from quern.kb.migrations import SORTED_NAMES
from quern.kb.store import Store
from quern.records import Entity
from quern.text.keys import RULES

_AT_ONCE = 10_000  # entities whose names are made anew together
_ADD_NAME = "INSERT INTO names (key, entity) VALUES (?, ?)"
_VALUES = ", ".join("?" * len(COLUMNS.split(",")))


def number_of(store: Store, id_: str) -> int | None:
    """The number of the entity of an id."""
    rows = store.rows("SELECT number FROM entities WHERE id = ?", [id_])
    return rows[0][0] if rows else None


def entity_at(store: Store, number: int) -> Entity:
    """The entity of a number."""
    return entity_of(store.rows(f"SELECT {COLUMNS} FROM entities WHERE number = ?", [number])[0])


def insert(store: Store, entities: Sequence[Entity]) -> None:
    """Write new entities and their names."""
    rows = store.rows("SELECT seq FROM sqlite_sequence WHERE name = 'entities'")
    first = rows[0][0] + 1 if rows else 1
    store.run_many(
        f"INSERT INTO entities (number, {COLUMNS}) VALUES (?, {_VALUES})",
        ((number, *row_of(entity)) for number, entity in enumerate(entities, first)),
    )
    keys = distinct_keys([entity.names for entity in entities])
    store.run_many(
        _ADD_NAME, ((key, number) for number, of_one in enumerate(keys, first) for key in of_one)
    )


def update(store: Store, number: int, entity: Entity) -> None:
    """Write an entity in the place of the one that has its number."""
    before, after = distinct_keys([entity_at(store, number).names, entity.names])
    _drop_names(store, number, [key for key in before if key not in after])
    store.run_many(_ADD_NAME, [(key, number) for key in after if key not in before])
    store.run(
        f"UPDATE entities SET ({COLUMNS}) = ({_VALUES}) WHERE number = ?",
        (*row_of(entity), number),
    )


def delete(store: Store, number: int) -> None:
    """Remove an entity and its names."""
    _drop_names(store, number, distinct_keys([entity_at(store, number).names])[0])
    store.run("DELETE FROM encodings WHERE entity = ?", [number])
    store.run("DELETE FROM entities WHERE number = ?", [number])


def leave_unsorted(store: Store) -> None:
    """Let names come in without an order by key, until ``sort_names``."""
    store.run("DROP INDEX names_by_key")


def sort_names(store: Store) -> None:
    """Put names in the order of their keys, by which they are looked up."""
    store.run(SORTED_NAMES)


def rebuild(store: Store) -> None:
    """Make all names and their index anew."""
    store.run("DELETE FROM names")
    leave_unsorted(store)
    rows = store.stream(f"SELECT number, {COLUMNS} FROM entities ORDER BY number")
    while lot := list(islice(rows, _AT_ONCE)):
        keys = distinct_keys([entity_of(row).names for _, *row in lot])
        numbered = zip((number for number, *_ in lot), keys, strict=True)
        store.run_many(_ADD_NAME, [(key, number) for number, of_one in numbered for key in of_one])
    sort_names(store)
    index.renew(store, anew=True)


def bring_up(store: Store) -> None:
    """Make names anew whose keys follow other rules; renew an index that is far behind."""
    rules = store.rows("SELECT value FROM about WHERE key = 'keys'")
    if rules != [(str(RULES),)]:
        with store.transaction():
            if rules:
                rebuild(store)
            store.run("INSERT OR REPLACE INTO about VALUES ('keys', ?)", [str(RULES)])
    elif index.pending(store) >= index.MANY:
        with suppress(BusyError), store.transaction(patient=False):  # the next opening will do
            index.renew(store)


def _drop_names(store: Store, entity: int, keys: Sequence[str]) -> None:
    given: list[tuple[Any, ...]] = [(key, entity) for key in keys]
    store.run_many(
        "INSERT INTO gone (name, key) SELECT number, key FROM names WHERE key = ? AND entity = ?",
        given,
    )
    store.run_many("DELETE FROM names WHERE key = ? AND entity = ?", given)
