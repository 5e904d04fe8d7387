"""A knowledge base: entities, their names, and how both are changed while they are in use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

import msgspec

from quern.errors import DataError
from quern.kb import encodings, index
from quern.kb.entities import COLUMNS, check, entity_of
from quern.kb.importing import Existing, Report, import_entities, import_files
from quern.kb.memo import Memo
from quern.kb.names import Names
from quern.kb.readers import Reading
from quern.kb.similar import Similar
from quern.kb.store import PATIENCE, Store
from quern.kb.tables import bring_up, delete, entity_at, insert, number_of, rebuild, update
from quern.records import Candidate, Entity
from quern.text.keys import keys_of

LEAST = 0.5  # score below which a similar name is no candidate


class Stats(msgspec.Struct, frozen=True):
    """What a knowledge base holds.

    Attributes:
        entities: how many.
        names: how many, one that several entities have counted for each.
        keys: how many different ones, case, width, script and punctuation aside.
        shared: how many of these several entities have.
        described: entities with a description.
        facts: of all entities.
        pending: names that came or went since the index was saved.
        bytes: size of the file.
    """

    entities: int
    names: int
    keys: int
    shared: int
    described: int
    facts: int
    pending: int
    bytes: int


class KnowledgeBase:
    """Entities in one SQLite file, found by what they are called.

    Attributes:
        names: the names, to be found in texts.
    """

    def __init__(self, store: Store) -> None:
        """Use ``open`` instead."""
        self._store = store
        self.names = Names(store)
        self._similar = Similar(store)
        self._proposed: Memo[tuple[str, int, float], list[Candidate]] = Memo()
        self._met: Memo[str, Entity] = Memo()

    @classmethod
    def open(
        cls, path: str | Path, *, create: bool = False, patience: float = PATIENCE
    ) -> KnowledgeBase:
        """Open a knowledge base.

        Args:
            path: its file.
            create: whether to make the file where it is missing.
            patience: seconds that a write waits for another one.

        Raises:
            StoreError: no such file, not a knowledge base, or of a newer quern.
        """
        store = Store(Path(path), create=create, patience=patience)
        with ExitStack() as undo:
            undo.callback(store.close)
            bring_up(store)
            opened = cls(store)
            undo.pop_all()
        return opened

    def close(self) -> None:
        """Let go of the file."""
        self._store.close()

    def __enter__(self) -> KnowledgeBase:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- reading --------------------------------------------------------------------------

    @property
    def path(self) -> Path:
        """The file."""
        return self._store.path

    def __len__(self) -> int:
        """Number of entities."""
        return int(self._store.rows("SELECT count(*) FROM entities")[0][0])

    def __iter__(self) -> Iterator[Entity]:
        """All entities, in the order in which they came; none that come on the way."""
        rows = self._store.stream(
            f"SELECT {COLUMNS} FROM entities"
            " WHERE number <= (SELECT max(number) FROM entities) ORDER BY number"
        )
        return map(entity_of, rows)

    def get(self, id_: str) -> Entity | None:
        """The entity of an id, None where there is none."""
        rows = self._store.rows(f"SELECT {COLUMNS} FROM entities WHERE id = ?", [id_])
        return entity_of(rows[0]) if rows else None

    def candidates(self, name: str, limit: int = 10, *, least: float = LEAST) -> list[Candidate]:
        """Entities that a name may stand for.

        Those of the very name come first, the more popular ones before others, then those of
        similar names, as long as there are fewer than ``limit``.

        Args:
            name: as it stands in a text.
            limit: the most that are wanted.
            least: score below which a similar name does not count; 1 for the very name only.

        Raises:
            StoreError: the file cannot be read.
        """
        return self.candidates_many([name], limit, least=least)[0]

    def candidates_many(
        self, names: Sequence[str], limit: int = 10, *, least: float = LEAST
    ) -> list[list[Candidate]]:
        """The same for each of many names, many times faster than one by one.

        Raises:
            StoreError: the file cannot be read.
        """
        if self._store.changing:
            return list(self._looked_up(names, limit, least))
        version = self._store.version
        asked = {name: (name, limit, least) for name in names}
        found = self._proposed.of(version, asked.values())
        new = [name for name, question in asked.items() if question not in found]
        if new:
            looked = self._looked_up(new, limit, least)
            made = {asked[name]: each for name, each in zip(new, looked, strict=True)}
            self._proposed.keep(version, made)
            found |= made
        return [list(found[asked[name]]) for name in names]

    def _looked_up(
        self, names: Sequence[str], limit: int, least: float
    ) -> Iterator[list[Candidate]]:
        keys = keys_of(names)
        same = self.named(keys)
        few = [n for n, key in enumerate(keys) if len(same[key]) < limit and least < 1]
        alike = dict(zip(few, self._similar.keys([names[n] for n in few], least), strict=True))
        others = self.named(list(chain.from_iterable(map(dict, alike.values()))))
        for n, key in enumerate(keys):
            found = {candidate.id: candidate for candidate in same[key]}
            for other, score in alike.get(n, ()):  # the best first
                for each in others[other]:
                    if each.id not in found:
                        scored = Candidate(each.id, each.name, other, score, each.popularity)
                        found[each.id] = scored
            yield sorted(found.values(), key=_rank)[:limit]

    def named(self, keys: Sequence[str]) -> dict[str, list[Candidate]]:
        """The entities of names, given by their keys, in one query; an empty list for none.

        Raises:
            StoreError: the file cannot be read.
        """
        rows = self._store.rows(
            "SELECT n.key, e.id, e.name, e.popularity FROM json_each(?) AS asked"
            " JOIN names AS n ON n.key = asked.value JOIN entities AS e ON e.number = n.entity",
            [msgspec.json.encode(list(dict.fromkeys(keys))).decode()],
        )
        found: dict[str, list[Candidate]] = {key: [] for key in keys}
        for key, id_, name, popularity in rows:
            found[key].append(Candidate(id_, name, key, 1.0, popularity))
        for candidates in found.values():
            candidates.sort(key=_rank)
        return found

    def entities(self, ids: Iterable[str]) -> dict[str, Entity]:
        """The entities of ids, in one query; those that there are.

        Raises:
            StoreError: the file cannot be read.
        """
        asked = set(ids)
        if self._store.changing:
            return self._read(asked)
        version = self._store.version
        found = self._met.of(version, asked)
        read = self._read(asked - found.keys())
        self._met.keep(version, read)
        return found | read

    def _read(self, ids: set[str]) -> dict[str, Entity]:
        if not ids:
            return {}
        rows = self._store.rows(
            f"SELECT {COLUMNS} FROM entities WHERE id IN (SELECT value FROM json_each(?))",
            [msgspec.json.encode(sorted(ids)).decode()],
        )
        return {row[0]: entity_of(row) for row in rows}

    def encodings(self, model: str, wanted: Sequence[tuple[str, str]]) -> dict[str, bytes]:
        """What a model made of entities, and keeps; see ``quern.kb.encodings``."""
        return encodings.read(self._store, model, wanted)

    def keep_encodings(self, model: str, rows: Sequence[tuple[str, str, bytes]]) -> None:
        """Keep what a model made of entities; see ``quern.kb.encodings``."""
        encodings.keep(self._store, model, rows)

    def stats(self) -> Stats:
        """What it holds.

        Raises:
            StoreError: the file cannot be read.
        """
        ((entities, described, facts),) = self._store.rows(
            "SELECT count(*), coalesce(sum(description != ''), 0),"
            " coalesce(sum(json_array_length(facts)), 0) FROM entities"
        )
        ((names, keys, shared),) = self._store.rows(
            "SELECT coalesce(sum(c), 0), count(*), coalesce(sum(c > 1), 0)"
            " FROM (SELECT count(*) AS c FROM names GROUP BY key)"
        )
        return Stats(
            entities,
            names,
            keys,
            shared,
            described,
            facts,
            index.pending(self._store),
            self._store.size(),
        )

    # -- writing --------------------------------------------------------------------------

    def add(self, entity: Entity) -> None:
        """Add an entity; it is found from the next question on, by every process.

        Raises:
            DataError: the entity cannot be kept, or its id is taken.
            StoreError: the file cannot be written to.
        """
        _check(entity)
        with self._store.transaction():
            if number_of(self._store, entity.id) is not None:
                raise DataError(f"entity '{entity.id}' is there already; replace it, or remove it")
            insert(self._store, [entity])

    def replace(self, entity: Entity) -> None:
        """Put an entity in the place of the one that has its id.

        Raises:
            DataError: the entity cannot be kept, or there is none of its id.
            StoreError: the file cannot be written to.
        """
        self.edit(entity.id, lambda _: entity)

    def edit(self, id_: str, edited: Callable[[Entity], Entity]) -> None:
        """Change an entity; nobody else changes it in the meantime.

        Args:
            id_: its id, which stays.
            edited: is given the entity as it is, and gives it as it shall be.

        Raises:
            DataError: there is none of that id, or what it would become cannot be kept.
            StoreError: the file cannot be written to.
        """
        with self._store.transaction():
            number = number_of(self._store, id_)
            if number is None:
                raise DataError(f"there is no entity '{id_}'; add it")
            entity = edited(entity_at(self._store, number))
            _check(entity)
            if entity.id != id_:
                raise DataError(f"entity '{id_}' keeps its id; remove it, and add '{entity.id}'")
            update(self._store, number, entity)

    def remove(self, id_: str) -> None:
        """Remove an entity and its names.

        Raises:
            DataError: there is none of that id.
            StoreError: the file cannot be written to.
        """
        self.remove_all([id_])

    def remove_all(self, ids: Iterable[str]) -> int:
        """Remove entities and their names, all or none.

        Args:
            ids: of the entities; one that comes twice counts once.

        Returns:
            How many were removed.

        Raises:
            DataError: there is none of some id.
            StoreError: the file cannot be written to.
        """
        distinct = dict.fromkeys(ids)
        with self._store.transaction():
            for id_ in distinct:
                number = number_of(self._store, id_)
                if number is None:
                    raise DataError(f"there is no entity '{id_}'; nothing was removed")
                delete(self._store, number)
        return len(distinct)

    def load(self, entities: Iterable[Entity], existing: Existing = "refuse") -> Report:
        """Add many entities, all or none.

        Args:
            entities: in any number.
            existing: what becomes of those whose ids are taken.

        Raises:
            DataError: one of them cannot be kept, or its id is taken.
            StoreError: the file cannot be written to.
        """
        return import_entities(self._store, entities, existing)

    def import_files(
        self,
        paths: Sequence[Path],
        reading: Reading | None = None,
        existing: Existing = "refuse",
        advance: Callable[[int], None] = lambda count: None,
        *,
        skip_bad: bool = False,
    ) -> Report:
        """Add what files hold, all or nothing; see ``quern.kb.importing``."""
        how = reading or Reading()
        return import_files(self._store, paths, how, existing, advance, skip_bad=skip_bad)

    def rebuild(self) -> None:
        """Make all names and their index anew from the entities.

        Raises:
            StoreError: the file cannot be written to.
        """
        with self._store.transaction():
            rebuild(self._store)


def _rank(candidate: Candidate) -> tuple[float, float, str]:
    popularity = -1.0 if candidate.popularity is None else candidate.popularity
    return -candidate.score, -popularity, candidate.id


def _check(entity: Entity) -> None:
    try:
        check(entity)
    except ValueError as error:
        raise DataError(str(error)) from error
